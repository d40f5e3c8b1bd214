#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/event_json.h"
#include "proto/identifier_json.h"
#include "proto/json_tree.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "19:acsV1_x1@thread.v2"
#define A "8:acs:r_1"
#define B "8:acs:r_2"
#define C "8:acs:r_3"
#define BOT "28:orgid:b"
#define NOW 1767323049123
#define PERSON(id, name)                                                                                               \
    { .user_id = BYTES_LITERAL(id), .display_name = BYTES_LITERAL(name) }

static const uint8_t KEY[ID_HASH_KEY_BYTES] = {1, 2, 3};
static struct participant people[] = {PERSON(A, "Ann"), PERSON(B, "Bob"), PERSON(C, "Cid"), PERSON(BOT, "Bot")};

static struct change change_of(enum change_kind kind) {
    return (struct change){.kind = kind,
                           .thread_id = BYTES_LITERAL(T),
                           .offset = 7,
                           .version = 1767323060456,
                           .time_ms = NOW,
                           .actor_id = BYTES_LITERAL(A),
                           .message = {.id = 1767323049123,
                                       .version = 1767323060456,
                                       .type = MESSAGE_TEXT,
                                       .created_ms = NOW - 1000,
                                       .edited_ms = NOW,
                                       .deleted_ms = NOW,
                                       .actor_id = BYTES_LITERAL(A),
                                       .display_name = BYTES_LITERAL("Ann"),
                                       .content = BYTES_LITERAL("hi")},
                           .properties = {.topic = BYTES_LITERAL("Topic")}};
}

static struct event_source source_of(const struct change *change, size_t members) {
    return (struct event_source){
        .change = change, .members = people, .members_count = members, .thread_created_ms = NOW - 60000, .key = KEY};
}

/* What a change gives: types without prefix and subjects, a line each. */
static struct bytes listed(struct arena *arena, const struct event_source *source) {
    struct bytes all = BYTES_LITERAL("");
    for (size_t i = 0; i < server_events_count(source); i++) {
        struct server_event event;
        server_event_make(source, i, arena, &event);
        all = arena_printf(arena, "%.*s%s %.*s\n", BYTES_ARG(all),
                           event_type_name(event.type) + strlen(EVENT_TYPE_PREFIX), BYTES_ARG(event.subject));
        server_event_close(&event);
    }
    return all;
}

