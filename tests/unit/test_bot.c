#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/bots/bot.h"
#include "node/bots/bot_roster.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define USER "8:acs:r_00000000-0000-0000-0000-000000000001"
#define SECRET "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz" /* 24 bytes */

static void a_bot_is_stored_and_read_back_as_it_was(void **state) {
    struct bot bot, again;
    struct problem problem = {0};
    const char *body = "{\"endpoint\":\"https://bot.example/api\",\"userId\":\"" USER "\",\"displayName\":\"Echo\","
                       "\"deliveryMode\":\"expectReplies\",\"secret\":\"" SECRET "\"}";
    assert_int_equal(bot_parse(bytes_of_text(body), false, *state, &bot, &problem), STATUS_OK);
    bot.name = BYTES_LITERAL("echo");
    bot.created_ms = 1767323049000;
    bot.changed_ms = 1767323050000;
    struct bytes stored = bot_encode(&bot, *state);
    assert_int_equal(bot_decode(stored, *state, &again), STATUS_OK);
    assert_true(bytes_equal(bot_encode(&again, *state), stored));
    assert_true(again.expects_replies);
    assert_int_equal(again.created_ms, bot.created_ms);
    assert_int_equal(again.changed_ms, bot.changed_ms);
}

static void the_secret_is_shown_only_when_it_is_asked_for(void **state) {
    struct bot bot;
    struct problem problem = {0};
    const char *body = "{\"endpoint\":\"https://bot.example/api\",\"secret\":\"" SECRET "\"}";
    assert_int_equal(bot_parse(bytes_of_text(body), false, *state, &bot, &problem), STATUS_OK);
    bot.name = BYTES_LITERAL("echo");
    json_t *without = bot_to_json(&bot, BOT_WITHOUT_SECRET), *with = bot_to_json(&bot, BOT_WITH_SECRET);
    assert_null(json_object_get(without, "secret"));
    assert_string_equal(json_string_value(json_object_get(with, "secret")), SECRET);
    json_decref(without);
    json_decref(with);
}

static void what_an_operator_cannot_mean_is_refused_by_name(void **state) {
    static const struct {
        const char *body, *target;
    } cases[] = {
        {"{}", "endpoint"},
        {"{\"endpoint\":\"http://bot.example/\"}", "endpoint"},
        {"{\"endpoint\":\"https://10.0.0.1/\"}", "endpoint"},
        {"{\"endpoint\":\"https://bot.example/\",\"deliveryMode\":\"stream\"}", "deliveryMode"},
        {"{\"endpoint\":\"https://bot.example/\",\"secret\":\"short\"}", "secret"},
        {"{\"endpoint\":\"https://bot.example/\",\"userId\":7}", "userId"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bot bot;
        struct problem problem = {0};
        assert_int_equal(bot_parse(bytes_of_text(cases[i].body), false, *state, &bot, &problem),
                         STATUS_VALIDATION_ERROR);
        assert_text(problem.target, cases[i].target);
    }
}

static void a_member_that_nobody_knows_is_refused(void **state) {
    struct bot bot;
    struct problem problem = {0};
    assert_int_equal(bot_parse(BYTES_LITERAL("{\"endpoint\":\"https://bot.example/\",\"enpoint\":1}"), false, *state,
                               &bot, &problem),
                     STATUS_VALIDATION_ERROR);
}

static void a_record_that_does_not_say_when_it_was_changed_was_not(void **state) {
    struct bot bot;
    const char *record = "{\"name\":\"echo\",\"createdOn\":\"2026-01-01T00:00:00Z\",\"endpoint\":"
                         "\"https://bot.example/\",\"userId\":\"" USER "\",\"secret\":\"" SECRET "\"}";
    assert_int_equal(bot_decode(bytes_of_text(record), *state, &bot), STATUS_OK);
    assert_int_equal(bot.changed_ms, 1767225600000);
}

static void records_that_lack_something_do_not_open(void **state) {
    static const char *const records[] = {
        "", "{}", "{\"name\":\"echo\",\"createdOn\":\"2026-01-01T00:00:00Z\",\"endpoint\":\"https://bot.example/\"}",
        "{\"name\":\"echo\",\"createdOn\":\"then\",\"endpoint\":\"https://bot.example/\",\"userId\":\"" USER
        "\",\"secret\":\"" SECRET "\"}"};
    for (size_t i = 0; i < COUNT(records); i++) {
        struct bot bot;
        assert_int_equal(bot_decode(bytes_of_text(records[i]), *state, &bot), STATUS_MALFORMED);
    }
}

static void only_its_secret_admits_a_bot(void **state) {
    struct bot_roster *roster = bot_roster_new();
    struct bot bot = {.name = BYTES_LITERAL("echo"), .user_id = BYTES_LITERAL(USER)};
    struct bytes user_id;
    assert_true(event_secret_parse(BYTES_LITERAL(SECRET), &bot.secret));
    bot_roster_set(roster, &bot, 1);
    assert_true(bot_roster_admit(roster, BYTES_LITERAL("echo"), BYTES_LITERAL(SECRET), *state, &user_id));
    assert_text(user_id, USER);
    assert_false(bot_roster_admit(roster, BYTES_LITERAL("ech"), BYTES_LITERAL(SECRET), *state, &user_id));
    assert_false(bot_roster_admit(roster, BYTES_LITERAL("echo"),
                                  BYTES_LITERAL("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0"), *state, &user_id));
    assert_false(bot_roster_admit(roster, BYTES_LITERAL("echo"), BYTES_LITERAL(""), *state, &user_id));
    bot_roster_set(roster, &bot, 0);
    assert_false(bot_roster_admit(roster, BYTES_LITERAL("echo"), BYTES_LITERAL(SECRET), *state, &user_id));
    bot_roster_free(roster);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bot_is_stored_and_read_back_as_it_was, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(the_secret_is_shown_only_when_it_is_asked_for, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_an_operator_cannot_mean_is_refused_by_name, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_member_that_nobody_knows_is_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_record_that_does_not_say_when_it_was_changed_was_not, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(records_that_lack_something_do_not_open, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(only_its_secret_admits_a_bot, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
