#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>

#include "proto/limits.h"
#include "proto/problem.h"
#include "proto/trouter.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define T "19:acsV1_x1@thread.v2"
#define U1 "8:acs:r_1"
#define U2 "8:acs:r_2"
#define CV "FHL85WCDXEW1ul1BFHL85W"

/* Tickets */

static const uint8_t KEY[TROUTER_TICKET_KEY_BYTES] = {1, 2, 3};

static struct trouter_ticket ticket(void) {
    return (struct trouter_ticket){.user_id = BYTES_LITERAL(U1),
                                   .endpoint_id = BYTES_LITERAL("e4cae6a1-72dd-45ce-856b-ee41c7f8415b"),
                                   .issued_ms = 1767323045100,
                                   .expires_ms = 1767323075100,
                                   .token_expires_ms = -1,
                                   .token_issued_ms = INT64_MAX,
                                   .nonce = {0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}};
}

static void a_ticket_opens_with_what_was_sealed(void **state) {
    struct trouter_ticket sealed = ticket(), opened;
    struct bytes text = trouter_ticket_seal(*state, KEY, "socket", &sealed);
    assert_int_equal(trouter_ticket_open(*state, KEY, "socket", text, 1767323075099, &opened), 0);
    assert_text(opened.user_id, U1);
    assert_text(opened.endpoint_id, "e4cae6a1-72dd-45ce-856b-ee41c7f8415b");
    assert_true(opened.issued_ms == sealed.issued_ms);
    assert_true(opened.expires_ms == sealed.expires_ms);
    assert_true(opened.token_expires_ms == -1);
    assert_true(opened.token_issued_ms == INT64_MAX);
    assert_memory_equal(opened.nonce, sealed.nonce, sizeof(sealed.nonce));
}

