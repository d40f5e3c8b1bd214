#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/bots/bot_activity.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "19:acsV1_x1@thread.v2"
#define A "8:acs:r_1"
#define B "8:acs:r_2"
#define BOT "8:acs:r_bot"
#define OTHER "8:acs:r_other"
#define NOW 1767323049123
#define PERSON(id, name)                                                                                               \
    { .user_id = BYTES_LITERAL(id), .display_name = BYTES_LITERAL(name) }
#define CONVERSATION "\"conversation\":{\"id\":\"" T "\",\"isGroup\":true,\"name\":\"Topic\"}"
#define RECIPIENT "\"recipient\":{\"id\":\"" BOT "\",\"name\":\"Bot\",\"role\":\"bot\"}"
#define ADDRESSED                                                                                                      \
    "\"serviceUrl\":\"https://chat.example\",\"channelId\":\"weft\",\"from\":{\"id\":\"" A                             \
    "\",\"name\":\"Ann\",\"role\":\"user\"}," CONVERSATION "," RECIPIENT ",\"deliveryMode\":\"normal\""

static const uint8_t KEY[ID_HASH_KEY_BYTES] = {1, 2, 3};
static struct participant people[] = {PERSON(A, "Ann"), PERSON(B, "Bob"), PERSON(BOT, "Bot")};
static const struct bot bots[] = {
    {.name = BYTES_LITERAL("mine"), .user_id = BYTES_LITERAL(BOT), .display_name = BYTES_LITERAL("Bot")},
    {.name = BYTES_LITERAL("other"), .user_id = BYTES_LITERAL(OTHER)}};

static struct change change_of(enum change_kind kind) {
    return (struct change){.kind = kind,
                           .thread_id = BYTES_LITERAL(T),
                           .offset = 7,
                           .time_ms = NOW,
                           .actor_id = BYTES_LITERAL(A),
                           .message = {.id = 1767323049123,
                                       .sequence = 5,
                                       .type = MESSAGE_TEXT,
                                       .actor_id = BYTES_LITERAL(A),
                                       .display_name = BYTES_LITERAL("Ann"),
                                       .content = BYTES_LITERAL("hi")},
                           .participants = {people + 1, 1},
                           .properties = {.topic = BYTES_LITERAL("Topic")}};
}

static struct bot_telling telling_of(const struct event_source *source) {
    return (struct bot_telling){.bot = &bots[0],
                                .all = bots,
                                .all_count = COUNT(bots),
                                .source = source,
                                .service_url = BYTES_LITERAL("https://chat.example")};
}

static struct event_source source_of(const struct change *change) {
    return (struct event_source){.change = change, .members = people, .members_count = COUNT(people), .key = KEY};
}

static void a_message_is_told_as_the_connector_does(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = source_of(&change);
    struct bot_telling telling = telling_of(&source);
    assert_true(bot_is_told(&telling));
    assert_text(json_text_take(*state, bot_activity_make(&telling, *state)),
                "{\"type\":\"message\",\"id\":\"1767323049123\",\"timestamp\":\"2026-01-02T03:04:09.123Z\"," ADDRESSED
                ",\"text\":\"hi\",\"textFormat\":\"plain\","
                "\"channelData\":{\"offset\":\"7\",\"sequenceId\":\"5\"}}");
}

