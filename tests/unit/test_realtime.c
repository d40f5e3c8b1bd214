#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/json_msgpack.h"
#include "proto/limits.h"
#include "proto/realtime.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "19:acsV1_x1@thread.v2"
#define U1 "8:acs:r_1"
#define U2 "8:acs:r_2"
#define CID(id) "{\"rawId\":\"" id "\",\"communicationUser\":{\"id\":\"" id "\"}}"

/* Requests: every row is tried in both formats. */

static struct bytes to_msgpack(struct arena *arena, const char *json) {
    struct buffer out;
    json_t *tree = json_loads(json, JSON_ALLOW_NUL, NULL);
    assert_non_null(tree);
    buffer_init(&out);
    json_tree_to_msgpack(tree, &out);
    json_decref(tree);
    struct bytes encoded = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return encoded;
}

static int parse(struct arena *arena, enum realtime_format format, const char *json, struct realtime_request *request,
                 struct problem *problem) {
    struct bytes frame = format == REALTIME_JSON ? bytes_of_text(json) : to_msgpack(arena, json);
    return realtime_request_parse(arena, format, frame, 100, request, problem);
}

static void a_connect_carries_token_and_positions(void **state) {
    for (int format = 0; format < REALTIME_FORMATS; format++) {
        struct realtime_request request;
        struct problem problem;
        const char *json = "{\"type\":\"connect\",\"token\":\"abc\",\"resume\":{\"" T "\":0,\"19:b@thread.v2\":12},"
                           "\"later\":{\"x\":[1.5,true,null]}}";
        assert_int_equal(parse(*state, (enum realtime_format)format, json, &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_CONNECT);
        assert_text(request.token, "abc");
        assert_false(bytes_is_present(request.id));
        assert_int_equal(request.positions_count, 2);
        assert_text(request.positions[0].thread_id, T);
        assert_int_equal(request.positions[0].offset, 0);
        assert_text(request.positions[1].thread_id, "19:b@thread.v2");
        assert_int_equal(request.positions[1].offset, 12);
    }
}

static void a_send_is_read_whole(void **state) {
    for (int format = 0; format < REALTIME_FORMATS; format++) {
        struct realtime_request request;
        struct problem problem;
        const char *json = "{\"type\":\"send\",\"id\":\"m1\",\"thread\":\"" T
                           "\",\"content\":\"<b>✓</b>\",\"contentType\":\"html\",\"senderDisplayName\":\"Bob\","
                           "\"metadata\":{\"k\":\"v\"}}";
        assert_int_equal(parse(*state, (enum realtime_format)format, json, &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_SEND);
        assert_text(request.id, "m1");
        assert_text(request.thread_id, T);
        assert_text(request.content, "<b>✓</b>");
        assert_int_equal(request.message_type, MESSAGE_HTML);
        assert_text(request.display_name, "Bob");
        assert_int_equal(request.metadata.count, 1);
        assert_text(request.metadata.pairs[0].value, "v");
    }
}

static void members_that_are_not_given_have_their_defaults(void **state) {
    for (int format = 0; format < REALTIME_FORMATS; format++) {
        struct realtime_request request;
        struct problem problem;
        const char *json = "{\"type\":\"send\",\"id\":\"m1\",\"thread\":\"" T
                           "\",\"content\":\"\",\"contentType\":null,\"metadata\":null}";
        assert_int_equal(parse(*state, (enum realtime_format)format, json, &request, &problem), 0);
        assert_text(request.content, "");
        assert_int_equal(request.message_type, MESSAGE_TEXT);
        assert_text(request.display_name, "");
        assert_false(request.metadata.is_present);
    }
}

static void the_other_requests_are_read(void **state) {
    for (int i = 0; i < REALTIME_FORMATS; i++) {
        enum realtime_format format = (enum realtime_format)i;
        struct realtime_request request;
        struct problem problem;
        assert_int_equal(parse(*state, format, "{\"type\":\"typing\",\"thread\":\"" T "\"}", &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_TYPING);
        assert_text(request.display_name, "");
        assert_int_equal(parse(*state, format,
                               "{\"type\":\"receipt\",\"thread\":\"" T "\",\"messageId\":\"1795327797881\"}", &request,
                               &problem),
                         0);
        assert_int_equal(request.type, REALTIME_RECEIPT);
        assert_true(request.message_id == 1795327797881);
        assert_int_equal(parse(*state, format, "{\"type\":\"resume\",\"threads\":{\"" T "\":9}}", &request, &problem),
                         0);
        assert_int_equal(request.type, REALTIME_RESUME);
        assert_int_equal(request.positions_count, 1);
        assert_int_equal(parse(*state, format, "{\"type\":\"token\",\"token\":\"abc\"}", &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_TOKEN);
        assert_text(request.token, "abc");
        assert_int_equal(parse(*state, format, "{\"type\":\"ping\",\"id\":\"7\"}", &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_PING);
        assert_text(request.id, "7");
    }
}

static void refusals_name_the_request_the_field_and_the_value(void **state) {
    const struct {
        const char *json;
        int rc;
        enum realtime_request_type type; /* as far as it was read */
        const char *id;                  /* NULL: not read */
        const char *target;
        const char *part;
    } rows[] = {
        {"{}", STATUS_VALIDATION_ERROR, 0, NULL, "type", "required"},
        {"{\"type\":7,\"id\":\"a\"}", STATUS_VALIDATION_ERROR, 0, "a", "type", "not a number"},
        {"{\"type\":\"shout\",\"id\":\"a\"}", STATUS_BAD_REQUEST, 0, "a", "type", "\"shout\""},
        {"{\"type\":\"ping\",\"id\":\"\"}", STATUS_VALIDATION_ERROR, 0, NULL, "id", "1 to 128"},
        {"{\"type\":\"ping\",\"id\":7}", STATUS_VALIDATION_ERROR, 0, NULL, "id", "not a number"},
        {"{\"type\":\"connect\"}", STATUS_VALIDATION_ERROR, REALTIME_CONNECT, NULL, "token", "required"},
        {"{\"type\":\"connect\",\"token\":\"x\",\"resume\":[]}", STATUS_VALIDATION_ERROR, REALTIME_CONNECT, NULL,
         "resume", "not an array"},
        {"{\"type\":\"resume\"}", STATUS_VALIDATION_ERROR, REALTIME_RESUME, NULL, "threads", "required"},
        {"{\"type\":\"resume\",\"threads\":{\"x\":1}}", STATUS_VALIDATION_ERROR, REALTIME_RESUME, NULL, "threads",
         "\"x\""},
        {"{\"type\":\"resume\",\"threads\":{\"" T "\":-1}}", STATUS_VALIDATION_ERROR, REALTIME_RESUME, NULL, "threads",
         "whole numbers from 0"},
        {"{\"type\":\"resume\",\"threads\":{\"" T "\":1.5}}", STATUS_VALIDATION_ERROR, REALTIME_RESUME, NULL, "threads",
         "whole numbers from 0"},
        {"{\"type\":\"resume\",\"threads\":{\"" T "\":null}}", STATUS_VALIDATION_ERROR, REALTIME_RESUME, NULL,
         "threads", T},
        {"{\"type\":\"send\",\"thread\":\"" T "\",\"content\":\"x\"}", STATUS_VALIDATION_ERROR, REALTIME_SEND, NULL,
         "id", "required in a send"},
        {"{\"type\":\"send\",\"id\":\"a\",\"content\":\"x\"}", STATUS_VALIDATION_ERROR, REALTIME_SEND, "a", "thread",
         "required"},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"19:\",\"content\":\"x\"}", STATUS_VALIDATION_ERROR,
         REALTIME_SEND, "a", "thread", "\"19:\""},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"" T "\"}", STATUS_VALIDATION_ERROR, REALTIME_SEND, "a",
         "content", "required"},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"" T "\",\"content\":7}", STATUS_VALIDATION_ERROR, REALTIME_SEND,
         "a", "content", "not a number"},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"" T
         "\",\"content\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
         "1234567890\"}",
         STATUS_REQUEST_ENTITY_TOO_LARGE, REALTIME_SEND, "a", "content", "101 bytes; at most 100"},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"" T "\",\"content\":\"x\",\"contentType\":\"topicUpdated\"}",
         STATUS_VALIDATION_ERROR, REALTIME_SEND, "a", "contentType", "\"topicUpdated\""},
        {"{\"type\":\"send\",\"id\":\"a\",\"thread\":\"" T "\",\"content\":\"x\",\"metadata\":{\"k\":1}}",
         STATUS_VALIDATION_ERROR, REALTIME_SEND, "a", "metadata", "\"k\""},
        {"{\"type\":\"typing\",\"id\":\"a\"}", STATUS_VALIDATION_ERROR, REALTIME_TYPING, "a", "thread", "required"},
        {"{\"type\":\"receipt\",\"thread\":\"" T "\",\"messageId\":\"x\"}", STATUS_VALIDATION_ERROR, REALTIME_RECEIPT,
         NULL, "messageId", "(x)"},
        {"{\"type\":\"token\"}", STATUS_VALIDATION_ERROR, REALTIME_TOKEN, NULL, "token", "required"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int format = 0; format < REALTIME_FORMATS; format++) {
            struct realtime_request request;
            struct problem problem = {0};
            int rc = parse(*state, (enum realtime_format)format, rows[i].json, &request, &problem);
            if (rc != rows[i].rc || problem.rc != rc || request.type != rows[i].type)
                fail_msg("%s: %d, type %d", rows[i].json, rc, (int)request.type);
            assert_text(problem.target, rows[i].target);
            assert_non_null(strstr((const char *)problem.message.data, rows[i].part));
            if (rows[i].id == NULL)
                assert_false(bytes_is_present(request.id));
            else
                assert_text(request.id, rows[i].id);
        }
    }
}