static void each_change_is_told_of_the_thread_and_to_each_but_its_author(void **state) {
    static const struct {
        enum change_kind kind;
        const char *expected;
    } cases[] = {
        {CHANGE_MESSAGE_RECEIVED, "ChatMessageReceivedInThread thread/" T "/sender/" A "\n"
                                  "ChatMessageReceived thread/" T "/sender/" A "/recipient/" B "\n"
                                  "ChatMessageReceived thread/" T "/sender/" A "/recipient/" C "\n"},
        {CHANGE_MESSAGE_EDITED, "ChatMessageEditedInThread thread/" T "/sender/" A "\n"
                                "ChatMessageEdited thread/" T "/sender/" A "/recipient/" B "\n"
                                "ChatMessageEdited thread/" T "/sender/" A "/recipient/" C "\n"},
        {CHANGE_MESSAGE_DELETED, "ChatMessageDeletedInThread thread/" T "/sender/" A "\n"
                                 "ChatMessageDeleted thread/" T "/sender/" A "/recipient/" B "\n"
                                 "ChatMessageDeleted thread/" T "/sender/" A "/recipient/" C "\n"},
        {CHANGE_THREAD_CREATED, "ChatThreadCreated thread/" T "/createdBy/" A "\n"
                                "ChatThreadCreatedWithUser thread/" T "/createdBy/" A "/recipient/" B "\n"
                                "ChatThreadCreatedWithUser thread/" T "/createdBy/" A "/recipient/" C "\n"},
        {CHANGE_THREAD_UPDATED, "ChatThreadPropertiesUpdated thread/" T "/editedBy/" A "\n"
                                "ChatThreadPropertiesUpdatedPerUser thread/" T "/editedBy/" A "/recipient/" B "\n"
                                "ChatThreadPropertiesUpdatedPerUser thread/" T "/editedBy/" A "/recipient/" C "\n"},
        {CHANGE_THREAD_DELETED, "ChatThreadDeleted thread/" T "/deletedBy/" A "\n"
                                "ChatThreadWithUserDeleted thread/" T "/deletedBy/" A "/recipient/" B "\n"
                                "ChatThreadWithUserDeleted thread/" T "/deletedBy/" A "/recipient/" C "\n"},
        {CHANGE_RECEIPTS, ""},
        {CHANGE_USER_JOINED, ""},
        {CHANGE_USER_REVOKED, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct change change = change_of(cases[i].kind);
        struct event_source source = source_of(&change, 3);
        assert_text(listed(*state, &source), cases[i].expected);
    }
}

static void participants_are_told_of_one_by_one(void **state) {
    struct change change = change_of(CHANGE_PARTICIPANTS_ADDED);
    change.participants = (struct participants){people + 1, 2};
    struct event_source source = source_of(&change, 3);
    assert_text(listed(*state, &source),
                "ChatThreadParticipantAdded thread/" T "/participantadded/" B "\n"
                "ChatParticipantAddedToThreadWithUser thread/" T "/participantAdded/" B "/recipient/" B "\n"
                "ChatParticipantAddedToThreadWithUser thread/" T "/participantAdded/" B "/recipient/" C "\n"
                "ChatThreadParticipantAdded thread/" T "/participantadded/" C "\n"
                "ChatParticipantAddedToThreadWithUser thread/" T "/participantAdded/" C "/recipient/" B "\n"
                "ChatParticipantAddedToThreadWithUser thread/" T "/participantAdded/" C "/recipient/" C "\n");
}

static void who_is_removed_is_told_and_who_leaves_is_not(void **state) {
    struct change change = change_of(CHANGE_PARTICIPANTS_REMOVED);
    change.participants = (struct participants){people + 1, 1};
    struct event_source source = source_of(&change, 3);
    assert_text(listed(*state, &source),
                "ChatThreadParticipantRemoved thread/" T "/participantremoved/" B "\n"
                "ChatParticipantRemovedFromThreadWithUser thread/" T "/participantRemoved/" B "/recipient/" B "\n"
                "ChatParticipantRemovedFromThreadWithUser thread/" T "/participantRemoved/" B "/recipient/" C "\n");
    change.actor_id = BYTES_LITERAL(B);
    assert_text(listed(*state, &source),
                "ChatThreadParticipantRemoved thread/" T "/participantremoved/" B "\n"
                "ChatParticipantRemovedFromThreadWithUser thread/" T "/participantRemoved/" B "/recipient/" A "\n"
                "ChatParticipantRemovedFromThreadWithUser thread/" T "/participantRemoved/" B "/recipient/" C "\n");
}

static void a_system_message_is_no_event(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = source_of(&change, 3);
    change.message.type = MESSAGE_TOPIC_UPDATED;
    assert_text(listed(*state, &source), "");
}

static void a_message_beside_a_bot_is_a_command_too(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = {.change = &change, .members = people + 2, .members_count = 2, .key = KEY};
    assert_text(listed(*state, &source), "ChatMessageReceivedInThread thread/" T "/sender/" A "\n"
                                         "ChatAzureBotCommandReceivedInThread thread/" T "/sender/" A "\n"
                                         "ChatMessageReceived thread/" T "/sender/" A "/recipient/" C "\n"
                                         "ChatMessageReceived thread/" T "/sender/" A "/recipient/" BOT "\n");
    people[3].user_id = BYTES_LITERAL("28:b");
    assert_non_null(strstr(arena_text(*state, listed(*state, &source)), "ChatAzureBotCommandReceivedInThread"));
    people[3].user_id = BYTES_LITERAL(BOT);
    change.actor_id = change.message.actor_id = BYTES_LITERAL(BOT);
    assert_text(listed(*state, &source), "ChatMessageReceivedInThread thread/" T "/sender/" BOT "\n"
                                         "ChatMessageReceived thread/" T "/sender/" BOT "/recipient/" C "\n");
}

static void each_who_types_is_told_to_the_others(void **state) {
    struct typing_notice typing[] = {{BYTES_LITERAL(A), BYTES_LITERAL("Ann"), NOW},
                                     {BYTES_LITERAL(B), BYTES_LITERAL("Bob"), NOW}};
    struct change change = change_of(CHANGE_TYPING);
    change.typing = typing;
    change.typing_count = 2;
    change.offset = 0;
    struct event_source source = source_of(&change, 2);
    assert_text(listed(*state, &source),
                "ChatTypingIndicatorReceivedInThread thread/" T "/sender/" A "/recipient/" B "\n"
                "ChatTypingIndicatorReceivedInThread thread/" T "/sender/" B "/recipient/" A "\n");
}

static void a_deletion_by_policy_has_no_actor(void **state) {
    struct change change = change_of(CHANGE_THREAD_DELETED);
    struct event_source source = source_of(&change, 1);
    struct server_event event;
    change.actor_id = BYTES_ABSENT;
    change.reason = BYTES_LITERAL("deletedByPolicy");
    assert_text(listed(*state, &source), "ChatThreadDeleted thread/" T "/deletedBy/system\n"
                                         "ChatThreadWithUserDeleted thread/" T "/deletedBy/system/recipient/" A "\n");
    server_event_make(&source, 1, *state, &event);
    assert_null(json_object_get(event.data, "deletedByCommunicationIdentifier"));
    assert_null(json_object_get(event.data, "deletedBy"));
    assert_string_equal(json_string_value(json_object_get(event.data, "reason")), "deletedByPolicy");
    server_event_close(&event);
}

static struct bytes text_of(struct arena *arena, const struct event_source *source, size_t number,
                            enum event_schema schema) {
    struct server_event event;
    server_event_make(source, number, arena, &event);
    struct bytes text = json_text_take(arena, server_event_envelope(&event, schema, BYTES_LITERAL("/topic")));
    server_event_close(&event);
    return text;
}

#define CID(id) "{\"rawId\":\"" id "\",\"communicationUser\":{\"id\":\"" id "\"}}"

static void an_event_has_the_members_of_the_contract(void **state) {
    struct change change = change_of(CHANGE_MESSAGE_RECEIVED);
    struct event_source source = source_of(&change, 2);
    assert_text(text_of(*state, &source, 1, EVENT_SCHEMA_EVENT_GRID),
                "{\"id\":\"8481b3b6-8391-49ed-a6c2-f9e4907cf3b8\",\"topic\":\"/topic\",\"subject\":\"thread/" T
                "/sender/" A "/recipient/" B
                "\",\"eventType\":\"Microsoft.Communication.ChatMessageReceived\",\"eventTime\":"
                "\"2026-01-02T03:04:09.123Z\",\"dataVersion\":\"1.0\",\"metadataVersion\":\"1\",\"data\":{"
                "\"transactionId\":\"y1ILhR8iXWG3lmnNxdC0LQ.1.1\",\"threadId\":\"" T
                "\",\"messageId\":\"1767323049123\",\"senderCommunicationIdentifier\":" CID(
                    A) ",\"senderDisplayName\":\"Ann\",\"composeTime\":\"2026-01-02T03:04:08.123Z\",\"type\":\"Text\","
                       "\"version\":1767323060456,\"senderId\":\"" A
                       "\",\"messageBody\":\"hi\",\"metadata\":{},\"recipientCommunicationIdentifier\":" CID(
                           B) ",\"recipientId\":\"" B "\"}}");
}

static void assert_names(const json_t *data, const char *member, struct bytes raw_id) {
    json_t *expected = identifier_to_json(raw_id);
    assert_true(json_equal(json_object_get(data, member), expected));
    json_decref(expected);
}

static void people_of_every_kind_are_named_alike_in_both_schemas(void **state) {
    static const char *const raw_ids[] = {"8:acs:r_9", "8:orgid:u",   "8:dod:u",    "8:gcch:u", "8:teamsvisitor:u",
                                          "4:+1555",   "4:anonymous", "28:orgid:b", "28:b",     "8:acs:r_t_u",
                                          "48:x"};
    for (size_t i = 0; i < COUNT(raw_ids) * 2; i++) {
        struct bytes raw_id = bytes_of_text(raw_ids[i / 2]);
        struct participant members[] = {{.user_id = raw_id}, PERSON(A, "Ann")};
        struct change change = change_of(CHANGE_PARTICIPANTS_ADDED);
        struct event_source source = source_of(&change, 2);
        struct server_event event;
        change.actor_id = raw_id;
        change.participants = (struct participants){members, 1};
        source.members = members;
        server_event_make(&source, 0, *state, &event);
        json_t *envelope = server_event_envelope(
            &event, i % 2 == 0 ? EVENT_SCHEMA_EVENT_GRID : EVENT_SCHEMA_CLOUD_EVENTS, BYTES_LITERAL("/topic"));
        const json_t *data = json_object_get(envelope, "data");
        assert_names(data, "addedByCommunicationIdentifier", raw_id);
        assert_names(json_object_get(data, "participantAdded"), "participantCommunicationIdentifier", raw_id);
        json_decref(envelope);
        server_event_close(&event);
    }
}

static void ids_are_the_same_again_and_no_two_are(void **state) {
    struct change change = change_of(CHANGE_PARTICIPANTS_ADDED);
    change.participants = (struct participants){people + 1, 3};
    struct event_source source = source_of(&change, 4);
    size_t count = server_events_count(&source);
    struct server_event events[24];
    assert_int_equal(count, 12);
    for (size_t i = 0; i < 2 * count; i++) {
        change.offset = 7 + i / count;
        server_event_make(&source, i % count, *state, &events[i]);
        struct server_event again;
        server_event_make(&source, i % count, *state, &again);
        assert_string_equal(events[i].id, again.id);
        assert_true(json_equal(events[i].data, again.data));
        server_event_close(&again);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(events[i].id, events[j].id);
        bool is_same_operation = json_equal(json_object_get(events[i].data, "transactionId"),
                                            json_object_get(events[0].data, "transactionId"));
        assert_int_equal(is_same_operation, i < count);
    }
    for (size_t i = 0; i < 2 * count; i++)
        server_event_close(&events[i]);
}

static void types_are_found_by_either_name(void **state) {
    enum event_type type;
    (void)state;
    assert_true(event_type_find(BYTES_LITERAL("ChatThreadDeleted"), &type));
    assert_int_equal(type, EVENT_TYPE_THREAD_DELETED);
    assert_true(event_type_find(BYTES_LITERAL("microsoft.communication.chatmessageedited"), &type));
    assert_int_equal(type, EVENT_TYPE_MESSAGE_EDITED);
    assert_false(event_type_find(BYTES_LITERAL("ChatThread"), &type));
    assert_false(event_type_find(BYTES_LITERAL(""), &type));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_change_is_told_of_the_thread_and_to_each_but_its_author),
        TEST(participants_are_told_of_one_by_one),
        TEST(who_is_removed_is_told_and_who_leaves_is_not),
        TEST(a_system_message_is_no_event),
        TEST(a_message_beside_a_bot_is_a_command_too),
        TEST(each_who_types_is_told_to_the_others),
        TEST(a_deletion_by_policy_has_no_actor),
        TEST(an_event_has_the_members_of_the_contract),
        TEST(people_of_every_kind_are_named_alike_in_both_schemas),
        TEST(ids_are_the_same_again_and_no_two_are),
        TEST(types_are_found_by_either_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
