/* Typing and receipts, gathered: what is told at once, what together, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "node/core/coalesce.h"
#include "proto/check.h"
#include "proto/limits.h"

#define TICK LIMIT_COALESCE_TICK_MS
#define START 1700000000000

static struct coalescer *coalescer;
static struct arena arena;

static int set_up(void **state) {
    (void)state;
    coalescer = coalescer_new();
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    coalescer_free(coalescer);
    arena_close(&arena);
    return 0;
}

/* What is offered lies on the stack and is spoiled afterwards: the coalescer has to copy. */
static bool offer(enum change_kind kind, uint8_t thread, unsigned user, int64_t now_ms) {
    char user_id[32];
    char name[32];
    char thread_id[32];
    snprintf(user_id, sizeof(user_id), "user%u", user);
    snprintf(name, sizeof(name), "name%u", user);
    snprintf(thread_id, sizeof(thread_id), "19:%u@thread.v2", thread);
    struct typing_notice typing = {bytes_of_text(user_id), bytes_of_text(name), now_ms};
    struct receipt receipt = {bytes_of_text(user_id), (uint64_t)now_ms, now_ms};
    struct change change = {.kind = kind,
                            .subject = {{thread}},
                            .thread_id = bytes_of_text(thread_id),
                            .typing = &typing,
                            .typing_count = kind == CHANGE_TYPING,
                            .receipts = &receipt,
                            .receipts_count = kind == CHANGE_RECEIPTS};
    bool is_told = coalescer_offer(coalescer, &change, now_ms);
    memset(user_id, 'x', sizeof(user_id));
    memset(name, 'x', sizeof(name));
    memset(thread_id, 'x', sizeof(thread_id));
    return is_told;
}

static bool type(uint8_t thread, unsigned user, int64_t now_ms) {
    return offer(CHANGE_TYPING, thread, user, now_ms);
}

static size_t due(int64_t now_ms, struct change *changes, size_t max) {
    size_t count = 0;
    struct change change;
    while (coalescer_due(coalescer, now_ms, &arena, &change)) {
        check(count < max);
        changes[count++] = change;
    }
    return count;
}

static void the_first_is_told_at_once_and_the_rest_of_the_tick_together(void **state) {
    struct change changes[4];
    (void)state;
    assert_true(type(1, 1, START));
    assert_false(type(1, 2, START + 10));
    assert_false(type(1, 3, START + 20));
    assert_int_equal(due(START + TICK - 1, changes, 4), 0);
    assert_int_equal(due(START + TICK, changes, 4), 1);
    assert_int_equal(changes[0].kind, CHANGE_TYPING);
    assert_int_equal(changes[0].subject.bytes[0], 1);
    assert_true(bytes_equal_text(changes[0].thread_id, "19:1@thread.v2"));
    assert_int_equal(changes[0].typing_count, 2);
    assert_int_equal(changes[0].receipts_count, 0);
    assert_true(bytes_equal_text(changes[0].typing[0].user_id, "user2"));
    assert_true(bytes_equal_text(changes[0].typing[0].display_name, "name2"));
    assert_true(bytes_equal_text(changes[0].typing[1].user_id, "user3"));
    assert_true(changes[0].time_ms == START + 20);
}

static void threads_and_kinds_do_not_wait_for_each_other(void **state) {
    (void)state;
    assert_true(type(1, 1, START));
    assert_true(type(2, 1, START));
    assert_true(offer(CHANGE_RECEIPTS, 1, 1, START));
    assert_false(type(1, 1, START));
    assert_false(offer(CHANGE_RECEIPTS, 1, 1, START));
    assert_int_equal(coalescer_threads(coalescer), 3);
}

static void a_quiet_thread_is_forgotten_and_told_at_once_again(void **state) {
    struct change changes[4];
    (void)state;
    assert_true(type(1, 1, START));
    assert_int_equal(due(START + TICK, changes, 4), 0);
    assert_int_equal(coalescer_threads(coalescer), 0);
    assert_true(type(1, 1, START + TICK));
}

static void a_busy_thread_is_told_once_in_a_tick(void **state) {
    struct change changes[4];
    (void)state;
    assert_true(type(1, 0, START));
    for (unsigned tick = 1; tick <= 5; tick++) {
        for (unsigned user = 1; user <= 3; user++)
            assert_false(type(1, user, START + tick * TICK - 10));
        assert_int_equal(due(START + tick * TICK, changes, 4), 1);
        assert_int_equal(changes[0].typing_count, 3);
        assert_int_equal(due(START + tick * TICK + TICK - 20, changes, 4), 0);
    }
}

static void of_each_user_only_the_newest_counts(void **state) {
    struct change changes[4];
    (void)state;
    assert_true(offer(CHANGE_RECEIPTS, 1, 1, START));
    for (int64_t i = 1; i <= 5; i++)
        assert_false(offer(CHANGE_RECEIPTS, 1, 2, START + i));
    assert_int_equal(due(START + TICK, changes, 4), 1);
    assert_int_equal(changes[0].kind, CHANGE_RECEIPTS);
    assert_int_equal(changes[0].typing_count, 0);
    assert_int_equal(changes[0].receipts_count, 1);
    assert_true(changes[0].receipts[0].message_id == START + 5);
    assert_true(changes[0].receipts[0].read_ms == START + 5);
    assert_true(bytes_equal_text(changes[0].receipts[0].user_id, "user2"));
}