static void what_is_no_frame_at_all_is_malformed(void **state) {
    const struct {
        enum realtime_format format;
        struct bytes frame;
    } rows[] = {
        {REALTIME_JSON, BYTES_ABSENT},
        {REALTIME_JSON, BYTES_LITERAL("[]")},
        {REALTIME_JSON, BYTES_LITERAL("{\"type\":\"ping\"")},
        {REALTIME_JSON, BYTES_LITERAL("{\"type\":\"ping\xff\"}")},
        {REALTIME_MSGPACK, BYTES_ABSENT},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x90")},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x81\xa4type\xa4pin")},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x81\xa4type\xa4ping\x00")},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x81\xa4type\xa4pin\xff")},            /* not UTF-8 */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\x01\x01")},       /* a key that is no text */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1\xff\x01")},   /* a key that is not UTF-8 */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1\x00\x01")},   /* a key with a NUL */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1k\xd4\x01x")}, /* an extension */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1k\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1k\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00")}, /* ∞ */
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1k\xdf\xff\xff\xff\xff")},
        {REALTIME_MSGPACK, BYTES_LITERAL("\x82\xa4type\xa4ping\xa1k\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
                                         "\x91\x91\x91\x91\x01")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct realtime_request request;
        struct problem problem = {0};
        int rc = realtime_request_parse(*state, rows[i].format, rows[i].frame, 100, &request, &problem);
        if (rc != STATUS_MALFORMED || problem.rc != STATUS_MALFORMED)
            fail_msg("row %zu: %d", i, rc);
    }
}

