#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/arena.h"
#include "proto/change.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes encode(struct arena *arena, const struct change *change) {
    struct buffer out;
    buffer_init(&out);
    change_encode(change, &out);
    struct bytes encoded = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return encoded;
}

static void assert_bytes(struct bytes actual, const char *expected) {
    assert_true(bytes_is_present(actual));
    assert_true(bytes_equal_text(actual, expected));
}

static struct participant PEOPLE[] = {{.user_id = BYTES_LITERAL("8:acs:r_1"), .share_history_ms = 9}};
static struct typing_notice TYPING[] = {{BYTES_LITERAL("8:acs:r_1"), BYTES_LITERAL("Bob"), 1},
                                        {BYTES_LITERAL("8:acs:r_2"), BYTES_LITERAL(""), 2}};
static struct receipt RECEIPTS[] = {{BYTES_LITERAL("8:acs:r_1"), 77, 3}};

static struct change full_change(void) {
    static struct metadata_pair pairs[] = {{BYTES_LITERAL("k"), BYTES_LITERAL("v")}};
    return (struct change){
        .kind = CHANGE_USER_REVOKED,
        .subject = {{1, 2, 3}},
        .thread_id = BYTES_LITERAL("19:t@thread.v2"),
        .offset = 42,
        .version = 43,
        .time_ms = -1,
        .actor_id = BYTES_LITERAL("8:acs:r_1"),
        .actor_display_name = BYTES_LITERAL("Alice"),
        .actor_share_history_ms = 44,
        .message = {.id = 1,
                    .sequence = 2,
                    .version = 3,
                    .offset = 4,
                    .created_offset = 5,
                    .type = MESSAGE_PARTICIPANT_REMOVED,
                    .created_ms = 6,
                    .edited_ms = 7,
                    .deleted_ms = 8,
                    .actor_id = BYTES_LITERAL("8:acs:r_1"),
                    .display_name = BYTES_LITERAL("Alice"),
                    .content = BYTES_LITERAL("hello"),
                    .topic = BYTES_LITERAL("topic"),
                    .participants = {PEOPLE, 1},
                    .metadata = {pairs, 1, true, false}},
        .properties = {.topic = BYTES_LITERAL("topic"), .retention = {RETENTION_NONE, 0}},
        .participants = {PEOPLE, 1},
        .typing = TYPING,
        .typing_count = COUNT(TYPING),
        .receipts = RECEIPTS,
        .receipts_count = COUNT(RECEIPTS),
        .reason = BYTES_LITERAL("deletedByUser"),
    };
}

static void every_member_survives(void **state) {
    struct change change = full_change(), decoded;
    assert_int_equal(change_decode(encode(*state, &change), *state, &decoded), 0);
    assert_int_equal(decoded.kind, CHANGE_USER_REVOKED);
    assert_true(id_hash_equal(&decoded.subject, &change.subject));
    assert_bytes(decoded.thread_id, "19:t@thread.v2");
    assert_int_equal(decoded.offset, 42);
    assert_int_equal(decoded.version, 43);
    assert_int_equal(decoded.time_ms, -1);
    assert_bytes(decoded.actor_id, "8:acs:r_1");
    assert_bytes(decoded.actor_display_name, "Alice");
    assert_int_equal(decoded.actor_share_history_ms, 44);
    assert_int_equal(decoded.properties.retention.kind, RETENTION_NONE);
    assert_bytes(decoded.properties.topic, "topic");
    assert_int_equal(decoded.participants.count, 1);
    assert_int_equal(decoded.participants.items[0].share_history_ms, 9);
    assert_int_equal(decoded.typing_count, 2);
    assert_bytes(decoded.typing[0].display_name, "Bob");
    assert_bytes(decoded.typing[1].display_name, "");
    assert_int_equal(decoded.typing[1].time_ms, 2);
    assert_int_equal(decoded.receipts_count, 1);
    assert_bytes(decoded.receipts[0].user_id, "8:acs:r_1");
    assert_int_equal(decoded.receipts[0].message_id, 77);
    assert_int_equal(decoded.receipts[0].read_ms, 3);
    assert_bytes(decoded.reason, "deletedByUser");
}

static void every_member_of_the_message_survives(void **state) {
    struct change change = full_change(), decoded;
    assert_int_equal(change_decode(encode(*state, &change), *state, &decoded), 0);
    const struct message *message = &decoded.message;
    assert_int_equal(message->id, 1);
    assert_int_equal(message->sequence, 2);
    assert_int_equal(message->version, 3);
    assert_int_equal(message->offset, 4);
    assert_int_equal(message->created_offset, 5);
    assert_int_equal(message->type, MESSAGE_PARTICIPANT_REMOVED);
    assert_int_equal(message->created_ms, 6);
    assert_int_equal(message->edited_ms, 7);
    assert_int_equal(message->deleted_ms, 8);
    assert_bytes(message->actor_id, "8:acs:r_1");
    assert_bytes(message->display_name, "Alice");
    assert_bytes(message->content, "hello");
    assert_bytes(message->topic, "topic");
    assert_bytes(message->participants.items[0].user_id, "8:acs:r_1");
    assert_bytes(message->metadata.pairs[0].value, "v");
}

static void a_change_without_message_has_none_after_decoding(void **state) {
    struct change change = {.kind = CHANGE_TYPING, .typing = TYPING, .typing_count = 1}, decoded;
    assert_int_equal(change_decode(encode(*state, &change), *state, &decoded), 0);
    assert_int_equal(decoded.message.type, 0);
    assert_int_equal(decoded.participants.count, 0);
    assert_false(bytes_is_present(decoded.actor_id));
}

static void encoding_what_was_decoded_gives_the_same_bytes(void **state) {
    struct change change = full_change(), decoded;
    struct bytes encoded = encode(*state, &change);
    assert_int_equal(change_decode(encoded, *state, &decoded), 0);
    assert_true(bytes_equal(encoded, encode(*state, &decoded)));
}

static void malformed_changes_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL("\x80"),                              /* no kind */
        BYTES_LITERAL("\x81\x01\x00"),                      /* kind 0 */
        BYTES_LITERAL("\x81\x01\x0d"),                      /* a kind above all */
        BYTES_LITERAL("\x81\x01\x01\x01"),                  /* something behind it */
        BYTES_LITERAL("\x82\x01\x01\x0a\x81\x06\x06"),      /* a message type above all */
        BYTES_LITERAL("\x82\x01\x01\x0d\x81\x01\x01"),      /* typing that is no array */
        BYTES_LITERAL("\x82\x01\x01\x0e\x91\x81\x02\xa1x"), /* a receipt with text for its message id */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct change decoded;
        if (change_decode(rows[i], *state, &decoded) != STATUS_MALFORMED)
            fail_msg("row %zu was not refused", i);
    }
}

static void a_change_cut_anywhere_is_refused(void **state) {
    struct change change = full_change(), decoded;
    struct bytes encoded = encode(*state, &change);
    for (size_t size = 0; size < encoded.size; size++)
        assert_int_equal(change_decode(bytes_of(encoded.data, size), *state, &decoded), STATUS_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_member_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(every_member_of_the_message_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_change_without_message_has_none_after_decoding, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(encoding_what_was_decoded_gives_the_same_bytes, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(malformed_changes_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_change_cut_anywhere_is_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
