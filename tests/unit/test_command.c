#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/command.h"
#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes encode(struct arena *arena, const struct command *command) {
    struct buffer out;
    buffer_init(&out);
    command_encode(command, &out);
    struct bytes encoded = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return encoded;
}

static struct id_hash hash_of(uint8_t first) {
    struct id_hash hash = {{first, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    return hash;
}

static void assert_bytes(struct bytes actual, const char *expected) {
    assert_true(bytes_is_present(actual));
    assert_true(bytes_equal_text(actual, expected));
}

static struct metadata_pair PAIRS[] = {{BYTES_LITERAL("k"), BYTES_LITERAL("v")}, {BYTES_LITERAL("gone"), {NULL, 0}}};
static struct participant PEOPLE[] = {
    {.user_id = BYTES_LITERAL("8:acs:r_1"), .display_name = BYTES_LITERAL("Bob"), .share_history_ms = -5},
    {.user_id = BYTES_LITERAL("8:acs:r_2"), .metadata = {PAIRS, 1, true, false}},
};

static struct event_cursor CURSORS[] = {{{{1}}, 2, 3}, {{{4, 5}}, UINT64_MAX, 0}};

static struct command full_command(void) {
    static const uint8_t key[WRAPPED_KEY_BYTES] = {7, 7, 0, 7};
    static const uint8_t body_hash[16] = {9, 0, 9};
    return (struct command){
        .kind = COMMAND_USER_THREAD,
        .subject = hash_of(200),
        .time_ms = 1767323045100,
        .actor_id = BYTES_LITERAL("8:acs:r_1"),
        .wrapped_key = bytes_of(key, sizeof(key)),
        .properties = {.id = BYTES_LITERAL("19:t@thread.v2"),
                       .topic = BYTES_LITERAL("Topic"),
                       .created_ms = 11,
                       .creator_id = BYTES_LITERAL("8:acs:r_1"),
                       .deleted_ms = 12,
                       .metadata = {PAIRS, 2, true, false},
                       .retention = {RETENTION_THREAD_CREATION_DATE, 40}},
        .participants = {PEOPLE, COUNT(PEOPLE)},
        .user_id = BYTES_LITERAL("8:acs:r_3"),
        .reason = BYTES_LITERAL("deletedByPolicy"),
        .message_id = UINT64_MAX,
        .message_type = MESSAGE_HTML,
        .content = BYTES_LITERAL("<b>\0</b>"),
        .display_name = BYTES_LITERAL(""),
        .metadata = {NULL, 0, true, true},
        .idempotency = IDEMPOTENCY_REQUEST_ID,
        .idempotency_id = BYTES_LITERAL("id"),
        .body_hash = bytes_of(body_hash, sizeof(body_hash)),
        .number = 3,
        .thread_hash = hash_of(201),
        .thread_id = BYTES_LITERAL("19:u@thread.v2"),
        .membership = MEMBERSHIP_DELETED,
        .offset = 4,
        .topic = BYTES_LITERAL("last"),
        .last_message_ms = 5,
        .valid_from_s = INT64_MIN,
        .is_watched = true,
        .cursors = CURSORS,
        .cursors_count = COUNT(CURSORS),
        .keep_ms = 6,
        .registration = {.id = BYTES_LITERAL("device"),
                         .transport = PUSH_WEB,
                         .address = BYTES_LITERAL("https://push.example/x"),
                         .public_key = BYTES_LITERAL("point"),
                         .auth = BYTES_LITERAL("auth"),
                         .created_ms = 7,
                         .expires_ms = 8},
    };
}

static void every_member_survives(void **state) {
    struct command command = full_command(), decoded;
    assert_int_equal(command_decode(encode(*state, &command), *state, &decoded), 0);
    assert_int_equal(decoded.kind, COMMAND_USER_THREAD);
    assert_true(id_hash_equal(&decoded.subject, &command.subject));
    assert_int_equal(decoded.time_ms, 1767323045100);
    assert_bytes(decoded.actor_id, "8:acs:r_1");
    assert_true(bytes_equal(decoded.wrapped_key, command.wrapped_key));
    assert_bytes(decoded.properties.id, "19:t@thread.v2");
    assert_bytes(decoded.properties.topic, "Topic");
    assert_int_equal(decoded.properties.created_ms, 11);
    assert_bytes(decoded.properties.creator_id, "8:acs:r_1");
    assert_int_equal(decoded.properties.deleted_ms, 12);
    assert_int_equal(decoded.properties.metadata.count, 2);
    assert_bytes(decoded.properties.metadata.pairs[0].value, "v");
    assert_false(bytes_is_present(decoded.properties.metadata.pairs[1].value));
    assert_int_equal(decoded.properties.retention.kind, RETENTION_THREAD_CREATION_DATE);
    assert_int_equal(decoded.properties.retention.days, 40);
    assert_int_equal(decoded.participants.count, 2);
    assert_int_equal(decoded.participants.items[0].share_history_ms, -5);
    assert_false(decoded.participants.items[0].metadata.is_present);
    assert_false(bytes_is_present(decoded.participants.items[1].display_name));
    assert_bytes(decoded.participants.items[1].metadata.pairs[0].key, "k");
    assert_bytes(decoded.user_id, "8:acs:r_3");
    assert_bytes(decoded.reason, "deletedByPolicy");
    assert_true(decoded.message_id == UINT64_MAX);
    assert_bytes(decoded.registration.id, "device");
    assert_int_equal(decoded.registration.transport, PUSH_WEB);
    assert_bytes(decoded.registration.address, "https://push.example/x");
    assert_bytes(decoded.registration.auth, "auth");
    assert_int_equal(decoded.registration.expires_ms, 8);
    assert_int_equal(decoded.message_type, MESSAGE_HTML);
    assert_int_equal(decoded.content.size, 8);
    assert_bytes(decoded.display_name, "");
    assert_true(decoded.metadata.is_cleared && decoded.metadata.is_present);
    assert_int_equal(decoded.idempotency, IDEMPOTENCY_REQUEST_ID);
    assert_bytes(decoded.idempotency_id, "id");
    assert_true(bytes_equal(decoded.body_hash, command.body_hash));
    assert_int_equal(decoded.number, 3);
    assert_true(id_hash_equal(&decoded.thread_hash, &command.thread_hash));
    assert_bytes(decoded.thread_id, "19:u@thread.v2");
    assert_int_equal(decoded.membership, MEMBERSHIP_DELETED);
    assert_int_equal(decoded.offset, 4);
    assert_bytes(decoded.topic, "last");
    assert_int_equal(decoded.last_message_ms, 5);
    assert_true(decoded.valid_from_s == INT64_MIN);
    assert_true(decoded.is_watched);
    assert_int_equal(decoded.cursors_count, 2);
    assert_memory_equal(decoded.cursors, CURSORS, sizeof(CURSORS));
    assert_int_equal(decoded.keep_ms, 6);
}

static void an_import_survives(void **state) {
    struct import_member members[] = {{.participant = {.user_id = BYTES_LITERAL("8:acs:r_1")},
                                       .joined_offset = 1,
                                       .removed_offset = 2,
                                       .topic = BYTES_LITERAL("then"),
                                       .last_message_ms = 3}};
    struct receipt receipts[] = {{BYTES_LITERAL("8:acs:r_1"), 4, 5}};
    struct message messages[] = {{.id = 6, .sequence = 7, .version = 8, .offset = 9, .type = MESSAGE_TEXT}};
    struct command command = {.kind = COMMAND_MESSAGES_IMPORT,
                              .sequence = 10,
                              .version = UINT64_MAX,
                              .members = members,
                              .members_count = COUNT(members),
                              .receipts = receipts,
                              .receipts_count = COUNT(receipts),
                              .messages = messages,
                              .messages_count = COUNT(messages)};
    struct command decoded;
    assert_int_equal(command_decode(encode(*state, &command), *state, &decoded), 0);
    assert_int_equal(decoded.kind, COMMAND_MESSAGES_IMPORT);
    assert_int_equal(decoded.sequence, 10);
    assert_true(decoded.version == UINT64_MAX);
    assert_int_equal(decoded.members_count, 1);
    assert_int_equal(decoded.members[0].removed_offset, 2);
    assert_bytes(decoded.members[0].topic, "then");
    assert_int_equal(decoded.members[0].last_message_ms, 3);
    assert_int_equal(decoded.receipts[0].read_ms, 5);
    assert_int_equal(decoded.messages_count, 1);
    assert_int_equal(decoded.messages[0].offset, 9);
}

static void encoding_what_was_decoded_gives_the_same_bytes(void **state) {
    struct command command = full_command(), decoded;
    struct bytes encoded = encode(*state, &command);
    assert_int_equal(command_decode(encoded, *state, &decoded), 0);
    assert_true(bytes_equal(encoded, encode(*state, &decoded)));
}

static void absent_members_cost_nothing(void **state) {
    struct command command = {.kind = COMMAND_OUTBOX_DONE, .subject = hash_of(1)};
    /* map header, key and kind, key and 16 bytes of bin */
    assert_int_equal(encode(*state, &command).size, 1 + 2 + 1 + 2 + 16);
}

static void metadata_tells_unset_from_empty_from_cleared(void **state) {
    const struct metadata rows[] = {
        {NULL, 0, false, false}, {NULL, 0, true, false}, {NULL, 0, true, true}, {PAIRS, 1, true, false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command command = {.kind = COMMAND_MESSAGE_EDIT, .metadata = rows[i]}, decoded;
        assert_int_equal(command_decode(encode(*state, &command), *state, &decoded), 0);
        assert_int_equal(decoded.metadata.is_present, rows[i].is_present);
        assert_int_equal(decoded.metadata.is_cleared, rows[i].is_cleared);
        assert_int_equal(decoded.metadata.count, rows[i].count);
    }
}

static void members_of_a_newer_version_are_skipped(void **state) {
    struct command decoded;
    struct bytes encoded = BYTES_LITERAL("\x84\x01\x0a\x64\x92\x01\x02\xa1x\xc0\x12\x05");
    assert_int_equal(command_decode(encoded, *state, &decoded), 0);
    assert_int_equal(decoded.kind, COMMAND_OUTBOX_DONE);
    assert_int_equal(decoded.number, 5);
}

static void an_empty_text_of_either_type_is_present(void **state) {
    const struct bytes rows[] = {BYTES_LITERAL("\x82\x01\x0a\x0c\xa0"), BYTES_LITERAL("\x82\x01\x0a\x0c\xc4\x00")};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command decoded;
        assert_int_equal(command_decode(rows[i], *state, &decoded), 0);
        assert_bytes(decoded.content, "");
    }
}

static void malformed_commands_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\x80"),                                                 /* no kind */
        BYTES_LITERAL("\x90"),                                                 /* no map */
        BYTES_LITERAL("\x81\x01\x0a\x00"),                                     /* something behind it */
        BYTES_LITERAL("\x81\x01\x11"),                                         /* a kind between the two groups */
        BYTES_LITERAL("\x81\x01\x19"),                                         /* a kind behind the users' */
        BYTES_LITERAL("\x81\x01\x2a"),                                         /* a kind above all */
        BYTES_LITERAL("\x81\x01\xff"),                                         /* a negative kind */
        BYTES_LITERAL("\x81\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x0a"),         /* a kind that would wrap to 10 */
        BYTES_LITERAL("\x82\x01\x0a\x02\xa3xyz"),                              /* a short hash */
        BYTES_LITERAL("\x82\x01\x0a\x02\xc0"),                                 /* no hash */
        BYTES_LITERAL("\x82\x01\x0a\x03\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), /* a time beyond 63 bits */
        BYTES_LITERAL("\x82\x01\x0a\x04\x05"),                                 /* a number as text */
        BYTES_LITERAL("\x82\x01\x0a\x05\xc4\x02xx"),                           /* a wrapped key of 2 bytes */
        BYTES_LITERAL("\x82\x01\x0a\x06\x90"),                                 /* properties that are no map */
        BYTES_LITERAL("\x82\x01\x0a\x06\x81\x07\x81\x02\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), /* days beyond 32 bits */
        BYTES_LITERAL("\x82\x01\x0a\x07\x80"),                 /* participants that are no array */
        BYTES_LITERAL("\x82\x01\x0a\x07\x91\x01"),             /* a participant that is no map */
        BYTES_LITERAL("\x82\x01\x0a\x0a\xff"),                 /* a negative message id */
        BYTES_LITERAL("\x82\x01\x0a\x0b\x06"),                 /* a message type above all */
        BYTES_LITERAL("\x82\x01\x0a\x0e\x91\xa1k"),            /* metadata with half a pair */
        BYTES_LITERAL("\x82\x01\x0a\x0e\x92\xc0\xa1v"),        /* metadata without a key */
        BYTES_LITERAL("\x82\x01\x0a\x0e\x92\xa1k\x01"),        /* metadata with a number */
        BYTES_LITERAL("\x82\x01\x0a\x0e\xc3"),                 /* metadata that is true */
        BYTES_LITERAL("\x82\x01\x0a\x0e\x80"),                 /* metadata that is a map */
        BYTES_LITERAL("\x82\x01\x0a\x0f\x04"),                 /* an idempotency above all */
        BYTES_LITERAL("\x82\x01\x0a\x11\xc4\x01x"),            /* a hash of 1 byte */
        BYTES_LITERAL("\x82\x01\x0a\x15\x04"),                 /* a membership above all */
        BYTES_LITERAL("\x82\x01\x0a\x07\xdd\xff\xff\xff\xff"), /* a claim of 2^32 participants */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct command decoded;
        if (command_decode(rows[i], *state, &decoded) != STATUS_MALFORMED)
            fail_msg("row %zu was not refused", i);
    }
}

static void lists_beyond_their_bound_are_refused(void **state) {
    struct buffer out;
    struct command decoded;
    buffer_init(&out);
    buffer_append(&out, "\x82\x01\x01\x07\xdc\x03\xe9", 7);
    for (size_t i = 0; i < LIMIT_LIST_ITEMS_MAX + 1; i++)
        buffer_append(&out, "\x80", 1);
    assert_int_equal(command_decode(buffer_bytes(&out), *state, &decoded), STATUS_MALFORMED);
    out.data[6] = 0xe8;
    assert_int_equal(command_decode(bytes_of(out.data, out.size - 1), *state, &decoded), 0);
    assert_int_equal(decoded.participants.count, LIMIT_LIST_ITEMS_MAX);
    buffer_close(&out);
}

static void a_command_cut_anywhere_is_refused(void **state) {
    struct command command = full_command(), decoded;
    struct bytes encoded = encode(*state, &command);
    for (size_t size = 0; size < encoded.size; size++)
        assert_int_equal(command_decode(bytes_of(encoded.data, size), *state, &decoded), STATUS_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_member_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(an_import_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(encoding_what_was_decoded_gives_the_same_bytes, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(absent_members_cost_nothing, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(metadata_tells_unset_from_empty_from_cleared, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(members_of_a_newer_version_are_skipped, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(an_empty_text_of_either_type_is_present, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(malformed_commands_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(lists_beyond_their_bound_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_command_cut_anywhere_is_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