static void frames_and_ids_are_bounded(void **state) {
    struct arena *arena = *state;
    struct realtime_request request;
    struct problem problem;
    char *text = arena_alloc(arena, LIMIT_FRAME_BYTES_MAX + 2);
    memset(text, ' ', LIMIT_FRAME_BYTES_MAX + 1);
    memcpy(text, "{\"type\":\"ping\"}", 15);
    assert_int_equal(
        realtime_request_parse(arena, REALTIME_JSON, bytes_of(text, LIMIT_FRAME_BYTES_MAX), 100, &request, &problem),
        0);
    assert_int_equal(realtime_request_parse(arena, REALTIME_JSON, bytes_of(text, LIMIT_FRAME_BYTES_MAX + 1), 100,
                                            &request, &problem),
                     STATUS_MALFORMED);
    memset(text, 'i', 129);
    struct bytes longest = arena_printf(arena, "{\"type\":\"ping\",\"id\":\"%.128s\"}", text);
    assert_int_equal(realtime_request_parse(arena, REALTIME_JSON, longest, 100, &request, &problem), 0);
    struct bytes too_long = arena_printf(arena, "{\"type\":\"ping\",\"id\":\"%.129s\"}", text);
    assert_int_equal(realtime_request_parse(arena, REALTIME_JSON, too_long, 100, &request, &problem),
                     STATUS_VALIDATION_ERROR);
}

