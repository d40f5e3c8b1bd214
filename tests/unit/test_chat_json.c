#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>

#include "proto/buffer.h"
#include "proto/chat_json.h"
#include "proto/identifier_json.h"
#include "proto/limits.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RESOURCE "11111111-2222-3333-4444-555555555555"
#define U1 "8:acs:" RESOURCE "_00000010-aaaa-bbbb-cccc-000000000001"
#define U2 "8:acs:" RESOURCE "_00000010-aaaa-bbbb-cccc-000000000002"
#define CID(id) "{\"rawId\":\"" id "\",\"communicationUser\":{\"id\":\"" id "\"}}"
#define THREAD "19:acsV1_x1@thread.v2"

/* What lies in an arena ends with a NUL. */
static bool contains(struct bytes text, const char *part) {
    return strstr((const char *)text.data, part) != NULL;
}

/* A text of `size` times `c`, as JSON needs it nowhere escaped. */
static char *repeat(struct arena *arena, char c, size_t size) {
    char *text = arena_alloc(arena, size + 1);
    memset(text, c, size);
    return text;
}

/* Each kind of body, so that one table of refusals serves all. */
enum body_kind { CREATE, UPDATE, SEND, EDIT, ADD, REMOVE, TYPING, RECEIPT };

static int parse(struct arena *arena, enum body_kind kind, struct bytes body, struct problem *problem) {
    struct create_thread_request create;
    struct update_thread_request update;
    struct send_message_request send;
    struct update_message_request edit;
    struct participants participants;
    struct bytes text;
    uint64_t id;
    switch (kind) {
    case CREATE:
        return create_thread_request_parse(arena, body, &create, problem);
    case UPDATE:
        return update_thread_request_parse(arena, body, &update, problem);
    case SEND:
        return send_message_request_parse(arena, body, LIMIT_MESSAGE_BYTES_MAX, &send, problem);
    case EDIT:
        return update_message_request_parse(arena, body, LIMIT_MESSAGE_BYTES_MAX, &edit, problem);
    case ADD:
        return add_participants_request_parse(arena, body, &participants, problem);
    case REMOVE:
        return remove_participant_request_parse(arena, body, &text, problem);
    case TYPING:
        return typing_request_parse(arena, body, &text, problem);
    case RECEIPT:
        return read_receipt_request_parse(arena, body, &id, problem);
    }
    return -1;
}

struct refusal {
    enum body_kind kind;
    const char *body;
    int rc;
    const char *target; /* NULL: none */
    const char *part;   /* of the message */
};

static void assert_refused(struct arena *arena, const struct refusal *row) {
    struct problem problem = {0};
    int rc = parse(arena, row->kind, bytes_of_text(row->body), &problem);
    if (rc != row->rc || problem.rc != row->rc)
        fail_msg("%s: got %d instead of %d", row->body, rc, row->rc);
    if (row->target == NULL ? bytes_is_present(problem.target) : !bytes_equal_text(problem.target, row->target))
        fail_msg("%s: target %.*s", row->body, BYTES_ARG(problem.target));
    if (!contains(problem.message, row->part))
        fail_msg("%s: message %.*s", row->body, BYTES_ARG(problem.message));
}

static void what_is_no_json_object_is_refused_everywhere(void **state) {
    const struct {
        const char *body;
        const char *part;
    } rows[] = {
        {"", "missing"},
        {"{", "not valid JSON"},
        {"[]", "must be a JSON object"},
        {"null", "not valid JSON"},
        {"{} {}", "not valid JSON"},
        {"{\"a\":\"\xff\"}", "not valid JSON"},
        {"{\"a\":99999999999999999999}", "not valid JSON"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "nested deeper than 32"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int kind = CREATE; kind <= RECEIPT; kind++) {
            if (kind == TYPING && rows[i].body[0] == '\0')
                continue;
            assert_refused(
                *state, &(struct refusal){(enum body_kind)kind, rows[i].body, STATUS_BAD_REQUEST, NULL, rows[i].part});
        }
    }
}

static void brackets_inside_strings_do_not_count_as_depth(void **state) {
    struct problem problem;
    const char *body = "{\"content\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}";
    assert_int_equal(parse(*state, SEND, bytes_of_text(body), &problem), 0);
}