static void a_ticket_fits_a_path_and_an_unencoded_query(void **state) {
    struct trouter_ticket sealed = ticket();
    for (uint8_t i = 0; i < 50; i++) {
        sealed.nonce[3] = i;
        struct bytes text = trouter_ticket_seal(*state, KEY, "socket", &sealed);
        for (size_t j = 0; j < text.size; j++)
            assert_non_null(
                memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", text.data[j], 65));
    }
}

static void an_old_ticket_is_expired(void **state) {
    struct trouter_ticket sealed = ticket(), opened;
    struct bytes text = trouter_ticket_seal(*state, KEY, "socket", &sealed);
    assert_int_equal(trouter_ticket_open(*state, KEY, "socket", text, sealed.expires_ms, &opened),
                     STATUS_TOKEN_EXPIRED);
}

static void a_ticket_of_another_purpose_or_key_is_refused(void **state) {
    struct trouter_ticket sealed = ticket(), opened;
    const uint8_t other_key[TROUTER_TICKET_KEY_BYTES] = {1, 2, 4};
    struct bytes text = trouter_ticket_seal(*state, KEY, "allocate", &sealed);
    assert_int_equal(trouter_ticket_open(*state, KEY, "allocate", text, 0, &opened), 0);
    assert_int_equal(trouter_ticket_open(*state, KEY, "socket", text, 0, &opened), STATUS_UNAUTHORIZED);
    assert_int_equal(trouter_ticket_open(*state, KEY, "", text, 0, &opened), STATUS_UNAUTHORIZED);
    assert_int_equal(trouter_ticket_open(*state, other_key, "allocate", text, 0, &opened), STATUS_UNAUTHORIZED);
}

static void a_ticket_changed_anywhere_is_refused(void **state) {
    struct trouter_ticket sealed = ticket(), opened;
    struct bytes text = trouter_ticket_seal(*state, KEY, "socket", &sealed);
    for (size_t i = 0; i < text.size; i++) {
        struct bytes changed = arena_copy(*state, text);
        uint8_t *data = (uint8_t *)(uintptr_t)changed.data;
        data[i] = data[i] == 'A' ? 'B' : 'A';
        assert_int_equal(trouter_ticket_open(*state, KEY, "socket", changed, 0, &opened), STATUS_UNAUTHORIZED);
        assert_int_equal(trouter_ticket_open(*state, KEY, "socket", bytes_of(text.data, i), 0, &opened),
                         STATUS_UNAUTHORIZED);
    }
    const struct bytes others[] = {BYTES_ABSENT, BYTES_LITERAL("="), BYTES_LITERAL("a+/b"),
                                   arena_printf(*state, "%.*sAAAA", BYTES_ARG(text)),
                                   arena_printf(*state, "%8192d", 0)};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(trouter_ticket_open(*state, KEY, "socket", others[i], 0, &opened), STATUS_UNAUTHORIZED);
}

static void an_allocation_has_what_the_client_needs(void **state) {
    struct trouter_ticket sealed = ticket();
    struct bytes body = trouter_allocation_encode(*state, BYTES_LITERAL("https://h:8443"),
                                                  BYTES_LITERAL("abcdefghijklmnopqrstuvwxyz"), &sealed, 21600);
    assert_text(body, "{\"socketio\":\"https://h:8443/\",\"url\":\"https://h:8443/v4/f/weft/\","
                      "\"surl\":\"https://h:8443/v4/f/weft/\",\"ttl\":\"21600\","
                      "\"id\":\"ab010203-0405-4607-8809-0a0b0c0d0eff\",\"ccid\":\"ab01020304050607\","
                      "\"curlb\":\"https://h:8443\",\"connectparams\":{\"sr\":\"abcdefghijklmnopqrstuvwxyz\","
                      "\"issuer\":\"weft\",\"sp\":\"connect\",\"se\":\"1767323075100\",\"st\":\"1767323045100\","
                      "\"sig\":\"klmnopqrstuvwxyz\"}}");
}

/* Packets */

static void packets_of_the_client_are_read(void **state) {
    const struct {
        const char *text;
        enum trouter_packet_type type;
        bool wants_ack;
        uint64_t id;
        const char *data;
        const char *event_name; /* NULL: none */
        uint64_t push_id;
        int push_status;
    } rows[] = {
        {"0::", TROUTER_DISCONNECT, false, 0, "", NULL, 0, 0},
        {"1::", TROUTER_CONNECT, false, 0, "", NULL, 0, 0},
        {"2::", TROUTER_HEARTBEAT, false, 0, "", NULL, 0, 0},
        {"8::", TROUTER_NOOP, false, 0, "", NULL, 0, 0},
        {"2:::", TROUTER_HEARTBEAT, false, 0, "", NULL, 0, 0},
        {"7:::1+0", TROUTER_ERROR, false, 0, "1+0", NULL, 0, 0},
        {"6:::1+[]", TROUTER_ACK, false, 0, "1+[]", NULL, 0, 0},
        {"5:3+::{\"name\":\"ping\"}", TROUTER_EVENT, true, 3, "{\"name\":\"ping\"}", "ping", 0, 0},
        {"5:1+::{\"name\":\"user.activity\",\"args\":[{\"state\":\"active\",\"cv\":\"F:z.2\"}]}", TROUTER_EVENT, true,
         1, "{\"name\":\"user.activity\",\"args\":[{\"state\":\"active\",\"cv\":\"F:z.2\"}]}", "user.activity", 0, 0},
        {"5:::{\"name\":\"x\"}", TROUTER_EVENT, false, 0, "{\"name\":\"x\"}", "x", 0, 0},
        {"5:12::{\"name\":\"x\"}", TROUTER_EVENT, false, 12, "{\"name\":\"x\"}", "x", 0, 0},
        {"3:::{\"id\":35,\"status\":200,\"headers\":{\"trouter-client\":\"{\\\"cd\\\":0}\"},\"body\":\"\"}",
         TROUTER_MESSAGE, false, 0,
         "{\"id\":35,\"status\":200,\"headers\":{\"trouter-client\":\"{\\\"cd\\\":0}\"},\"body\":\"\"}", NULL, 35, 200},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct trouter_packet packet;
        assert_int_equal(trouter_packet_parse(*state, bytes_of_text(rows[i].text), &packet), 0);
        assert_int_equal(packet.type, rows[i].type);
        assert_int_equal(packet.wants_ack, rows[i].wants_ack);
        assert_int_equal(packet.id, rows[i].id);
        assert_text(packet.data, rows[i].data);
        assert_text(packet.event_name, rows[i].event_name == NULL ? "" : rows[i].event_name);
        assert_int_equal(packet.push_id, rows[i].push_id);
        assert_int_equal(packet.push_status, rows[i].push_status);
    }
}

static void malformed_packets_are_refused(void **state) {
    const char *rows[] = {
        "",
        ":",
        "::",
        "2",
        "2:",
        "4::",
        "9::",
        "x::",
        "-1::",
        "\uFFFD3::",
        "5:x::{\"name\":\"x\"}",
        "5:+::{\"name\":\"x\"}",
        "5:1++::{\"name\":\"x\"}",
        "5:99999999999999999999+::{\"name\":\"x\"}",
        "5:::",
        "5:::[]",
        "5:::{}",
        "5:::{\"name\":7}",
        "5:1+:{\"name\"",
        "3:::",
        "3:::{}",
        "3:::{\"id\":1}",
        "3:::{\"status\":200}",
        "3:::{\"id\":\"1\",\"status\":200}",
        "3:::{\"id\":-1,\"status\":200}",
        "3:::{\"id\":1,\"status\":1000}",
        "3:::{\"id\":1,\"status\":-1}",
        "3:::{\"id\":1.5,\"status\":200}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct trouter_packet packet;
        if (trouter_packet_parse(*state, bytes_of_text(rows[i]), &packet) != STATUS_MALFORMED)
            fail_msg("%s was not refused", rows[i]);
    }
    struct trouter_packet packet;
    assert_int_equal(trouter_packet_parse(*state, BYTES_ABSENT, &packet), STATUS_MALFORMED);
}

static void packets_of_the_server_are_written(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out);
    trouter_connected_encode(&out, 21600);
    assert_text(buffer_bytes(&out), "5:::{\"name\":\"trouter.connected\",\"args\":[{\"ttl\":\"21600\"}]}");
    out.size = 0;
    trouter_reconnect_encode(&out, "any");
    assert_text(buffer_bytes(&out), "5:::{\"name\":\"trouter.reconnect\",\"args\":[{\"target\":\"any\"}]}");
    out.size = 0;
    trouter_ack_encode(&out, 17);
    assert_text(buffer_bytes(&out), "6:::17+[]");
    out.size = 0;
    trouter_disconnect_encode(&out, NULL);
    assert_text(buffer_bytes(&out), "0::");
    out.size = 0;
    trouter_disconnect_encode(&out, "unauthorized");
    assert_text(buffer_bytes(&out), "0:::{\"reason\":\"unauthorized\"}");
    buffer_close(&out);
}