static struct bytes resume_frame(struct arena *arena, size_t count) {
    struct buffer out;
    buffer_init(&out);
    buffer_append(&out, "\x82\xa4type\xa6resume\xa7threads\xde", 22);
    uint8_t size[2] = {(uint8_t)(count >> 8), (uint8_t)count};
    buffer_append(&out, size, 2);
    for (size_t i = 0; i < count; i++) {
        buffer_append(&out, "\xb2", 1);
        buffer_printf(&out, "19:%05zu@thread.v2", i);
        buffer_append(&out, "\x01", 1);
    }
    struct bytes frame = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return frame;
}

static void a_resume_names_a_bounded_number_of_threads(void **state) {
    struct realtime_request request;
    struct problem problem;
    assert_int_equal(realtime_request_parse(*state, REALTIME_MSGPACK, resume_frame(*state, LIMIT_RESUME_THREADS_MAX),
                                            100, &request, &problem),
                     0);
    assert_int_equal(request.positions_count, LIMIT_RESUME_THREADS_MAX);
    assert_int_equal(realtime_request_parse(*state, REALTIME_MSGPACK,
                                            resume_frame(*state, LIMIT_RESUME_THREADS_MAX + 1), 100, &request,
                                            &problem),
                     STATUS_VALIDATION_ERROR);
    assert_text(problem.message, "threads names 10001 threads; at most 10000 are allowed.");
}

/* Frames out: written in both formats, which must hold the same. */

typedef void (*encode_function)(enum realtime_format format, const void *argument, struct buffer *out);

static void assert_frame(encode_function encode, const void *argument, const char *expected) {
    struct buffer json, msgpack, again;
    buffer_init(&json);
    buffer_init(&msgpack);
    buffer_init(&again);
    encode(REALTIME_JSON, argument, &json);
    assert_text(buffer_bytes(&json), expected);
    encode(REALTIME_MSGPACK, argument, &msgpack);
    json_t *tree = json_tree_from_msgpack(buffer_bytes(&msgpack));
    assert_non_null(tree);
    json_append_take(&again, tree);
    assert_text(buffer_bytes(&again), expected);
    buffer_close(&json);
    buffer_close(&msgpack);
    buffer_close(&again);
}

static void encode_change(enum realtime_format format, const void *argument, struct buffer *out) {
    realtime_change_encode(format, argument, "disk+1", out);
}

static struct metadata_pair PAIRS[] = {{BYTES_LITERAL("k"), BYTES_LITERAL("v")}};
static struct participant PEOPLE[] = {
    {.user_id = BYTES_LITERAL(U2), .display_name = BYTES_LITERAL("Bob"), .metadata = {PAIRS, 1, true, false}}};

#define SYSTEM_MESSAGE                                                                                                 \
    {                                                                                                                  \
        .id = 1767323045200, .sequence = 5, .version = 1767323045200, .type = MESSAGE_PARTICIPANT_ADDED,               \
        .created_ms = 1767323045200, .actor_id = BYTES_LITERAL(U1), .participants = {                                  \
            PEOPLE,                                                                                                    \
            1                                                                                                          \
        }                                                                                                              \
    }
#define SYSTEM_MESSAGE_JSON                                                                                            \
    "{\"id\":\"1767323045200\",\"type\":\"participantAdded\",\"sequenceId\":\"5\",\"version\":\"1767323045200\","      \
    "\"content\":{\"participants\":[{\"communicationIdentifier\":" CID(                                                \
        U2) ",\"displayName\":\"Bob\",\"shareHistoryTime\":\"1970-01-01T00:00:00.000Z\"}],"                            \
            "\"initiatorCommunicationIdentifier\":" CID(U1) "},\"createdOn\":\"2026-01-02T03:04:05.200Z\"}"
#define PEOPLE_JSON                                                                                                    \
    "[{\"communicationIdentifier\":" CID(                                                                              \
        U2) ",\"displayName\":\"Bob\",\"shareHistoryTime\":\"1970-01-01T00:00:00.000Z\",\"metadata\":{\"k\":\"v\"}}]"