static void a_tick_tells_a_bounded_number_and_the_next_ones_the_rest(void **state) {
    struct change changes[4];
    size_t told = 0;
    (void)state;
    assert_true(type(1, 1000, START));
    for (unsigned user = 0; user < 250; user++)
        assert_false(type(1, user, START));
    for (int64_t tick = 1; told < 250; tick++) {
        assert_int_equal(due(START + tick * TICK, changes, 4), 1);
        assert_in_range(changes[0].typing_count, 1, LIMIT_COALESCE_PER_TICK_MAX);
        for (size_t i = 0; i < changes[0].typing_count; i++) {
            char expected[32];
            snprintf(expected, sizeof(expected), "user%zu", told++);
            assert_true(bytes_equal_text(changes[0].typing[i].user_id, expected));
        }
    }
    assert_int_equal(told, 250);
}

static bool is_thread_1(void *context, const struct id_hash *thread) {
    (void)context;
    return thread->bytes[0] == 1;
}

static void what_is_gathered_of_threads_that_leave_is_told_before_its_time(void **state) {
    struct change change, changes[4];
    size_t told = 0;
    (void)state;
    for (unsigned thread = 1; thread <= 2; thread++) {
        assert_true(type((uint8_t)thread, 1000, START));
        assert_true(offer(CHANGE_RECEIPTS, (uint8_t)thread, 1000, START));
        assert_false(offer(CHANGE_RECEIPTS, (uint8_t)thread, 1, START));
        for (unsigned user = 0; user < 20; user++)
            assert_false(type((uint8_t)thread, user, START));
    }
    while (coalescer_leave(coalescer, is_thread_1, NULL, &arena, &change)) {
        assert_int_equal(change.subject.bytes[0], 1);
        told += change.typing_count + change.receipts_count;
    }
    assert_int_equal(told, 21);
    assert_int_equal(coalescer_threads(coalescer), 2); /* the other, of each kind */
    assert_true(type(1, 1, START + 1));                /* nothing is known of it */
    assert_int_equal(due(START + TICK, changes, 4), 2);
}

static void an_absent_name_stays_absent(void **state) {
    struct typing_notice typing = {.user_id = BYTES_LITERAL("u")};
    struct change change = {.kind = CHANGE_TYPING, .typing = &typing, .typing_count = 1};
    struct change changes[4];
    (void)state;
    assert_true(coalescer_offer(coalescer, &change, START));
    assert_false(coalescer_offer(coalescer, &change, START));
    assert_int_equal(due(START + TICK, changes, 4), 1);
    assert_false(bytes_is_present(changes[0].typing[0].display_name));
}

static void threads_come_due_in_the_order_they_began(void **state) {
    struct change changes[8];
    (void)state;
    for (uint8_t thread = 1; thread <= 5; thread++) {
        assert_true(type(thread, 1, START + thread));
        assert_false(type(thread, 2, START + thread));
    }
    assert_int_equal(due(START + TICK + 3, changes, 8), 3);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(changes[i].subject.bytes[0], i + 1);
    assert_int_equal(due(START + TICK + 5, changes, 8), 2);
}

static void a_clock_that_is_set_back_stops_nothing(void **state) {
    struct change changes[4];
    (void)state;
    assert_true(type(1, 1, START));
    assert_false(type(1, 2, START));
    assert_int_equal(due(START - 3600 * 1000, changes, 4), 1);
    assert_false(type(1, 3, START - 3600 * 1000));
    assert_int_equal(due(START - 3600 * 1000 + TICK, changes, 4), 1);
}

static void what_still_waits_is_freed_with_the_coalescer(void **state) {
    (void)state;
    for (uint8_t thread = 0; thread < 100; thread++)
        for (unsigned user = 0; user < 3; user++)
            assert_int_equal(type(thread, user, START), user == 0);
}

int main(void) {
#define GATHERED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        GATHERED(the_first_is_told_at_once_and_the_rest_of_the_tick_together),
        GATHERED(threads_and_kinds_do_not_wait_for_each_other),
        GATHERED(a_quiet_thread_is_forgotten_and_told_at_once_again),
        GATHERED(a_busy_thread_is_told_once_in_a_tick),
        GATHERED(of_each_user_only_the_newest_counts),
        GATHERED(a_tick_tells_a_bounded_number_and_the_next_ones_the_rest),
        GATHERED(what_is_gathered_of_threads_that_leave_is_told_before_its_time),
        GATHERED(an_absent_name_stays_absent),
        GATHERED(threads_come_due_in_the_order_they_began),
        GATHERED(a_clock_that_is_set_back_stops_nothing),
        GATHERED(what_still_waits_is_freed_with_the_coalescer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