static void refusals_name_field_limit_and_value(void **state) {
    const struct refusal rows[] = {
        {CREATE, "{}", STATUS_VALIDATION_ERROR, "topic", "required"},
        {CREATE, "{\"topic\":null}", STATUS_VALIDATION_ERROR, "topic", "required"},
        {CREATE, "{\"topic\":\"\"}", STATUS_VALIDATION_ERROR, "topic", "empty"},
        {CREATE, "{\"topic\":7}", STATUS_VALIDATION_ERROR, "topic", "must be a string, not a number"},
        {CREATE, "{\"topic\":\"t\",\"participants\":{}}", STATUS_VALIDATION_ERROR, "participants", "not an object"},
        {CREATE, "{\"topic\":\"t\",\"participants\":[7]}", STATUS_VALIDATION_ERROR, "participants", "not a number"},
        {CREATE, "{\"topic\":\"t\",\"participants\":[{}]}", STATUS_VALIDATION_ERROR, "communicationIdentifier",
         "required"},
        {CREATE, "{\"topic\":\"t\",\"metadata\":[]}", STATUS_VALIDATION_ERROR, "metadata", "not an array"},
        {CREATE, "{\"topic\":\"t\",\"metadata\":{\"k\":1}}", STATUS_VALIDATION_ERROR, "metadata", "\"k\" is a number"},
        {CREATE, "{\"topic\":\"t\",\"retentionPolicy\":\"none\"}", STATUS_VALIDATION_ERROR, "retentionPolicy",
         "not a string"},
        {CREATE, "{\"topic\":\"t\",\"retentionPolicy\":{}}", STATUS_VALIDATION_ERROR, "kind", "required"},
        {CREATE, "{\"topic\":\"t\",\"retentionPolicy\":{\"kind\":\"x\"}}", STATUS_VALIDATION_ERROR, "retentionPolicy",
         "not \"x\""},
        {CREATE, "{\"topic\":\"t\",\"retentionPolicy\":{\"kind\":\"threadCreationDate\"}}", STATUS_VALIDATION_ERROR,
         "deleteThreadAfterDays", "required"},
        {CREATE, "{\"topic\":\"t\",\"retentionPolicy\":{\"kind\":\"threadCreationDate\",\"deleteThreadAfterDays\":29}}",
         STATUS_VALIDATION_ERROR, "deleteThreadAfterDays", "is 29; it must be between 30 and 90"},
        {UPDATE, "{\"retentionPolicy\":{\"kind\":\"threadCreationDate\",\"deleteThreadAfterDays\":91}}",
         STATUS_VALIDATION_ERROR, "deleteThreadAfterDays", "is 91"},
        {UPDATE, "{\"retentionPolicy\":{\"kind\":\"threadCreationDate\",\"deleteThreadAfterDays\":30.5}}",
         STATUS_VALIDATION_ERROR, "deleteThreadAfterDays", "whole number, not a fraction"},
        {UPDATE, "{\"topic\":\"\"}", STATUS_VALIDATION_ERROR, "topic", "empty"},
        {UPDATE, "{\"topic\":[]}", STATUS_VALIDATION_ERROR, "topic", "not an array"},
        {SEND, "{}", STATUS_VALIDATION_ERROR, "content", "required"},
        {SEND, "{\"content\":{\"message\":\"x\"}}", STATUS_VALIDATION_ERROR, "content", "not an object"},
        {SEND, "{\"content\":7}", STATUS_VALIDATION_ERROR, "content", "not a number"},
        {SEND, "{\"content\":true}", STATUS_VALIDATION_ERROR, "content", "not a boolean"},
        {SEND, "{\"content\":\"x\",\"type\":\"topicUpdated\"}", STATUS_VALIDATION_ERROR, "type",
         "not \"topicUpdated\""},
        {SEND, "{\"content\":\"x\",\"type\":\"participantAdded\"}", STATUS_VALIDATION_ERROR, "type", "\"text\""},
        {SEND, "{\"content\":\"x\",\"type\":7}", STATUS_VALIDATION_ERROR, "type", "not a number"},
        {SEND, "{\"content\":\"x\",\"senderDisplayName\":7}", STATUS_VALIDATION_ERROR, "senderDisplayName",
         "not a number"},
        {SEND, "{\"content\":\"x\",\"metadata\":{\"k\":{}}}", STATUS_VALIDATION_ERROR, "metadata", "an object"},
        {EDIT, "{\"content\":[]}", STATUS_VALIDATION_ERROR, "content", "not an array"},
        {ADD, "{}", STATUS_VALIDATION_ERROR, "participants", "at least one"},
        {ADD, "{\"participants\":[]}", STATUS_VALIDATION_ERROR, "participants", "at least one"},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":" CID(U1) ",\"displayName\":1}]}",
         STATUS_VALIDATION_ERROR, "displayName", "not a number"},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":" CID(U1) ",\"shareHistoryTime\":\"yesterday\"}]}",
         STATUS_VALIDATION_ERROR, "shareHistoryTime", "\"yesterday\""},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":\"" U1 "\"}]}", STATUS_VALIDATION_ERROR,
         "communicationIdentifier", "not a string"},
        {TYPING, "{\"senderDisplayName\":{}}", STATUS_VALIDATION_ERROR, "senderDisplayName", "not an object"},
        {RECEIPT, "{}", STATUS_VALIDATION_ERROR, "chatMessageId", "required"},
        {RECEIPT, "{\"chatMessageId\":17}", STATUS_VALIDATION_ERROR, "chatMessageId", "not a number"},
        {RECEIPT, "{\"chatMessageId\":\"x1\"}", STATUS_VALIDATION_ERROR, "chatMessageId",
         "Value for MessageId (x1) is not valid."},
        {RECEIPT, "{\"chatMessageId\":\"99999999999999999999\"}", STATUS_VALIDATION_ERROR, "chatMessageId",
         "not valid"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_refused(*state, &rows[i]);
}