static void message_changes_carry_the_message_as_it_is_now(void **state) {
    (void)state;
    struct change change = {.kind = CHANGE_MESSAGE_RECEIVED,
                            .thread_id = BYTES_LITERAL(T),
                            .offset = 42,
                            .message = {.id = 1767323049123,
                                        .sequence = 3,
                                        .version = 1767323049123,
                                        .type = MESSAGE_TEXT,
                                        .created_ms = 1767323049123,
                                        .actor_id = BYTES_LITERAL(U1),
                                        .display_name = BYTES_LITERAL("Alice"),
                                        .content = BYTES_LITERAL("100% \"✓\"")}};
    assert_frame(encode_change, &change,
                 "{\"type\":\"message\",\"thread\":\"" T
                 "\",\"offset\":42,\"durability\":\"disk+1\",\"message\":{\"id\":\"1767323049123\",\"type\":\"text\","
                 "\"sequenceId\":\"3\",\"version\":\"1767323049123\",\"content\":{\"message\":\"100% \\\"✓\\\"\","
                 "\"attachments\":[]},\"senderDisplayName\":\"Alice\",\"createdOn\":\"2026-01-02T03:04:09.123Z\","
                 "\"senderCommunicationIdentifier\":" CID(U1) "}}");
    change.kind = CHANGE_MESSAGE_EDITED;
    change.message.edited_ms = 1767323060456;
    change.message.version = 1767323060456;
    assert_frame(encode_change, &change,
                 "{\"type\":\"messageEdited\",\"thread\":\"" T
                 "\",\"offset\":42,\"durability\":\"disk+1\",\"message\":{\"id\":\"1767323049123\",\"type\":\"text\","
                 "\"sequenceId\":\"3\",\"version\":\"1767323060456\",\"content\":{\"message\":\"100% \\\"✓\\\"\","
                 "\"attachments\":[]},\"senderDisplayName\":\"Alice\",\"createdOn\":\"2026-01-02T03:04:09.123Z\","
                 "\"senderCommunicationIdentifier\":" CID(U1) ",\"editedOn\":\"2026-01-02T03:04:20.456Z\"}}");
    change.kind = CHANGE_MESSAGE_DELETED;
    change.message.deleted_ms = 1767323060456;
    assert_frame(encode_change, &change,
                 "{\"type\":\"messageDeleted\",\"thread\":\"" T
                 "\",\"offset\":42,\"durability\":\"disk+1\",\"message\":{\"id\":\"1767323049123\",\"type\":\"text\","
                 "\"sequenceId\":\"3\",\"version\":\"1767323060456\",\"content\":{\"message\":\"\","
                 "\"attachments\":[]},\"senderDisplayName\":\"Alice\",\"createdOn\":\"2026-01-02T03:04:09.123Z\","
                 "\"senderCommunicationIdentifier\":" CID(U1) ",\"deletedOn\":\"2026-01-02T03:04:20.456Z\"}}");
}

static void thread_changes_carry_their_properties(void **state) {
    (void)state;
    struct change change = {.kind = CHANGE_THREAD_CREATED,
                            .thread_id = BYTES_LITERAL(T),
                            .offset = 1,
                            .actor_id = BYTES_LITERAL(U1),
                            .participants = {PEOPLE, 1},
                            .properties = {.id = BYTES_LITERAL(T),
                                           .topic = BYTES_LITERAL("Hello"),
                                           .created_ms = 1767323045100,
                                           .creator_id = BYTES_LITERAL(U1),
                                           .retention = {RETENTION_THREAD_CREATION_DATE, 40}}};
#define PROPERTIES_JSON                                                                                                \
    "{\"id\":\"" T "\",\"topic\":\"Hello\",\"createdOn\":\"2026-01-02T03:04:05.100Z\","                                \
    "\"createdByCommunicationIdentifier\":" CID(                                                                       \
        U1) ",\"retentionPolicy\":{\"deleteThreadAfterDays\":40,\"kind\":\"threadCreationDate\"}}"
    assert_frame(encode_change, &change,
                 "{\"type\":\"threadCreated\",\"thread\":\"" T
                 "\",\"offset\":1,\"durability\":\"disk+1\",\"properties\":" PROPERTIES_JSON
                 ",\"participants\":" PEOPLE_JSON ",\"by\":\"" U1 "\"}");
    change.kind = CHANGE_THREAD_UPDATED;
    assert_frame(encode_change, &change,
                 "{\"type\":\"threadUpdated\",\"thread\":\"" T
                 "\",\"offset\":1,\"durability\":\"disk+1\",\"properties\":" PROPERTIES_JSON ",\"by\":\"" U1 "\"}");
    change.message = (struct message)SYSTEM_MESSAGE;
    assert_frame(encode_change, &change,
                 "{\"type\":\"threadUpdated\",\"thread\":\"" T
                 "\",\"offset\":1,\"durability\":\"disk+1\",\"properties\":" PROPERTIES_JSON ",\"by\":\"" U1
                 "\",\"message\":" SYSTEM_MESSAGE_JSON "}");
}