static void each_change_has_its_type(void **state) {
    static const struct {
        enum change_kind kind;
        const char *type, *member;
    } cases[] = {
        {CHANGE_MESSAGE_EDITED, "messageUpdate", "text"},
        {CHANGE_MESSAGE_DELETED, "messageDelete", "id"},
        {CHANGE_THREAD_CREATED, "conversationUpdate", "membersAdded"},
        {CHANGE_PARTICIPANTS_ADDED, "conversationUpdate", "membersAdded"},
        {CHANGE_PARTICIPANTS_REMOVED, "conversationUpdate", "membersRemoved"},
        {CHANGE_THREAD_UPDATED, "conversationUpdate", "topicName"},
        {CHANGE_THREAD_DELETED, "endOfConversation", "code"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct change change = change_of(cases[i].kind);
        struct event_source source = source_of(&change);
        struct bot_telling telling = telling_of(&source);
        assert_true(bot_is_told(&telling));
        json_t *activity = bot_activity_make(&telling, *state);
        assert_string_equal(json_string_value(json_object_get(activity, "type")), cases[i].type);
        assert_non_null(json_object_get(activity, cases[i].member));
        json_decref(activity);
    }
}

static void what_a_bot_or_the_system_wrote_is_not_told(void **state) {
    static const struct {
        enum change_kind kind;
        const char *actor;
        enum message_type type;
        bool is_told;
    } cases[] = {
        {CHANGE_MESSAGE_RECEIVED, A, MESSAGE_HTML, true},
        {CHANGE_MESSAGE_RECEIVED, BOT, MESSAGE_TEXT, false},
        {CHANGE_MESSAGE_RECEIVED, OTHER, MESSAGE_TEXT, false},
        {CHANGE_MESSAGE_RECEIVED, A, MESSAGE_TOPIC_UPDATED, false},
        {CHANGE_PARTICIPANTS_ADDED, BOT, MESSAGE_TEXT, false},
        {CHANGE_PARTICIPANTS_ADDED, OTHER, MESSAGE_TEXT, true},
        {CHANGE_TYPING, A, MESSAGE_TEXT, false},
        {CHANGE_RECEIPTS, A, MESSAGE_TEXT, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct change change = change_of(cases[i].kind);
        struct event_source source = source_of(&change);
        struct bot_telling telling = telling_of(&source);
        change.actor_id = change.message.actor_id = bytes_of_text(cases[i].actor);
        change.message.type = cases[i].type;
        assert_int_equal(bot_is_told(&telling), cases[i].is_told);
    }
}

static void who_is_not_in_the_thread_is_not_told(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = source_of(&change);
    struct bot_telling telling = telling_of(&source);
    (void)state;
    source.members_count = 2;
    assert_false(bot_is_told(&telling));
}

static void an_activity_has_the_same_id_again_and_another_for_each_bot_and_change(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = source_of(&change);
    struct bot_telling telling = telling_of(&source);
    char first[37], again[37], other[37], later[37];
    bot_telling_id(&telling, *state, first);
    bot_telling_id(&telling, *state, again);
    telling.bot = &bots[1];
    bot_telling_id(&telling, *state, other);
    telling.bot = &bots[0];
    change.offset = 8;
    bot_telling_id(&telling, *state, later);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_string_not_equal(first, later);
}

static void who_is_typing_is_told_to_bots_that_want_it(void **state) {
    struct typing_notice typing[] = {{BYTES_LITERAL(A), BYTES_LITERAL("Ann"), NOW},
                                     {BYTES_LITERAL(BOT), BYTES_LITERAL("Bot"), NOW}};
    struct change change = change_of(CHANGE_TYPING);
    struct event_source source = source_of(&change);
    struct bot_telling telling = telling_of(&source);
    struct bot curious = bots[0];
    char one[37], other[37];
    change.offset = 0;
    change.typing = typing;
    change.typing_count = COUNT(typing);
    assert_int_equal(bot_activities_count(&telling), 0);
    curious.wants_typing = true;
    telling.bot = &curious;
    assert_int_equal(bot_activities_count(&telling), 2);
    assert_true(bot_is_told(&telling));
    json_t *activity = bot_activity_make(&telling, *state);
    assert_string_equal(json_string_value(json_object_get(activity, "type")), "typing");
    assert_string_equal(json_string_value(json_object_get(json_object_get(activity, "from"), "id")), A);
    json_decref(activity);
    bot_telling_id(&telling, *state, one);
    telling.number = 1;
    bot_telling_id(&telling, *state, other);
    assert_string_not_equal(one, other);
    assert_false(bot_is_told(&telling));
}

static void what_nobody_did_comes_from_the_conversation(void **state) {
    struct change change = change_of(CHANGE_THREAD_DELETED);
    struct event_source source = source_of(&change);
    struct bot_telling telling = telling_of(&source);
    change.actor_id = BYTES_ABSENT;
    change.reason = BYTES_LITERAL("deletedByPolicy");
    assert_true(bot_is_told(&telling));
    json_t *activity = bot_activity_make(&telling, *state);
    assert_string_equal(json_string_value(json_object_get(json_object_get(activity, "from"), "id")), T);
    assert_string_equal(json_string_value(json_object_get(json_object_get(activity, "channelData"), "reason")),
                        "deletedByPolicy");
    json_decref(activity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_told_as_the_connector_does, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(each_change_has_its_type, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_a_bot_or_the_system_wrote_is_not_told, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(who_is_not_in_the_thread_is_not_told, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(an_activity_has_the_same_id_again_and_another_for_each_bot_and_change,
                                        open_arena, close_arena),
        cmocka_unit_test_setup_teardown(who_is_typing_is_told_to_bots_that_want_it, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_nobody_did_comes_from_the_conversation, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
