#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/bots/bot_streams.h"

#define NOW 1000000

static int set_up(void **state) {
    *state = bot_streams_new();
    return 0;
}

static int tear_down(void **state) {
    bot_streams_free(*state);
    return 0;
}

static struct bot_edit piece(uint64_t message_id, uint64_t sequence) {
    return (struct bot_edit){.thread = {{1}}, .message_id = message_id, .sequence = sequence};
}

static enum bot_edit_turn ask(void **state, struct bot_edit *edit, uint64_t now_ms) {
    uint64_t wait_ms;
    enum bot_edit_turn turn = bot_streams_ask(*state, edit, now_ms, &wait_ms);
    assert_int_equal(turn == BOT_EDIT_LATER, wait_ms > 0);
    assert_true(wait_ms <= BOT_EDIT_INTERVAL_MS);
    return turn;
}

static enum bot_edit_turn ask_again(void **state, const struct bot_edit *edit, uint64_t now_ms) {
    uint64_t wait_ms;
    enum bot_edit_turn turn = bot_streams_ask_again(*state, edit, now_ms, &wait_ms);
    assert_int_equal(turn == BOT_EDIT_LATER, wait_ms > 0);
    return turn;
}

static void edits_that_come_too_soon_wait_and_only_the_newest_is_done(void **state) {
    struct bot_edit first = piece(7, 1), second = piece(7, 2), third = piece(7, 3);
    assert_int_equal(ask(state, &first, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &second, NOW + 1), BOT_EDIT_LATER);
    assert_int_equal(ask(state, &third, NOW + 2), BOT_EDIT_LATER);
    assert_int_equal(ask_again(state, &second, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_LATER);
    assert_int_equal(ask_again(state, &third, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NOW);
    bot_streams_settle(*state, &third, true);
    assert_int_equal(ask_again(state, &second, NOW + 2 * BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
    struct bot_edit fourth = piece(7, 4);
    assert_int_equal(ask(state, &fourth, NOW + BOT_EDIT_INTERVAL_MS + 1), BOT_EDIT_LATER);
}

static void what_was_left_out_is_done_when_the_newer_one_fails(void **state) {
    struct bot_edit first = piece(7, 1), second = piece(7, 2), third = piece(7, 3), last = piece(7, 4);
    last.is_last = true;
    assert_int_equal(ask(state, &first, NOW), BOT_EDIT_NOW);
    bot_streams_settle(*state, &first, true);
    assert_int_equal(ask(state, &second, NOW + 1), BOT_EDIT_LATER);
    assert_int_equal(ask(state, &third, NOW + 2), BOT_EDIT_LATER);
    assert_int_equal(ask(state, &last, NOW + 3), BOT_EDIT_NOW);
    assert_int_equal(ask_again(state, &third, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_LATER);
    bot_streams_settle(*state, &last, false);
    assert_int_equal(ask_again(state, &third, NOW + 2 * BOT_EDIT_INTERVAL_MS), BOT_EDIT_NOW);
    assert_int_equal(ask_again(state, &second, NOW + 2 * BOT_EDIT_INTERVAL_MS), BOT_EDIT_LATER);
    bot_streams_settle(*state, &third, true);
    assert_int_equal(ask_again(state, &second, NOW + 3 * BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
}

static void nobody_holds_up_or_overtakes_the_edits_of_somebody_else(void **state) {
    struct bot_edit first = piece(7, 1), second = piece(7, 2), foreign = piece(7, 900), of_bot = piece(7, 3);
    foreign.caller.bytes[7] = 9;
    foreign.is_last = true;
    assert_int_equal(ask(state, &foreign, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &first, NOW + 1), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &second, NOW + 2), BOT_EDIT_LATER);
    assert_int_equal(ask(state, &foreign, NOW + 3), BOT_EDIT_NOW);
    assert_int_equal(ask_again(state, &second, NOW + 1 + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &of_bot, NOW + 2 + BOT_EDIT_INTERVAL_MS), BOT_EDIT_LATER);
}

static void who_waits_is_not_forgotten_for_others(void **state) {
    struct bot_edit first = piece(7, 1), second = piece(7, 2), last = piece(7, 3);
    last.is_last = true;
    assert_int_equal(ask(state, &first, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &second, NOW + 1), BOT_EDIT_LATER);
    for (uint64_t id = 8; id < 3000; id++) {
        struct bot_edit other = piece(id, 1);
        assert_int_equal(ask(state, &other, NOW + 2), BOT_EDIT_NOW);
        bot_streams_settle(*state, &other, true);
    }
    assert_int_equal(ask(state, &last, NOW + 3), BOT_EDIT_NOW);
    bot_streams_settle(*state, &last, true);
    assert_int_equal(ask_again(state, &second, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
}

static void other_messages_do_not_wait_for_one(void **state) {
    struct bot_edit one = piece(7, 1), other = piece(8, 1), of_other_thread = piece(7, 1);
    of_other_thread.thread.bytes[0] = 2;
    assert_int_equal(ask(state, &one, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &other, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &of_other_thread, NOW), BOT_EDIT_NOW);
}

static void the_last_piece_is_never_late_and_nothing_comes_behind_it(void **state) {
    struct bot_edit first = piece(7, 1), second = piece(7, 2), last = piece(7, 4), late = piece(7, 3);
    last.is_last = true;
    assert_int_equal(ask(state, &first, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &second, NOW + 1), BOT_EDIT_LATER);
    assert_int_equal(ask(state, &last, NOW + 2), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &late, NOW + 3), BOT_EDIT_NEVER);
    bot_streams_settle(*state, &last, true);
    assert_int_equal(ask_again(state, &second, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
    assert_int_equal(ask(state, &last, NOW + 4), BOT_EDIT_NOW); /* said again, as it was not answered */
}

static void a_piece_that_was_overtaken_is_left_out(void **state) {
    struct bot_edit second = piece(7, 2), first = piece(7, 1), again = piece(7, 2);
    assert_int_equal(ask(state, &second, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &first, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
    assert_int_equal(ask(state, &again, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NEVER);
}

static void a_piece_that_failed_may_come_again(void **state) {
    struct bot_edit first = piece(7, 1), again = piece(7, 1);
    assert_int_equal(ask(state, &first, NOW), BOT_EDIT_NOW);
    bot_streams_settle(*state, &first, false);
    assert_int_equal(ask(state, &again, NOW + 1), BOT_EDIT_NOW);
}

static void plain_edits_have_no_order_of_their_own(void **state) {
    struct bot_edit one = piece(7, 0), two = piece(7, 0);
    assert_int_equal(ask(state, &one, NOW), BOT_EDIT_NOW);
    assert_int_equal(ask(state, &two, NOW + BOT_EDIT_INTERVAL_MS), BOT_EDIT_NOW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(edits_that_come_too_soon_wait_and_only_the_newest_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_left_out_is_done_when_the_newer_one_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_holds_up_or_overtakes_the_edits_of_somebody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_is_not_forgotten_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_messages_do_not_wait_for_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_piece_is_never_late_and_nothing_comes_behind_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_piece_that_was_overtaken_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_piece_that_failed_may_come_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_edits_have_no_order_of_their_own, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
