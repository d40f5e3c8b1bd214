#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/bots/bot_saying.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES_MAX 64

static int parse(struct arena *arena, const char *body, struct bot_saying *saying, struct problem *problem) {
    *problem = (struct problem){0};
    return bot_saying_parse(arena, bytes_of_text(body), BYTES_MAX, saying, problem);
}

static void an_activity_is_a_message_or_typing_or_nothing(void **state) {
    static const struct {
        const char *body;
        enum bot_saying_kind kind;
        enum message_type type;
    } cases[] = {
        {"{\"type\":\"message\",\"text\":\"hi\"}", BOT_SAYS_MESSAGE, MESSAGE_TEXT},
        {"{\"type\":\"message\",\"text\":\"hi\",\"textFormat\":\"plain\"}", BOT_SAYS_MESSAGE, MESSAGE_TEXT},
        {"{\"type\":\"message\",\"text\":\"hi\",\"textFormat\":\"markdown\"}", BOT_SAYS_MESSAGE, MESSAGE_TEXT},
        {"{\"type\":\"message\",\"text\":\"hi\",\"textFormat\":\"xml\"}", BOT_SAYS_MESSAGE, MESSAGE_HTML},
        {"{\"type\":\"typing\"}", BOT_SAYS_TYPING, 0},
        {"{\"type\":\"typing\",\"text\":\"no piece\"}", BOT_SAYS_TYPING, 0},
        {"{\"type\":\"trace\",\"value\":{}}", BOT_SAYS_NOTHING, 0},
        {"{\"type\":\"endOfConversation\"}", BOT_SAYS_NOTHING, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bot_saying saying;
        struct problem problem;
        assert_int_equal(parse(*state, cases[i].body, &saying, &problem), STATUS_OK);
        assert_int_equal(saying.kind, cases[i].kind);
        assert_int_equal(saying.message.type, cases[i].type);
        assert_false(saying.stream.is_part);
    }
}

static void a_message_has_a_name_an_id_and_metadata(void **state) {
    struct bot_saying saying;
    struct problem problem;
    assert_int_equal(
        parse(*state,
              "{\"type\":\"message\",\"id\":\"x-1\",\"text\":\"hi\",\"from\":{\"id\":\"?\",\"name\":\"Bo\"},"
              "\"channelData\":{\"metadata\":{\"k\":\"v\"}}}",
              &saying, &problem),
        STATUS_OK);
    assert_text(saying.id, "x-1");
    assert_text(saying.message.display_name, "Bo");
    assert_int_equal(saying.message.metadata.count, 1);
    assert_text(saying.message.metadata.pairs[0].value, "v");
}

static void pieces_come_as_entities_and_in_channel_data(void **state) {
    static const struct {
        const char *body, *id;
        uint64_t sequence;
        bool is_last;
    } cases[] = {
        {"{\"type\":\"typing\",\"text\":\"Looking\",\"entities\":[{\"type\":\"mention\"},{\"type\":\"streaminfo\","
         "\"streamType\":\"informative\",\"streamSequence\":1}]}",
         NULL, 1, false},
        {"{\"type\":\"typing\",\"text\":\"A\",\"entities\":[{\"type\":\"streaminfo\",\"streamId\":\"17\","
         "\"streamType\":\"streaming\",\"streamSequence\":2}]}",
         "17", 2, false},
        {"{\"type\":\"message\",\"text\":\"A b\",\"entities\":[{\"type\":\"streaminfo\",\"streamId\":\"17\","
         "\"streamType\":\"final\"}]}",
         "17", 0, true},
        {"{\"type\":\"typing\",\"text\":\"A\",\"channelData\":{\"streamType\":\"streaming\",\"streamSequence\":3,"
         "\"streamId\":\"17\"}}",
         "17", 3, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bot_saying saying;
        struct problem problem;
        assert_int_equal(parse(*state, cases[i].body, &saying, &problem), STATUS_OK);
        assert_int_equal(saying.kind, BOT_SAYS_MESSAGE);
        assert_true(saying.stream.is_part);
        assert_int_equal(saying.stream.is_last, cases[i].is_last);
        assert_int_equal(saying.stream.sequence, cases[i].sequence);
        assert_int_equal(bytes_is_present(saying.stream.id), cases[i].id != NULL);
        if (cases[i].id != NULL)
            assert_text(saying.stream.id, cases[i].id);
    }
}

static void what_nobody_can_say_is_refused_by_name(void **state) {
    static const struct {
        const char *body, *target;
        int rc;
    } cases[] = {
        {"[]", NULL, STATUS_BAD_REQUEST},
        {"{}", "type", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"invoke\"}", "type", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\"}", "text", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\",\"text\":\"\"}", "text", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\",\"text\":7}", "text", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\",\"text\":\"1234567890123456789012345678901234567890123456789012345678901234x\"}",
         "text", STATUS_REQUEST_ENTITY_TOO_LARGE},
        {"{\"type\":\"message\",\"text\":\"hi\",\"textFormat\":\"pdf\"}", "textFormat", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"typing\",\"text\":\"A\",\"channelData\":{\"streamType\":\"final\"}}", "streamType",
         STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\",\"text\":\"A\",\"channelData\":{\"streamType\":\"streaming\"}}", "streamType",
         STATUS_VALIDATION_ERROR},
        {"{\"type\":\"typing\",\"text\":\"A\",\"channelData\":{\"streamType\":\"wild\"}}", "streamType",
         STATUS_VALIDATION_ERROR},
        {"{\"type\":\"typing\",\"text\":\"A\",\"channelData\":{\"streamType\":\"streaming\",\"streamSequence\":0}}",
         "streamSequence", STATUS_VALIDATION_ERROR},
        {"{\"type\":\"message\",\"text\":\"A\",\"channelData\":{\"metadata\":[]}}", "metadata",
         STATUS_VALIDATION_ERROR},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bot_saying saying;
        struct problem problem;
        assert_int_equal(parse(*state, cases[i].body, &saying, &problem), cases[i].rc);
        assert_int_equal(problem.rc, cases[i].rc);
        if (cases[i].target != NULL)
            assert_text(problem.target, cases[i].target);
    }
}

static void answers_have_ids_that_do_not_change(void **state) {
    struct bytes replies[BOT_REPLIES_MAX];
    const char *body =
        "{\"activities\":[{\"type\":\"message\",\"text\":\"a\"},7,"
        "{\"type\":\"message\",\"text\":\"b\",\"id\":\"own\"},{\"type\":\"message\",\"text\":\"c\",\"id\":\"\"}]}";
    assert_int_equal(bot_replies_split(*state, bytes_of_text(body), BYTES_LITERAL("in"), replies), 3);
    assert_text(replies[0], "{\"type\":\"message\",\"text\":\"a\",\"id\":\"in-0\"}");
    assert_text(replies[1], "{\"type\":\"message\",\"text\":\"b\",\"id\":\"own\"}");
    assert_text(replies[2], "{\"type\":\"message\",\"text\":\"c\",\"id\":\"in-3\"}");
}

static void of_too_many_answers_the_first_are_taken_and_all_are_counted(void **state) {
    struct bytes replies[BOT_REPLIES_MAX];
    struct bytes body = BYTES_LITERAL("{\"activities\":[{}");
    for (size_t i = 0; i < BOT_REPLIES_MAX; i++)
        body = arena_printf(*state, "%.*s,{\"id\":\"%zu\"}", BYTES_ARG(body), i);
    body = arena_printf(*state, "%.*s]}", BYTES_ARG(body));
    assert_int_equal(bot_replies_split(*state, body, BYTES_LITERAL("in"), replies), BOT_REPLIES_MAX + 1);
    assert_text(replies[BOT_REPLIES_MAX - 1], "{\"id\":\"14\"}");
}

static void what_is_no_answer_has_no_activities(void **state) {
    static const char *const bodies[] = {"", "OK", "[]", "{}", "{\"activities\":7}", "{\"activities\":[]}"};
    struct bytes replies[BOT_REPLIES_MAX];
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_int_equal(bot_replies_split(*state, bytes_of_text(bodies[i]), BYTES_LITERAL("in"), replies), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_activity_is_a_message_or_typing_or_nothing, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_message_has_a_name_an_id_and_metadata, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(pieces_come_as_entities_and_in_channel_data, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_nobody_can_say_is_refused_by_name, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(answers_have_ids_that_do_not_change, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(of_too_many_answers_the_first_are_taken_and_all_are_counted, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(what_is_no_answer_has_no_activities, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