static void a_deleted_thread_says_why_and_by_whom_if_by_anybody(void **state) {
    (void)state;
    struct change change = {.kind = CHANGE_THREAD_DELETED,
                            .thread_id = BYTES_LITERAL(T),
                            .offset = 9,
                            .time_ms = 1767323045100,
                            .reason = BYTES_LITERAL("deletedByPolicy")};
    assert_frame(encode_change, &change,
                 "{\"type\":\"threadDeleted\",\"thread\":\"" T
                 "\",\"offset\":9,\"durability\":\"disk+1\",\"deletedOn\":\"2026-01-02T03:04:05.100Z\",\"reason\":"
                 "\"deletedByPolicy\"}");
    change.reason = BYTES_LITERAL("deletedByUser");
    change.actor_id = BYTES_LITERAL(U1);
    assert_frame(encode_change, &change,
                 "{\"type\":\"threadDeleted\",\"thread\":\"" T
                 "\",\"offset\":9,\"durability\":\"disk+1\",\"deletedOn\":\"2026-01-02T03:04:05.100Z\",\"reason\":"
                 "\"deletedByUser\",\"by\":\"" U1 "\"}");
}

static void participant_changes_carry_the_system_message(void **state) {
    (void)state;
    struct change change = {.kind = CHANGE_PARTICIPANTS_ADDED,
                            .thread_id = BYTES_LITERAL(T),
                            .offset = 7,
                            .actor_id = BYTES_LITERAL(U1),
                            .participants = {PEOPLE, 1},
                            .message = SYSTEM_MESSAGE};
    assert_frame(encode_change, &change,
                 "{\"type\":\"participantsAdded\",\"thread\":\"" T
                 "\",\"offset\":7,\"durability\":\"disk+1\",\"participants\":" PEOPLE_JSON ",\"by\":\"" U1
                 "\",\"message\":" SYSTEM_MESSAGE_JSON "}");
    change.kind = CHANGE_PARTICIPANTS_REMOVED;
    assert_frame(encode_change, &change,
                 "{\"type\":\"participantsRemoved\",\"thread\":\"" T
                 "\",\"offset\":7,\"durability\":\"disk+1\",\"participants\":" PEOPLE_JSON ",\"by\":\"" U1
                 "\",\"message\":" SYSTEM_MESSAGE_JSON "}");
}

static void typing_and_receipts_have_no_offset(void **state) {
    (void)state;
    struct typing_notice typing[] = {{BYTES_LITERAL(U1), BYTES_LITERAL("Alice"), 1767323045100},
                                     {BYTES_LITERAL(U2), BYTES_LITERAL(""), 1767323045200}};
    struct receipt receipts[] = {{BYTES_LITERAL(U1), 1767323049123, 1767323060456}};
    struct change change = {.kind = CHANGE_TYPING,
                            .thread_id = BYTES_LITERAL(T),
                            .typing = typing,
                            .typing_count = COUNT(typing),
                            .receipts = receipts,
                            .receipts_count = COUNT(receipts)};
    assert_frame(encode_change, &change,
                 "{\"type\":\"typing\",\"thread\":\"" T "\",\"users\":[{\"user\":\"" U1
                 "\",\"displayName\":\"Alice\",\"at\":\"2026-01-02T03:04:05.100Z\"},{\"user\":\"" U2
                 "\",\"at\":\"2026-01-02T03:04:05.200Z\"}]}");
    change.kind = CHANGE_RECEIPTS;
    assert_frame(encode_change, &change,
                 "{\"type\":\"receipts\",\"thread\":\"" T "\",\"receipts\":[{\"user\":\"" U1
                 "\",\"messageId\":\"1767323049123\",\"readOn\":\"2026-01-02T03:04:20.456Z\"}]}");
}