static void registrations_are_read(void **state) {
    struct bytes id;
    struct problem problem;
    struct bytes body = bytes_of_text(
        "{\"clientDescription\":{\"appId\":\"AcsWeb\",\"aesKey\":\"\"},\"registrationId\":\"e4cae6a1\",\"nodeId\":"
        "\"\",\"transports\":{\"TROUTER\":[{\"context\":\"\",\"path\":\"https://h/v4/f/weft/\",\"ttl\":7200}]}}");
    assert_int_equal(trouter_registration_parse(*state, body, &id, &problem), 0);
    assert_text(id, "e4cae6a1");
    assert_int_equal(trouter_registration_parse(*state, BYTES_LITERAL("{}"), &id, &problem), STATUS_VALIDATION_ERROR);
    assert_text(problem.target, "registrationId");
    assert_int_equal(trouter_registration_parse(*state, BYTES_LITERAL("["), &id, &problem), STATUS_BAD_REQUEST);
    assert_false(bytes_is_present(id));
}

/* Pushes */

/* The body of a push as its recipient U2 parses it: the frame is JSON, and its member `body` is JSON as text. The
 * caller gives it back. */
static json_t *body_of(const struct trouter_push *push, const char *event_name) {
    struct buffer frame;
    buffer_init(&frame);
    buffer_append_text(&frame, "{\"id\":7");
    buffer_append_bytes(&frame, push->before);
    trouter_recipient_encode(&frame, BYTES_LITERAL(U2));
    buffer_append_bytes(&frame, push->after);
    json_error_t error;
    json_t *tree = json_loadb((const char *)frame.data, frame.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (tree == NULL)
        fail_msg("%s: %.*s", error.text, (int)frame.size, (const char *)frame.data);
    assert_int_equal(json_integer_value(json_object_get(tree, "id")), 7);
    assert_string_equal(json_string_value(json_object_get(tree, "method")), "POST");
    char url[80];
    snprintf(url, sizeof(url), "/v4/f/weft/%s", event_name);
    assert_string_equal(json_string_value(json_object_get(tree, "url")), url);
    const json_t *headers = json_object_get(tree, "headers");
    assert_string_equal(json_string_value(json_object_get(headers, "Content-Type")), "application/json");
    assert_string_equal(json_string_value(json_object_get(headers, "MS-CV")), CV ".0");
    assert_string_equal(json_string_value(json_object_get(headers, "trouter-request")), "{\"id\":\"" CV "\"}");
    const json_t *text = json_object_get(tree, "body");
    json_t *body = json_loadb(json_string_value(text), json_string_length(text), JSON_REJECT_DUPLICATES, &error);
    if (body == NULL)
        fail_msg("%s: %s", error.text, json_string_value(text));
    json_decref(tree);
    buffer_close(&frame);
    return body;
}

/* Takes `body`. The members, whatever their order, are exactly those of `expected`. */
static void assert_body_take(json_t *body, const char *expected) {
    json_error_t error;
    json_t *wanted = json_loads(expected, JSON_REJECT_DUPLICATES, &error);
    if (wanted == NULL)
        fail_msg("the expectation is no JSON: %s", error.text);
    if (!json_equal(wanted, body)) {
        char *text = json_dumps(body, JSON_COMPACT);
        print_error("got %s\n", text);
        free(text);
        fail_msg("\n  expected %s", expected);
    }
    json_decref(wanted);
    json_decref(body);
}

static void assert_push(struct arena *arena, const struct change *change, const char *event_name,
                        const char *expected) {
    struct trouter_push pushes[LIMIT_COALESCE_PER_TICK_MAX];
    assert_int_equal(trouter_pushes_encode(arena, change, CV, pushes, COUNT(pushes)), 1);
    assert_false(bytes_is_present(pushes[0].excluded_user_id));
    assert_body_take(body_of(&pushes[0], event_name), expected);
}

static struct metadata_pair PAIRS[] = {{BYTES_LITERAL("k"), BYTES_LITERAL("v%20")}};

static struct change message_change(void) {
    return (struct change){.kind = CHANGE_MESSAGE_RECEIVED,
                           .thread_id = BYTES_LITERAL(T),
                           .offset = 4,
                           .version = 1767323060456,
                           .actor_id = BYTES_LITERAL(U1),
                           .message = {.id = 1767323049123,
                                       .version = 1767323060456,
                                       .type = MESSAGE_TEXT,
                                       .created_ms = 1767323049123,
                                       .actor_id = BYTES_LITERAL(U1),
                                       .display_name = BYTES_LITERAL("Al\"ice\\"),
                                       .content = BYTES_LITERAL("100%41 \"Bob\" \\ \n\x01 ✓"),
                                       .metadata = {PAIRS, 1, true, false}}};
}

#define MESSAGE_PART                                                                                                   \
    "\"recipientId\":\"acs:r_2\",\"recipientMri\":\"" U2 "\",\"senderId\":\"" U1 "\",\"transactionId\":\"" CV          \
    "\",\"groupId\":\"" T "\",\"messageId\":\"1767323049123\",\"collapseId\":\"1767323049123\","                       \
    "\"clientMessageId\":\"\",\"priority\":\"\",\"originalArrivalTime\":\"2026-01-02T03:04:09.123Z\""

static void a_received_message_is_pushed_unchanged(void **state) {
    struct change change = message_change();
    assert_push(*state, &change, "chatMessageReceived",
                "{\"eventId\":200," MESSAGE_PART ",\"messageType\":\"Text\",\"senderDisplayName\":\"Al\\\"ice\\\\\","
                "\"version\":\"1767323060456\",\"messageBody\":\"100%41 \\\"Bob\\\" \\\\ \\n\\u0001 ✓\","
                "\"acsChatMessageMetadata\":\"{\\\"k\\\":\\\"v%20\\\"}\",\"attachments\":\"\"}");
    change.message.type = MESSAGE_HTML;
    change.message.content = BYTES_LITERAL("<b>x</b>");
    change.message.display_name = BYTES_ABSENT;
    change.message.metadata = (struct metadata){0};
    assert_push(*state, &change, "chatMessageReceived",
                "{\"eventId\":200," MESSAGE_PART ",\"messageType\":\"RichText/Html\",\"senderDisplayName\":\"\","
                "\"version\":\"1767323060456\",\"messageBody\":\"<b>x</b>\",\"acsChatMessageMetadata\":\"{}\","
                "\"attachments\":\"\"}");
}

static void an_edited_message_says_when(void **state) {
    struct change change = message_change();
    change.kind = CHANGE_MESSAGE_EDITED;
    change.message.edited_ms = 1767323060456;
    change.message.content = BYTES_LITERAL("new");
    change.message.display_name = BYTES_LITERAL("");
    assert_push(*state, &change, "chatMessageEdited",
                "{\"eventId\":247," MESSAGE_PART ",\"messageType\":\"Text\",\"senderDisplayName\":\"\","
                "\"version\":\"1767323060456\",\"messageBody\":\"new\","
                "\"acsChatMessageMetadata\":\"{\\\"k\\\":\\\"v%20\\\"}\",\"attachments\":\"\","
                "\"edittime\":\"2026-01-02T03:04:20.456Z\",\"composetime\":\"2026-01-02T03:04:09.123Z\"}");
}

static void a_deleted_message_has_neither_body_nor_metadata(void **state) {
    struct change change = message_change();
    change.kind = CHANGE_MESSAGE_DELETED;
    change.message.deleted_ms = 1767323060456;
    change.message.display_name = BYTES_LITERAL("Alice");
    assert_push(*state, &change, "chatMessageDeleted",
                "{\"eventId\":248," MESSAGE_PART ",\"messageType\":\"Text\",\"senderDisplayName\":\"Alice\","
                "\"version\":\"1767323060456\",\"deletetime\":\"2026-01-02T03:04:20.456Z\"}");
}

static void typing_gives_a_push_for_each_user(void **state) {
    struct typing_notice typing[] = {{BYTES_LITERAL(U1), BYTES_LITERAL("Alice"), 1767323045100},
                                     {BYTES_LITERAL(U2), BYTES_LITERAL("Bob"), 1767323045200}};
    struct change change = {
        .kind = CHANGE_TYPING, .thread_id = BYTES_LITERAL(T), .typing = typing, .typing_count = COUNT(typing)};
    struct trouter_push pushes[LIMIT_COALESCE_PER_TICK_MAX];
    assert_int_equal(trouter_pushes_encode(*state, &change, CV, pushes, COUNT(pushes)), 2);
    assert_false(bytes_is_present(pushes[0].excluded_user_id));
    json_decref(body_of(&pushes[0], "typingIndicatorReceived"));
    assert_body_take(body_of(&pushes[1], "typingIndicatorReceived"),
                     "{\"eventId\":245,\"recipientId\":\"acs:r_2\",\"recipientMri\":\"" U2 "\",\"senderId\":\"" U2
                     "\",\"transactionId\":\"" CV "\",\"groupId\":\"" T
                     "\",\"messageId\":\"1767323045200\",\"collapseId\":\"1767323045200\",\"messageType\":"
                     "\"Control/Typing\",\"senderDisplayName\":\"Bob\",\"clientMessageId\":\"\",\"priority\":\"\","
                     "\"version\":\"1767323045200\",\"originalArrivalTime\":\"2026-01-02T03:04:05.200Z\"}");
    assert_int_equal(trouter_pushes_encode(*state, &change, CV, pushes, 1), 1);
}

static void receipts_are_not_pushed_to_the_reader(void **state) {
    struct receipt receipts[] = {{BYTES_LITERAL(U1), 1767323049123, 1767323060456}};
    struct change change = {.kind = CHANGE_RECEIPTS,
                            .thread_id = BYTES_LITERAL(T),
                            .receipts = receipts,
                            .receipts_count = COUNT(receipts)};
    struct trouter_push push;
    assert_int_equal(trouter_pushes_encode(*state, &change, CV, &push, 1), 1);
    assert_text(push.excluded_user_id, U1);
    assert_body_take(body_of(&push, "readReceiptReceived"),
                     "{\"eventId\":246,\"recipientId\":\"acs:r_2\",\"recipientMri\":\"" U2 "\",\"senderId\":\"" U1
                     "\",\"transactionId\":\"" CV "\",\"groupId\":\"" T
                     "\",\"messageId\":\"1767323049123\",\"collapseId\":\"1767323049123\",\"messageType\":"
                     "\"ThreadActivity/MemberConsumptionHorizonUpdate\",\"senderDisplayName\":\"\","
                     "\"clientMessageId\":\"\",\"priority\":\"\",\"version\":\"1767323060456\","
                     "\"originalArrivalTime\":\"2026-01-02T03:04:20.456Z\",\"messageBody\":\"{\\\"user\\\":\\\"" U1
                     "\\\",\\\"consumptionhorizon\\\":\\\"1767323049123;1767323060456;0\\\","
                     "\\\"messageVisibilityTime\\\":1767323049123,\\\"version\\\":\\\"1767323060456\\\"}\"}");
}

static struct participant PEOPLE[] = {
    {.user_id = BYTES_LITERAL(U1), .display_name = BYTES_LITERAL("Bob 100%41")},
    {.user_id = BYTES_LITERAL(U2), .share_history_ms = 1767323045100, .metadata = {PAIRS, 1, true, false}}};

static struct change thread_change(enum change_kind kind) {
    return (struct change){.kind = kind,
                           .thread_id = BYTES_LITERAL(T),
                           .version = 1767323060456,
                           .time_ms = 1767323060456,
                           .actor_id = BYTES_LITERAL(U1),
                           .actor_display_name = BYTES_LITERAL("A%41"),
                           .participants = {PEOPLE, COUNT(PEOPLE)},
                           .properties = {.topic = BYTES_LITERAL("100% coffee – café ☕"),
                                          .created_ms = 1767323045100,
                                          .metadata = {PAIRS, 1, true, false},
                                          .retention = {RETENTION_THREAD_CREATION_DATE, 40}}};
}

#define THREAD_PART                                                                                                    \
    "\"recipientId\":\"acs:r_2\",\"recipientMri\":\"" U2 "\",\"threadId\":\"" T "\",\"version\":\"1767323060456\""
#define ACTOR                                                                                                          \
    "\"{\\\"participantId\\\":\\\"" U1                                                                                 \
    "\\\",\\\"displayName\\\":\\\"A%2541\\\",\\\"shareHistoryTime\\\":\\\"1970-01-01T00:00:00.000Z\\\"}\""
#define PARTICIPANTS                                                                                                   \
    "\"[{\\\"participantId\\\":\\\"" U1                                                                                \
    "\\\",\\\"displayName\\\":\\\"Bob 100%2541\\\",\\\"shareHistoryTime\\\":\\\"1970-01-01T00:00:00.000Z\\\"},"        \
    "{\\\"participantId\\\":\\\"" U2                                                                                   \
    "\\\",\\\"displayName\\\":\\\"\\\",\\\"shareHistoryTime\\\":\\\"2026-01-02T03:04:05.100Z\\\","                     \
    "\\\"memberMetaData\\\":\\\"{\\\\\\\"k\\\\\\\":\\\\\\\"v%2520\\\\\\\"}\\\"}]\""
#define PROPERTIES                                                                                                     \
    "\"{\\\"topic\\\":\\\"100%25 coffee – café ☕\\\",\\\"acsChatThreadMetadata\\\":"                              \
    "\\\"{\\\\\\\"k\\\\\\\":\\\\\\\"v%2520\\\\\\\"}\\\",\\\"retentionPolicy\\\":"                                      \
    "\\\"{\\\\\\\"retentionPolicyType\\\\\\\":\\\\\\\"DeleteAfterCreationTime\\\\\\\","                                \
    "\\\\\\\"executeAfter\\\\\\\":\\\\\\\"40.00:00:00\\\\\\\"}\\\"}\""

static void thread_events_survive_the_unescaping_of_the_sdk(void **state) {
    struct change change = thread_change(CHANGE_THREAD_CREATED);
    assert_push(*state, &change, "chatThreadCreated",
                "{\"eventId\":257," THREAD_PART ",\"createTime\":\"2026-01-02T03:04:05.100Z\",\"createdBy\":" ACTOR
                ",\"members\":" PARTICIPANTS ",\"properties\":" PROPERTIES "}");
    change = thread_change(CHANGE_THREAD_UPDATED);
    assert_push(*state, &change, "chatThreadPropertiesUpdated",
                "{\"eventId\":258," THREAD_PART ",\"editTime\":\"2026-01-02T03:04:20.456Z\",\"editedBy\":" ACTOR
                ",\"properties\":" PROPERTIES "}");
    change = thread_change(CHANGE_PARTICIPANTS_ADDED);
    assert_push(*state, &change, "participantsAdded",
                "{\"eventId\":260," THREAD_PART ",\"time\":\"2026-01-02T03:04:20.456Z\",\"addedBy\":" ACTOR
                ",\"participantsAdded\":" PARTICIPANTS "}");
    change = thread_change(CHANGE_PARTICIPANTS_REMOVED);
    assert_push(*state, &change, "participantsRemoved",
                "{\"eventId\":261," THREAD_PART ",\"time\":\"2026-01-02T03:04:20.456Z\",\"removedBy\":" ACTOR
                ",\"participantsRemoved\":" PARTICIPANTS "}");
}

static void a_thread_without_policy_or_metadata_says_so(void **state) {
    struct change change = thread_change(CHANGE_THREAD_UPDATED);
    change.properties.metadata = (struct metadata){0};
    change.properties.retention = (struct retention){RETENTION_NONE, 0};
    assert_push(*state, &change, "chatThreadPropertiesUpdated",
                "{\"eventId\":258," THREAD_PART ",\"editTime\":\"2026-01-02T03:04:20.456Z\",\"editedBy\":" ACTOR
                ",\"properties\":\"{\\\"topic\\\":\\\"100%25 coffee – café ☕\\\",\\\"acsChatThreadMetadata\\\":"
                "\\\"{}\\\"}\"}");
}

static void a_deleted_thread_says_why_and_by_whom_if_by_anybody(void **state) {
    struct change change = thread_change(CHANGE_THREAD_DELETED);
    change.reason = BYTES_LITERAL("deletedByUser");
    assert_push(*state, &change, "chatThreadDeleted",
                "{\"eventId\":259," THREAD_PART ",\"deleteTime\":\"2026-01-02T03:04:20.456Z\",\"deletedBy\":" ACTOR
                ",\"reason\":\"deletedByUser\"}");
    change.reason = BYTES_LITERAL("deletedByPolicy");
    change.actor_id = BYTES_ABSENT;
    assert_push(*state, &change, "chatThreadDeleted",
                "{\"eventId\":259," THREAD_PART ",\"deleteTime\":\"2026-01-02T03:04:20.456Z\","
                "\"reason\":\"deletedByPolicy\"}");
}

static void system_messages_and_server_changes_are_not_pushed(void **state) {
    const struct change rows[] = {
        {.kind = CHANGE_MESSAGE_RECEIVED, .message = {.type = MESSAGE_TOPIC_UPDATED}},
        {.kind = CHANGE_MESSAGE_RECEIVED, .message = {.type = MESSAGE_PARTICIPANT_ADDED}},
        {.kind = CHANGE_MESSAGE_EDITED, .message = {.type = MESSAGE_PARTICIPANT_REMOVED}},
        {.kind = CHANGE_USER_JOINED},
        {.kind = CHANGE_USER_REVOKED},
        {.kind = CHANGE_TYPING},
        {.kind = CHANGE_RECEIPTS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct trouter_push push;
        assert_int_equal(trouter_pushes_encode(*state, &rows[i], CV, &push, 1), 0);
    }
    struct change change = message_change();
    assert_int_equal(trouter_pushes_encode(*state, &change, CV, NULL, 0), 0);
}

static void a_recipient_is_named_with_and_without_prefix(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out);
    trouter_recipient_encode(&out, BYTES_LITERAL(U1));
    assert_text(buffer_bytes(&out), "\\\"recipientId\\\":\\\"acs:r_1\\\",\\\"recipientMri\\\":\\\"8:acs:r_1\\\",");
    out.size = 0;
    trouter_recipient_encode(&out, BYTES_LITERAL("4:+1\"5"));
    assert_text(buffer_bytes(&out),
                "\\\"recipientId\\\":\\\"4:+1\\\\\\\"5\\\",\\\"recipientMri\\\":\\\"4:+1\\\\\\\"5\\\",");
    buffer_close(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_ticket_opens_with_what_was_sealed),
        TEST(a_ticket_fits_a_path_and_an_unencoded_query),
        TEST(an_old_ticket_is_expired),
        TEST(a_ticket_of_another_purpose_or_key_is_refused),
        TEST(a_ticket_changed_anywhere_is_refused),
        TEST(an_allocation_has_what_the_client_needs),
        TEST(packets_of_the_client_are_read),
        TEST(malformed_packets_are_refused),
        TEST(packets_of_the_server_are_written),
        TEST(registrations_are_read),
        TEST(a_received_message_is_pushed_unchanged),
        TEST(an_edited_message_says_when),
        TEST(a_deleted_message_has_neither_body_nor_metadata),
        TEST(typing_gives_a_push_for_each_user),
        TEST(receipts_are_not_pushed_to_the_reader),
        TEST(thread_events_survive_the_unescaping_of_the_sdk),
        TEST(a_thread_without_policy_or_metadata_says_so),
        TEST(a_deleted_thread_says_why_and_by_whom_if_by_anybody),
        TEST(system_messages_and_server_changes_are_not_pushed),
        TEST(a_recipient_is_named_with_and_without_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