static void sizes_are_bounded_and_the_bound_itself_is_allowed(void **state) {
    const struct {
        enum body_kind kind;
        const char *before;
        size_t size_max;
        const char *after;
        int rc;
        const char *target;
    } rows[] = {
        {CREATE, "{\"topic\":\"", 1024, "\"}", STATUS_VALIDATION_ERROR, "topic"},
        {UPDATE, "{\"topic\":\"", 1024, "\"}", STATUS_VALIDATION_ERROR, "topic"},
        {CREATE, "{\"topic\":\"t\",\"metadata\":{\"key\":\"", 1021, "\"}}", STATUS_VALIDATION_ERROR, "metadata"},
        {UPDATE, "{\"metadata\":{\"", 1023, "\":\"x\"}}", STATUS_VALIDATION_ERROR, "metadata"},
        {SEND, "{\"content\":\"", 28672, "\"}", STATUS_REQUEST_ENTITY_TOO_LARGE, "content"},
        {EDIT, "{\"content\":\"", 28672, "\"}", STATUS_REQUEST_ENTITY_TOO_LARGE, "content"},
        {SEND, "{\"content\":\"x\",\"metadata\":{\"k\":\"", 28672 + 1024 - 2, "\"}}", STATUS_REQUEST_ENTITY_TOO_LARGE,
         "metadata"},
        {SEND, "{\"content\":\"x\",\"senderDisplayName\":\"", 1024, "\"}", STATUS_VALIDATION_ERROR,
         "senderDisplayName"},
        {TYPING, "{\"senderDisplayName\":\"", 1024, "\"}", STATUS_VALIDATION_ERROR, "senderDisplayName"},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":" CID(U1) ",\"displayName\":\"", 1024, "\"}]}",
         STATUS_VALIDATION_ERROR, "displayName"},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":" CID(U1) ",\"metadata\":{\"k\":\"", 1023, "\"}}]}",
         STATUS_VALIDATION_ERROR, "metadata"},
        {REMOVE, "{\"rawId\":\"8:spool:", 256 - 8, "\"}", STATUS_VALIDATION_ERROR, "rawId"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct problem problem;
        struct bytes fits =
            arena_printf(*state, "%s%s%s", rows[i].before, repeat(*state, 'x', rows[i].size_max), rows[i].after);
        assert_int_equal(parse(*state, rows[i].kind, fits, &problem), 0);
        struct bytes exceeds =
            arena_printf(*state, "%s%s%s", rows[i].before, repeat(*state, 'x', rows[i].size_max + 1), rows[i].after);
        assert_int_equal(parse(*state, rows[i].kind, exceeds, &problem), rows[i].rc);
        assert_text(problem.target, rows[i].target);
    }
}

static void a_refused_message_names_limit_and_size(void **state) {
    struct send_message_request request;
    struct problem problem;
    struct bytes body = bytes_of_text("{\"content\":\"\xe2\x98\x95\xe2\x98\x95\"}");
    assert_int_equal(send_message_request_parse(*state, body, 5, &request, &problem), STATUS_REQUEST_ENTITY_TOO_LARGE);
    assert_text(problem.message, "content has 6 bytes; at most 5 are allowed.");
    assert_int_equal(send_message_request_parse(*state, body, 6, &request, &problem), 0);
}