static void changes_of_the_server_itself_give_no_frame(void **state) {
    (void)state;
    const enum change_kind kinds[] = {CHANGE_USER_JOINED, CHANGE_USER_REVOKED};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct change change = {.kind = kinds[i], .thread_id = BYTES_LITERAL(T)};
        struct buffer out;
        buffer_init(&out);
        encode_change(REALTIME_JSON, &change, &out);
        encode_change(REALTIME_MSGPACK, &change, &out);
        assert_int_equal(out.size, 0);
        buffer_close(&out);
    }
}

static void encode_connected(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_connected_encode(format, BYTES_LITERAL(U1), 1767323045100, 25000, BYTES_LITERAL("node-1"), out);
}

static void encode_ack(enum realtime_format format, const void *argument, struct buffer *out) {
    realtime_ack_encode(format, BYTES_LITERAL("m1"), BYTES_LITERAL(T), argument, "disk", out);
}

static void encode_error(enum realtime_format format, const void *argument, struct buffer *out) {
    realtime_error_encode(format, BYTES_LITERAL("m1"), BYTES_LITERAL(T), argument, 1500, out);
}

static void encode_bare_error(enum realtime_format format, const void *argument, struct buffer *out) {
    realtime_error_encode(format, BYTES_ABSENT, BYTES_ABSENT, argument, 0, out);
}

static void encode_complete(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_complete_encode(format, BYTES_LITERAL(T), 5000000000, out);
}

static void encode_gap(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_gap_encode(format, BYTES_LITERAL(T), 0, 300, out);
}

static void encode_goaway(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_goaway_encode(format, 30000, "drain", out);
}

static void encode_pong(enum realtime_format format, const void *argument, struct buffer *out) {
    realtime_pong_encode(format, bytes_of_text(argument), out);
}

static void encode_token_accepted(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_token_accepted_encode(format, 1767323045100, out);
}

static void encode_token_expiring(enum realtime_format format, const void *argument, struct buffer *out) {
    (void)argument;
    realtime_token_expiring_encode(format, 1767323045100, out);
}

static void acknowledgements_name_what_was_stored(void **state) {
    (void)state;
    struct command_result result = {
        .message_id = 1767323045100, .offset = 7, .sequence = 3, .version = 1767323045100, .time_ms = 1767323045100};
    assert_frame(encode_ack, &result,
                 "{\"type\":\"ack\",\"id\":\"m1\",\"thread\":\"" T
                 "\",\"messageId\":\"1767323045100\",\"sequenceId\":\"3\",\"offset\":7,\"version\":\"1767323045100\","
                 "\"createdOn\":\"2026-01-02T03:04:05.100Z\",\"durability\":\"disk\"}");
    struct command_result duplicate = {.message_id = 5, .is_duplicate = true};
    assert_frame(encode_ack, &duplicate,
                 "{\"type\":\"ack\",\"id\":\"m1\",\"thread\":\"" T
                 "\",\"messageId\":\"5\",\"durability\":\"disk\",\"duplicate\":true}");
}

static void errors_have_the_codes_of_rest(void **state) {
    (void)state;
    struct problem problem = {STATUS_OVERLOADED, BYTES_ABSENT, BYTES_ABSENT};
    assert_frame(encode_error, &problem,
                 "{\"type\":\"error\",\"id\":\"m1\",\"code\":\"Overloaded\",\"message\":\"The server has as many "
                 "requests waiting as it takes; try again.\",\"thread\":\"" T "\",\"retryAfterMs\":1500}");
    struct problem quoting = {STATUS_VALIDATION_ERROR, BYTES_LITERAL("cut \xe2\x98"), BYTES_LITERAL("topic")};
    assert_frame(encode_bare_error, &quoting,
                 "{\"type\":\"error\",\"code\":\"ValidationError\",\"message\":\"cut \xef\xbf\xbd\xef\xbf\xbd\"}");
}

static void notices_are_written(void **state) {
    (void)state;
    assert_frame(encode_connected, NULL,
                 "{\"type\":\"connected\",\"user\":\"" U1
                 "\",\"expiresOn\":\"2026-01-02T03:04:05.100Z\",\"heartbeatMs\":25000,\"node\":\"node-1\"}");
    assert_frame(encode_complete, NULL, "{\"type\":\"complete\",\"thread\":\"" T "\",\"offset\":5000000000}");
    assert_frame(encode_gap, NULL, "{\"type\":\"gap\",\"thread\":\"" T "\",\"from\":0,\"to\":300}");
    assert_frame(encode_goaway, NULL, "{\"type\":\"goaway\",\"afterMs\":30000,\"reason\":\"drain\"}");
    assert_frame(encode_pong, NULL, "{\"type\":\"pong\"}");
    assert_frame(encode_pong, "7", "{\"type\":\"pong\",\"id\":\"7\"}");
    assert_frame(encode_token_accepted, NULL,
                 "{\"type\":\"tokenAccepted\",\"expiresOn\":\"2026-01-02T03:04:05.100Z\"}");
    assert_frame(encode_token_expiring, NULL,
                 "{\"type\":\"tokenExpiring\",\"expiresOn\":\"2026-01-02T03:04:05.100Z\"}");
}

static void requests_written_for_tests_are_read_by_the_server(void **state) {
    for (int i = 0; i < REALTIME_FORMATS; i++) {
        enum realtime_format format = (enum realtime_format)i;
        struct realtime_request request;
        struct problem problem;
        struct buffer out;
        buffer_init(&out);
        const struct realtime_position position = {BYTES_LITERAL(T), 5000000000};
        realtime_connect_request_encode(format, BYTES_LITERAL("tok"), NULL, 0, &out);
        assert_int_equal(realtime_request_parse(*state, format, buffer_bytes(&out), 100, &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_CONNECT);
        assert_text(request.token, "tok");
        assert_int_equal(request.positions_count, 0);
        out.size = 0;
        realtime_connect_request_encode(format, BYTES_LITERAL("tok"), &position, 1, &out);
        assert_int_equal(realtime_request_parse(*state, format, buffer_bytes(&out), 100, &request, &problem), 0);
        assert_int_equal(request.positions_count, 1);
        assert_text(request.positions[0].thread_id, T);
        assert_true(request.positions[0].offset == 5000000000);
        out.size = 0;
        realtime_resume_request_encode(format, &position, 1, &out);
        assert_int_equal(realtime_request_parse(*state, format, buffer_bytes(&out), 100, &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_RESUME);
        assert_true(request.positions[0].offset == 5000000000);
        out.size = 0;
        realtime_send_request_encode(format, BYTES_LITERAL("m1"), BYTES_LITERAL(T), BYTES_LITERAL("hi"), &out);
        assert_int_equal(realtime_request_parse(*state, format, buffer_bytes(&out), 100, &request, &problem), 0);
        assert_int_equal(request.type, REALTIME_SEND);
        assert_text(request.content, "hi");
        buffer_close(&out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_connect_carries_token_and_positions),
        TEST(a_send_is_read_whole),
        TEST(members_that_are_not_given_have_their_defaults),
        TEST(the_other_requests_are_read),
        TEST(refusals_name_the_request_the_field_and_the_value),
        TEST(what_is_no_frame_at_all_is_malformed),
        TEST(frames_and_ids_are_bounded),
        TEST(a_resume_names_a_bounded_number_of_threads),
        TEST(message_changes_carry_the_message_as_it_is_now),
        TEST(thread_changes_carry_their_properties),
        TEST(a_deleted_thread_says_why_and_by_whom_if_by_anybody),
        TEST(participant_changes_carry_the_system_message),
        TEST(typing_and_receipts_have_no_offset),
        TEST(changes_of_the_server_itself_give_no_frame),
        TEST(acknowledgements_name_what_was_stored),
        TEST(errors_have_the_codes_of_rest),
        TEST(notices_are_written),
        TEST(requests_written_for_tests_are_read_by_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