static struct bytes participants_body(struct arena *arena, size_t count) {
    struct buffer out;
    buffer_init(&out);
    buffer_append_text(&out, "{\"topic\":\"t\",\"participants\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&out, "%s{\"communicationIdentifier\":{\"communicationUser\":{\"id\":\"8:acs:r_%zu\"}}}",
                      i == 0 ? "" : ",", i);
    buffer_append_text(&out, "]}");
    struct bytes body = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return body;
}

static void participants_are_counted(void **state) {
    struct problem problem;
    assert_int_equal(parse(*state, CREATE, participants_body(*state, 250), &problem), 0);
    assert_int_equal(parse(*state, CREATE, participants_body(*state, 251), &problem), STATUS_VALIDATION_ERROR);
    assert_text(problem.message, "participants has 251 items; at most 250 are allowed in one call.");
    assert_int_equal(parse(*state, ADD, participants_body(*state, 200), &problem), 0);
    assert_int_equal(parse(*state, ADD, participants_body(*state, 201), &problem), STATUS_VALIDATION_ERROR);
    assert_text(problem.message, "participants has 201 items; at most 200 are allowed in one call.");
}

static void a_creation_is_read_whole(void **state) {
    struct create_thread_request request;
    struct problem problem;
    struct bytes body = bytes_of_text(
        "{\"topic\":\"100% coffee – café ☕\",\"unknown\":[1.5],\"participants\":[{\"communicationIdentifier\":" CID(
            U1) ",\"displayName\":\"Alice\",\"shareHistoryTime\":\"2020-09-13T12:26:40.123Z\",\"metadata\":{\"role\":"
                "\"x\",\"none\":null}},{\"communicationIdentifier\":" CID(U2) ",\"displayName\":null}],"
                                                                              "\"metadata\":{\"k\":\"v%20\","
                                                                              "\"empty\":\"\"},\"retentionPolicy\":{"
                                                                              "\"kind\":\"threadCreationDate\","
                                                                              "\"deleteThreadAfterDays\":40}}");
    assert_int_equal(create_thread_request_parse(*state, body, &request, &problem), 0);
    assert_text(request.topic, "100% coffee – café ☕");
    assert_int_equal(request.participants.count, 2);
    assert_text(request.participants.items[0].user_id, U1);
    assert_text(request.participants.items[0].display_name, "Alice");
    assert_true(request.participants.items[0].share_history_ms == 1600000000123);
    assert_int_equal(request.participants.items[0].metadata.count, 1);
    assert_text(request.participants.items[1].user_id, U2);
    assert_false(bytes_is_present(request.participants.items[1].display_name));
    assert_int_equal(request.participants.items[1].share_history_ms, 0);
    assert_false(request.participants.items[1].metadata.is_present);
    assert_int_equal(request.metadata.count, 2);
    assert_text(request.metadata.pairs[0].value, "v%20");
    assert_text(request.metadata.pairs[1].value, "");
    assert_int_equal(request.retention.kind, RETENTION_THREAD_CREATION_DATE);
    assert_int_equal(request.retention.days, 40);
}

static void nulls_in_a_creation_count_as_absent(void **state) {
    struct create_thread_request request;
    struct problem problem;
    struct bytes body =
        bytes_of_text("{\"topic\":\"t\",\"participants\":null,\"metadata\":null,\"retentionPolicy\":null}");
    assert_int_equal(create_thread_request_parse(*state, body, &request, &problem), 0);
    assert_int_equal(request.participants.count, 0);
    assert_false(request.metadata.is_present);
    assert_int_equal(request.retention.kind, RETENTION_NOT_GIVEN);
}

static void who_is_named_twice_is_taken_once_as_last_described(void **state) {
    struct participants participants;
    struct problem problem;
    struct bytes body = bytes_of_text("{\"participants\":[{\"communicationIdentifier\":" CID(
        U1) ",\"displayName\":\"old\"},{\"communicationIdentifier\":" CID(U2) "},{\"communicationIdentifier\":{"
                                                                              "\"communicationUser\":{\"id\":\"" U1
                                                                              "\"}},\"displayName\":\"new\"}]}");
    assert_int_equal(add_participants_request_parse(*state, body, &participants, &problem), 0);
    assert_int_equal(participants.count, 2);
    assert_text(participants.items[0].user_id, U1);
    assert_text(participants.items[0].display_name, "new");
}

static void history_from_before_the_epoch_is_all_history(void **state) {
    struct participants participants;
    struct problem problem;
    struct bytes body = bytes_of_text("{\"participants\":[{\"communicationIdentifier\":" CID(
        U1) ",\"shareHistoryTime\":\"0001-01-01T00:00:00+00:00\"}]}");
    assert_int_equal(add_participants_request_parse(*state, body, &participants, &problem), 0);
    assert_int_equal(participants.items[0].share_history_ms, 0);
}

static void a_thread_patch_tells_absent_from_null(void **state) {
    const struct {
        const char *body;
        bool has_topic;
        bool has_metadata, clears_metadata;
        size_t pairs;
        enum retention_kind retention;
    } rows[] = {
        {"{}", false, false, false, 0, RETENTION_NOT_GIVEN},
        {"{\"topic\":null}", false, false, false, 0, RETENTION_NOT_GIVEN},
        {"{\"topic\":\"t\"}", true, false, false, 0, RETENTION_NOT_GIVEN},
        {"{\"retentionPolicy\":null}", false, false, false, 0, RETENTION_NONE},
        {"{\"retentionPolicy\":{\"kind\":\"none\"}}", false, false, false, 0, RETENTION_NONE},
        {"{\"retentionPolicy\":{\"kind\":\"threadCreationDate\",\"deleteThreadAfterDays\":90}}", false, false, false, 0,
         RETENTION_THREAD_CREATION_DATE},
        {"{\"metadata\":null}", false, true, true, 0, RETENTION_NOT_GIVEN},
        {"{\"metadata\":{}}", false, true, false, 0, RETENTION_NOT_GIVEN},
        {"{\"metadata\":{\"a\":null,\"b\":\"\",\"c\":\"x\"}}", false, true, false, 3, RETENTION_NOT_GIVEN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct update_thread_request request;
        struct problem problem;
        assert_int_equal(update_thread_request_parse(*state, bytes_of_text(rows[i].body), &request, &problem), 0);
        assert_int_equal(bytes_is_present(request.topic), rows[i].has_topic);
        assert_int_equal(request.metadata.is_present, rows[i].has_metadata);
        assert_int_equal(request.metadata.is_cleared, rows[i].clears_metadata);
        assert_int_equal(request.metadata.count, rows[i].pairs);
        assert_int_equal(request.retention.kind, rows[i].retention);
    }
}

static void null_and_empty_values_in_a_patch_remove_their_keys(void **state) {
    struct update_message_request request;
    struct problem problem;
    struct bytes body = bytes_of_text("{\"metadata\":{\"a\":null,\"b\":\"\",\"c\":\"x\"}}");
    assert_int_equal(update_message_request_parse(*state, body, 100, &request, &problem), 0);
    assert_false(bytes_is_present(request.content));
    assert_int_equal(request.metadata.count, 3);
    assert_false(bytes_is_present(request.metadata.pairs[0].value));
    assert_false(bytes_is_present(request.metadata.pairs[1].value));
    assert_text(request.metadata.pairs[2].value, "x");
}

static void a_send_is_read_whole(void **state) {
    const struct {
        const char *body;
        const char *content, *display_name;
        enum message_type type;
        bool has_metadata;
    } rows[] = {
        {"{\"content\":\"hello: \\\"Bob\\\" \\u2713\",\"senderDisplayName\":\"Alice\",\"metadata\":{\"t\":\"x\"}}",
         "hello: \"Bob\" ✓", "Alice", MESSAGE_TEXT, true},
        {"{\"content\":\"\",\"type\":\"text\",\"metadata\":null}", "", "", MESSAGE_TEXT, false},
        {"{\"content\":\"<b>x</b>\",\"type\":\"html\",\"senderDisplayName\":null}", "<b>x</b>", "", MESSAGE_HTML,
         false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct send_message_request request;
        struct problem problem;
        assert_int_equal(send_message_request_parse(*state, bytes_of_text(rows[i].body), 100, &request, &problem), 0);
        assert_text(request.content, rows[i].content);
        assert_text(request.display_name, rows[i].display_name);
        assert_int_equal(request.type, rows[i].type);
        assert_int_equal(request.metadata.is_present, rows[i].has_metadata);
    }
}

static void content_keeps_its_null_characters(void **state) {
    struct send_message_request request;
    struct problem problem;
    assert_int_equal(
        send_message_request_parse(*state, bytes_of_text("{\"content\":\"a\\u0000b\"}"), 100, &request, &problem), 0);
    assert_true(bytes_equal(request.content, bytes_of("a\0b", 3)));
    struct message message = {.type = MESSAGE_TEXT, .actor_id = BYTES_LITERAL(U1), .content = request.content};
    assert_true(contains(message_encode(*state, &message), "\"message\":\"a\\u0000b\""));
}

static void typing_and_receipt_bodies_are_read(void **state) {
    struct problem problem;
    struct bytes name;
    uint64_t id;
    assert_int_equal(typing_request_parse(*state, BYTES_ABSENT, &name, &problem), 0);
    assert_text(name, "");
    assert_int_equal(typing_request_parse(*state, bytes_of_text("{}"), &name, &problem), 0);
    assert_text(name, "");
    assert_int_equal(typing_request_parse(*state, bytes_of_text("{\"senderDisplayName\":\"Bob\"}"), &name, &problem),
                     0);
    assert_text(name, "Bob");
    assert_int_equal(
        read_receipt_request_parse(*state, bytes_of_text("{\"chatMessageId\":\"1795327797881\"}"), &id, &problem), 0);
    assert_true(id == 1795327797881);
}

static void identifiers_are_read_from_either_form(void **state) {
    const struct {
        const char *body;
        const char *raw_id;
    } rows[] = {
        {CID(U1), U1},
        {"{\"rawId\":\"" U1 "\"}", U1},
        {"{\"communicationUser\":{\"id\":\"" U1 "\"}}", U1},
        {"{\"kind\":\"communicationUser\",\"communicationUser\":{\"id\":\"" U1 "\"},\"phoneNumber\":null}", U1},
        {"{\"rawId\":null,\"communicationUser\":{\"id\":\"8:spool:x\"}}", "8:spool:x"},
        {"{\"phoneNumber\":{\"value\":\"+1555\"}}", "4:+1555"},
        {"{\"rawId\":\"4:+1555\",\"phoneNumber\":{\"value\":\"+1555\"}}", "4:+1555"},
        {"{\"microsoftTeamsUser\":{\"userId\":\"u\"}}", "8:orgid:u"},
        {"{\"microsoftTeamsUser\":{\"userId\":\"u\",\"cloud\":\"dod\"}}", "8:dod:u"},
        {"{\"microsoftTeamsUser\":{\"userId\":\"u\",\"cloud\":\"gcch\"}}", "8:gcch:u"},
        {"{\"microsoftTeamsUser\":{\"userId\":\"u\",\"isAnonymous\":true}}", "8:teamsvisitor:u"},
        {"{\"microsoftTeamsApp\":{\"appId\":\"a\",\"cloud\":\"public\"}}", "28:orgid:a"},
        {"{\"teamsExtensionUser\":{\"userId\":\"u\",\"tenantId\":\"t\",\"resourceId\":\"r\"}}", "8:acs:r_t_u"},
        {"{\"teamsExtensionUser\":{\"userId\":\"u\",\"tenantId\":\"t\",\"resourceId\":\"r\",\"cloud\":\"gcch\"}}",
         "8:gcch-acs:r_t_u"},
        {"{\"rawId\":\"48:calllogs\"}", "48:calllogs"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes raw_id;
        struct problem problem;
        assert_int_equal(remove_participant_request_parse(*state, bytes_of_text(rows[i].body), &raw_id, &problem), 0);
        assert_text(raw_id, rows[i].raw_id);
    }
}

static void identifiers_that_disagree_or_are_malformed_are_refused(void **state) {
    const struct refusal rows[] = {
        {REMOVE, "{}", STATUS_VALIDATION_ERROR, "rawId", "needs rawId"},
        {REMOVE, "{\"rawId\":7}", STATUS_VALIDATION_ERROR, "rawId", "not a number"},
        {REMOVE, "{\"rawId\":\"" U1 "\",\"communicationUser\":{\"id\":\"" U2 "\"}}", STATUS_VALIDATION_ERROR, "rawId",
         "does not agree"},
        {REMOVE, "{\"communicationUser\":{\"id\":\"" U1 "\"},\"phoneNumber\":{\"value\":\"+1\"}}",
         STATUS_VALIDATION_ERROR, "rawId", "only one of communicationUser and phoneNumber"},
        {REMOVE, "{\"communicationUser\":{}}", STATUS_VALIDATION_ERROR, "id", "required"},
        {REMOVE, "{\"communicationUser\":\"" U1 "\"}", STATUS_VALIDATION_ERROR, "communicationUser", "not a string"},
        {REMOVE, "{\"microsoftTeamsUser\":{\"userId\":\"u\",\"cloud\":\"x\"}}", STATUS_VALIDATION_ERROR, "cloud",
         "not \"x\""},
        {REMOVE, "{\"rawId\":\"8:acs:invalidUserId\"}", STATUS_VALIDATION_ERROR, "rawId",
         "Identifier format is invalid (8:acs:invalidUserId)."},
        {REMOVE, "{\"rawId\":\"8:acs:a_b_c_d\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"8:acs:a_\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"8:gcch-acs:a\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"8:dod-acs:a\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"nobody\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid (nobody)"},
        {REMOVE, "{\"rawId\":\"8:\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"8:acs:a_ b\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {REMOVE, "{\"rawId\":\"8:acs:a_\\u0000\"}", STATUS_VALIDATION_ERROR, "rawId", "format is invalid"},
        {ADD, "{\"participants\":[{\"communicationIdentifier\":{\"rawId\":\"8:acs:x\"}}]}", STATUS_VALIDATION_ERROR,
         "communicationIdentifier", "Identifier format is invalid (8:acs:x)."},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_refused(*state, &rows[i]);
}

static void identifiers_are_written_with_the_nested_object_of_their_kind(void **state) {
    const struct {
        const char *raw_id;
        const char *json;
    } rows[] = {
        {U1, CID(U1)},
        {"8:spool:x", CID("8:spool:x")},
        {"8:gcch-acs:r_u", CID("8:gcch-acs:r_u")},
        {"4:+1555", "{\"rawId\":\"4:+1555\",\"phoneNumber\":{\"value\":\"+1555\"}}"},
        {"4:+1555_x_y", "{\"rawId\":\"4:+1555_x_y\",\"phoneNumber\":{\"value\":\"+1555_x_y\",\"assertedId\":\"y\"}}"},
        {"4:+1555_", "{\"rawId\":\"4:+1555_\",\"phoneNumber\":{\"value\":\"+1555_\"}}"},
        {"4:_x", "{\"rawId\":\"4:_x\",\"phoneNumber\":{\"value\":\"_x\"}}"},
        {"4:anonymous", "{\"rawId\":\"4:anonymous\",\"phoneNumber\":{\"value\":\"anonymous\",\"isAnonymous\":true}}"},
        {"8:orgid:u", "{\"rawId\":\"8:orgid:u\",\"microsoftTeamsUser\":{\"userId\":\"u\",\"isAnonymous\":false,"
                      "\"cloud\":\"public\"}}"},
        {"8:teamsvisitor:u", "{\"rawId\":\"8:teamsvisitor:u\",\"microsoftTeamsUser\":{\"userId\":\"u\","
                             "\"isAnonymous\":true,\"cloud\":\"public\"}}"},
        {"28:dod:a", "{\"rawId\":\"28:dod:a\",\"microsoftTeamsApp\":{\"appId\":\"a\",\"cloud\":\"dod\"}}"},
        {"8:acs:r_t_u", "{\"rawId\":\"8:acs:r_t_u\",\"teamsExtensionUser\":{\"userId\":\"u\",\"tenantId\":\"t\","
                        "\"resourceId\":\"r\",\"cloud\":\"public\"}}"},
        {"48:x", "{\"rawId\":\"48:x\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_text(json_text_take(*state, identifier_to_json(bytes_of_text(rows[i].raw_id))), rows[i].json);
}

static struct metadata_pair TAG[] = {{BYTES_LITERAL("tag"), BYTES_LITERAL("a")}};

static struct message text_message(void) {
    return (struct message){.id = 1767323049123,
                            .sequence = 3,
                            .version = 1767323060456,
                            .type = MESSAGE_TEXT,
                            .created_ms = 1767323049123,
                            .edited_ms = 1767323060456,
                            .actor_id = BYTES_LITERAL(U1),
                            .display_name = BYTES_LITERAL("Bob"),
                            .content = BYTES_LITERAL("edited text"),
                            .metadata = {TAG, 1, true, false}};
}

static void an_edited_message_is_written_as_recorded(void **state) {
    struct message message = text_message();
    assert_text(message_encode(*state, &message),
                "{\"id\":\"1767323049123\",\"type\":\"text\",\"sequenceId\":\"3\",\"version\":\"1767323060456\","
                "\"content\":{\"message\":\"edited text\",\"attachments\":[]},\"senderDisplayName\":\"Bob\","
                "\"createdOn\":\"2026-01-02T03:04:09Z\",\"senderCommunicationIdentifier\":" CID(
                    U1) ",\"editedOn\":\"2026-01-02T03:04:20Z\",\"metadata\":{\"tag\":\"a\"}}");
}

static void a_deleted_message_has_lost_content_metadata_and_edit(void **state) {
    struct message message = text_message();
    message.type = MESSAGE_HTML;
    message.deleted_ms = 1767323055000;
    message.display_name = BYTES_ABSENT;
    assert_text(message_encode(*state, &message),
                "{\"id\":\"1767323049123\",\"type\":\"html\",\"sequenceId\":\"3\",\"version\":\"1767323060456\","
                "\"content\":{\"message\":\"\",\"attachments\":[]},\"senderDisplayName\":\"\","
                "\"createdOn\":\"2026-01-02T03:04:09Z\",\"senderCommunicationIdentifier\":" CID(
                    U1) ",\"deletedOn\":\"2026-01-02T03:04:15Z\"}");
}

static void system_messages_have_neither_sender_nor_name_nor_metadata(void **state) {
    struct participant people[] = {
        {.user_id = BYTES_LITERAL(U1), .display_name = BYTES_LITERAL("Bob"), .metadata = {TAG, 1, true, false}},
        {.user_id = BYTES_LITERAL(U2), .share_history_ms = 1767323045999}};
    struct message message = {.id = 1,
                              .sequence = 2,
                              .version = 1,
                              .type = MESSAGE_TOPIC_UPDATED,
                              .created_ms = 1767323045200,
                              .actor_id = BYTES_LITERAL(U1),
                              .topic = BYTES_LITERAL("Hello"),
                              .metadata = {TAG, 1, true, false}};
    assert_text(message_encode(*state, &message),
                "{\"id\":\"1\",\"type\":\"topicUpdated\",\"sequenceId\":\"2\",\"version\":\"1\",\"content\":{"
                "\"topic\":\"Hello\",\"initiatorCommunicationIdentifier\":" CID(
                    U1) "},\"createdOn\":\"2026-01-02T03:04:05Z\"}");
    const char *participants = "\"content\":{\"participants\":[{\"communicationIdentifier\":" CID(
        U1) ",\"displayName\":\"Bob\",\"shareHistoryTime\":\"1970-01-01T00:00:00Z\"},{"
            "\"communicationIdentifier\":" CID(U2) ",\"shareHistoryTime\":\"2026-01-02T03:04:05Z\"}],"
                                                   "\"initiatorCommunicationIdentifier\":" CID(U1) "},"
                                                                                                   "\"createdOn\":";
    message.participants = (struct participants){people, COUNT(people)};
    message.type = MESSAGE_PARTICIPANT_ADDED;
    assert_true(contains(message_encode(*state, &message), "\"type\":\"participantAdded\""));
    assert_true(contains(message_encode(*state, &message), participants));
    message.type = MESSAGE_PARTICIPANT_REMOVED;
    assert_true(contains(message_encode(*state, &message), "\"type\":\"participantRemoved\""));
    assert_true(contains(message_encode(*state, &message), participants));
}

static struct thread_properties properties(void) {
    return (struct thread_properties){.id = BYTES_LITERAL(THREAD),
                                      .topic = BYTES_LITERAL("Hello"),
                                      .created_ms = 1767323045100,
                                      .creator_id = BYTES_LITERAL(U1)};
}

#define PROPERTIES_START                                                                                               \
    "{\"id\":\"" THREAD                                                                                                \
    "\",\"topic\":\"Hello\",\"createdOn\":\"2026-01-02T03:04:05Z\",\"createdByCommunicationIdentifier\":" CID(U1)

static void a_creation_is_answered_as_recorded(void **state) {
    struct thread_properties thread = properties();
    const struct invalid_participant invalid[] = {{BYTES_LITERAL(U1), STATUS_FORBIDDEN, REFUSAL_NONE},
                                                  {BYTES_LITERAL(U2), STATUS_NOT_FOUND, REFUSAL_NONE}};
    assert_text(create_thread_response_encode(*state, &thread, NULL, 0), "{\"chatThread\":" PROPERTIES_START "}}");
    assert_text(create_thread_response_encode(*state, &thread, invalid, COUNT(invalid)),
                "{\"chatThread\":" PROPERTIES_START "},\"invalidParticipants\":[{\"target\":\"" U1
                "\",\"code\":\"403\",\"message\":\"Permissions check failed\"},{\"target\":\"" U2
                "\",\"code\":\"404\",\"message\":\"Not found\"}]}");
    assert_text(add_participants_response_encode(*state, NULL, 0), "{}");
    assert_text(add_participants_response_encode(*state, invalid, 1),
                "{\"invalidParticipants\":[{\"target\":\"" U1
                "\",\"code\":\"403\",\"message\":\"Permissions check failed\"}]}");
}

static void a_refused_identity_is_told_why(void **state) {
    const struct {
        enum participant_refusal refusal;
        const char *json;
    } rows[] = {
        {REFUSAL_BOT, "{\"code\":\"BotUserNotSupported\",\"message\":\"Bots (28:...) cannot take part in threads.\"}"},
        {REFUSAL_PERSONAL_ACCOUNT, "{\"code\":\"PersonalAccountNotSupported\",\"message\":\"Skype users and users "
                                   "without an enterprise cannot take part in threads.\"}"},
        {REFUSAL_OTHER_RESOURCE,
         "{\"code\":\"IdentityNotOwned\",\"message\":\"The identity doesn't belong to this resource.\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct invalid_participant invalid = {BYTES_LITERAL("8:x"), STATUS_FORBIDDEN, rows[i].refusal};
        struct bytes expected = arena_printf(*state,
                                             "{\"invalidParticipants\":[{\"target\":\"8:x\",\"code\":\"403\","
                                             "\"message\":\"Permissions check failed\",\"innererror\":%s}]}",
                                             rows[i].json);
        assert_text(add_participants_response_encode(*state, &invalid, 1), arena_text(*state, expected));
    }
}

static void properties_echo_metadata_and_retention_when_set(void **state) {
    struct thread_properties thread = properties();
    thread.metadata = (struct metadata){TAG, 1, true, false};
    thread.retention = (struct retention){RETENTION_THREAD_CREATION_DATE, 90};
    assert_text(thread_properties_encode(*state, &thread),
                PROPERTIES_START ",\"metadata\":{\"tag\":\"a\"},\"retentionPolicy\":{\"deleteThreadAfterDays\":90,"
                                 "\"kind\":\"threadCreationDate\"}}");
    thread.metadata = (struct metadata){0};
    thread.retention = (struct retention){RETENTION_NONE, 0};
    thread.deleted_ms = 1767323055000;
    assert_text(thread_properties_encode(*state, &thread),
                PROPERTIES_START ",\"deletedOn\":\"2026-01-02T03:04:15Z\",\"retentionPolicy\":{\"kind\":\"none\"}}");
}

static void pages_carry_a_next_link_only_when_there_is_one(void **state) {
    const struct thread_item threads[] = {
        {.id = BYTES_LITERAL("T"), .topic = BYTES_LITERAL("Hello"), .last_message_ms = 1767323049123},
        {.id = BYTES_LITERAL("T2"), .topic = BYTES_LITERAL("Old"), .deleted_ms = 1767323055000}};
    assert_text(thread_page_encode(*state, threads, 2, BYTES_LITERAL("https://host/chat/threads?syncState=x")),
                "{\"value\":[{\"id\":\"T\",\"topic\":\"Hello\",\"lastMessageReceivedOn\":\"2026-01-02T03:04:09Z\"},"
                "{\"id\":\"T2\",\"topic\":\"Old\",\"deletedOn\":\"2026-01-02T03:04:15Z\"}],"
                "\"nextLink\":\"https://host/chat/threads?syncState=x\"}");
    const struct participant people[] = {{.user_id = BYTES_LITERAL(U1), .metadata = {TAG, 1, true, false}}};
    assert_text(participant_page_encode(*state, people, 1, BYTES_ABSENT),
                "{\"value\":[{\"communicationIdentifier\":" CID(
                    U1) ",\"shareHistoryTime\":\"1970-01-01T00:00:00Z\",\"metadata\":{\"tag\":\"a\"}}]}");
    const struct receipt receipts[] = {{BYTES_LITERAL(U1), 1767323049123, 1767323100000}};
    assert_text(receipt_page_encode(*state, receipts, 1, BYTES_ABSENT),
                "{\"value\":[{\"senderCommunicationIdentifier\":" CID(
                    U1) ",\"chatMessageId\":\"1767323049123\",\"readOn\":\"2026-01-02T03:05:00Z\"}]}");
    assert_text(message_page_encode(*state, NULL, 0, BYTES_ABSENT), "{\"value\":[]}");
}

static void small_answers_are_written(void **state) {
    assert_text(send_message_response_encode(*state, 1767323049123), "{\"id\":\"1767323049123\"}");
    assert_text(realtime_configuration_encode(*state, BYTES_LITERAL("https://h:1")),
                "{\"trouterServiceUrl\":\"https://h:1\",\"registrarServiceUrl\":\"https://h:1\",\"cloudType\":"
                "\"Public\"}");
}

static void bytes_that_are_not_utf8_never_break_a_body(void **state) {
    struct message message = text_message();
    message.content = BYTES_LITERAL("a\xff"
                                    "b");
    struct bytes body = message_encode(*state, &message);
    assert_true(contains(body, "\"message\":\"a\xef\xbf\xbd"
                               "b\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_json_object_is_refused_everywhere),
        TEST(brackets_inside_strings_do_not_count_as_depth),
        TEST(refusals_name_field_limit_and_value),
        TEST(sizes_are_bounded_and_the_bound_itself_is_allowed),
        TEST(a_refused_message_names_limit_and_size),
        TEST(participants_are_counted),
        TEST(a_creation_is_read_whole),
        TEST(nulls_in_a_creation_count_as_absent),
        TEST(who_is_named_twice_is_taken_once_as_last_described),
        TEST(history_from_before_the_epoch_is_all_history),
        TEST(a_thread_patch_tells_absent_from_null),
        TEST(null_and_empty_values_in_a_patch_remove_their_keys),
        TEST(a_send_is_read_whole),
        TEST(content_keeps_its_null_characters),
        TEST(typing_and_receipt_bodies_are_read),
        TEST(identifiers_are_read_from_either_form),
        TEST(identifiers_that_disagree_or_are_malformed_are_refused),
        TEST(identifiers_are_written_with_the_nested_object_of_their_kind),
        TEST(an_edited_message_is_written_as_recorded),
        TEST(a_deleted_message_has_lost_content_metadata_and_edit),
        TEST(system_messages_have_neither_sender_nor_name_nor_metadata),
        TEST(a_creation_is_answered_as_recorded),
        TEST(a_refused_identity_is_told_why),
        TEST(properties_echo_metadata_and_retention_when_set),
        TEST(pages_carry_a_next_link_only_when_there_is_one),
        TEST(small_answers_are_written),
        TEST(bytes_that_are_not_utf8_never_break_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
