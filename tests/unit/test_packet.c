#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/msgpack_codec.h"
#include "proto/packet.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes encode(struct arena *arena, const struct packet *packet) {
    struct buffer out;
    buffer_init(&out);
    packet_encode(packet, &out);
    struct bytes encoded = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return encoded;
}

static struct packet encode_and_decode(struct arena *arena, const struct packet *packet) {
    struct packet decoded;
    assert_int_equal(packet_decode(encode(arena, packet), arena, &decoded), STATUS_OK);
    assert_int_equal(decoded.kind, packet->kind);
    return decoded;
}

static void an_append_survives(void **state) {
    struct packet_entry entries[] = {{.epoch = 6, .command = BYTES_LITERAL("one")}, {.epoch = UINT64_MAX}};
    struct packet packet = {.kind = PACKET_APPEND,
                            .range = UINT32_MAX,
                            .epoch = UINT64_MAX,
                            .previous_index = 41,
                            .previous_epoch = 5,
                            .committed = 40,
                            .lease = 1000,
                            .entries = entries,
                            .entries_count = COUNT(entries)};
    struct packet decoded = encode_and_decode(*state, &packet);
    assert_int_equal(decoded.range, UINT32_MAX);
    assert_true(decoded.epoch == UINT64_MAX);
    assert_int_equal(decoded.previous_index, 41);
    assert_int_equal(decoded.previous_epoch, 5);
    assert_int_equal(decoded.committed, 40);
    assert_int_equal(decoded.lease, 1000);
    assert_int_equal(decoded.entries_count, 2);
    assert_int_equal(decoded.entries[0].epoch, 6);
    assert_true(bytes_equal_text(decoded.entries[0].command, "one"));
    assert_true(decoded.entries[1].epoch == UINT64_MAX);
    assert_false(bytes_is_present(decoded.entries[1].command));
}

static void an_acknowledgement_survives(void **state) {
    struct packet packet = {
        .kind = PACKET_APPENDED, .range = 1, .epoch = 2, .lease = 3, .durable = 4, .matched = 6, .is_refused = true};
    struct packet decoded = encode_and_decode(*state, &packet);
    assert_int_equal(decoded.durable, 4);
    assert_int_equal(decoded.matched, 6);
    assert_int_equal(decoded.lease, 3);
    assert_true(decoded.is_refused);
}

static void a_chunk_of_a_snapshot_survives(void **state) {
    struct packet packet = {.kind = PACKET_SNAPSHOT,
                            .range = 1,
                            .epoch = 2,
                            .snapshot = 3,
                            .chunk = 4,
                            .is_last_chunk = true,
                            .index = 5,
                            .index_epoch = 6,
                            .rows = BYTES_LITERAL("rows\0rows")};
    struct packet decoded = encode_and_decode(*state, &packet);
    assert_int_equal(decoded.snapshot, 3);
    assert_int_equal(decoded.chunk, 4);
    assert_true(decoded.is_last_chunk);
    assert_int_equal(decoded.index, 5);
    assert_int_equal(decoded.index_epoch, 6);
    assert_true(bytes_equal(decoded.rows, packet.rows));
}

static void requests_and_replies_survive(void **state) {
    struct packet packet = {.kind = PACKET_REPLY,
                            .request = 1,
                            .asker_start = 2,
                            .answerer_start = 5,
                            .attempt = 6,
                            .part = 7,
                            .parts = 8,
                            .parts_seen = UINT64_MAX,
                            .oldest_request = 9,
                            .deadline_ms = 10000,
                            .subject = {{3, 0, 4}},
                            .rc = STATUS_NOT_PRIMARY,
                            .body = BYTES_LITERAL("")};
    struct packet decoded = encode_and_decode(*state, &packet);
    assert_int_equal(decoded.request, 1);
    assert_int_equal(decoded.asker_start, 2);
    assert_int_equal(decoded.answerer_start, 5);
    assert_int_equal(decoded.attempt, 6);
    assert_int_equal(decoded.part, 7);
    assert_int_equal(decoded.parts, 8);
    assert_true(decoded.parts_seen == UINT64_MAX);
    assert_int_equal(decoded.oldest_request, 9);
    assert_int_equal(decoded.deadline_ms, 10000);
    assert_true(id_hash_equal(&decoded.subject, &packet.subject));
    assert_int_equal(decoded.rc, STATUS_NOT_PRIMARY);
    assert_true(bytes_is_present(decoded.body) && decoded.body.size == 0);
}

static void interest_and_changes_survive(void **state) {
    struct packet_listener listeners[] = {
        {.thread = {{1}}, .next_offset = 9, .is_anew = true, .born = 4, .has_moved = true}, {.thread = {{2}}}};
    struct packet listen = {.kind = PACKET_LISTEN, .listeners = listeners, .listeners_count = COUNT(listeners)};
    struct packet decoded = encode_and_decode(*state, &listen);
    assert_int_equal(decoded.listeners_count, 2);
    assert_true(id_hash_equal(&decoded.listeners[1].thread, &listeners[1].thread));
    assert_int_equal(decoded.listeners[0].next_offset, 9);
    assert_true(decoded.listeners[0].is_anew && decoded.listeners[0].born == 4);
    assert_true(decoded.listeners[0].has_moved && !decoded.listeners[1].has_moved);
    assert_int_equal(decoded.listeners[1].next_offset, 0);
    struct packet_change changes[] = {{.change = BYTES_LITERAL("a")}, {.change = BYTES_LITERAL("b")}};
    struct packet told = {
        .kind = PACKET_CHANGES, .link = 6, .link_sequence = 77, .changes = changes, .changes_count = COUNT(changes)};
    decoded = encode_and_decode(*state, &told);
    assert_int_equal(decoded.link, 6);
    assert_int_equal(decoded.link_sequence, 77);
    assert_int_equal(decoded.changes_count, 2);
    assert_true(bytes_equal_text(decoded.changes[1].change, "b"));
}

static void lists_of_the_greatest_length_survive(void **state) {
    static struct packet_entry entries[PACKET_ENTRIES_MAX];
    static struct packet_listener listeners[PACKET_LISTENERS_MAX];
    static struct packet_change changes[PACKET_CHANGES_MAX];
    struct packet packet = {.kind = PACKET_APPEND,
                            .entries = entries,
                            .entries_count = COUNT(entries),
                            .listeners = listeners,
                            .listeners_count = COUNT(listeners),
                            .changes = changes,
                            .changes_count = COUNT(changes)};
    struct packet decoded = encode_and_decode(*state, &packet);
    assert_int_equal(decoded.entries_count, PACKET_ENTRIES_MAX);
    assert_int_equal(decoded.listeners_count, PACKET_LISTENERS_MAX);
    assert_int_equal(decoded.changes_count, PACKET_CHANGES_MAX);
}

static void a_heartbeat_costs_no_more_than_its_numbers(void **state) {
    struct packet packet = {.kind = PACKET_APPEND, .range = 5, .epoch = 1, .lease = 1};
    assert_int_equal(encode(*state, &packet).size, 1 + 4 * 2);
}

static void members_of_a_newer_version_are_skipped(void **state) {
    struct packet decoded;
    struct bytes encoded = BYTES_LITERAL("\x84\x01\x02\x64\x92\x01\x02\xa1x\xc0\x09\x05");
    assert_int_equal(packet_decode(encoded, *state, &decoded), STATUS_OK);
    assert_int_equal(decoded.kind, PACKET_APPENDED);
    assert_int_equal(decoded.durable, 5);
}

static void only_known_kinds_are_taken(void **state) {
    static const bool is_known[256] = {
        [PACKET_APPEND] = true,         [PACKET_APPENDED] = true, [PACKET_SNAPSHOT] = true,
        [PACKET_SNAPSHOT_TAKEN] = true, [PACKET_REQUEST] = true,  [PACKET_REPLY] = true,
        [PACKET_LISTEN] = true,         [PACKET_CHANGES] = true,  [PACKET_CHANGES_SEEN] = true,
        [PACKET_RECORD] = true};
    for (unsigned kind = 0; kind < 256; kind++) {
        const uint8_t encoded[] = {0x81, 1, 0xcc, (uint8_t)kind};
        struct packet decoded;
        assert_int_equal(packet_decode(bytes_of(encoded, sizeof(encoded)), *state, &decoded),
                         is_known[kind] ? STATUS_OK : STATUS_MALFORMED);
    }
}

/* A packet of a kind with one more member: a number, or a list of so many empty maps. */
static int decode_with_number(struct arena *arena, uint8_t key, uint64_t number) {
    struct buffer encoded;
    struct packet decoded;
    msgpack_packer packer;
    buffer_init(&encoded);
    codec_packer_init(&packer, &encoded);
    msgpack_pack_map(&packer, 2);
    msgpack_pack_uint8(&packer, 1);
    msgpack_pack_uint8(&packer, PACKET_APPEND);
    msgpack_pack_uint8(&packer, key);
    msgpack_pack_uint64(&packer, number);
    int rc = packet_decode(buffer_bytes(&encoded), arena, &decoded);
    buffer_close(&encoded);
    return rc;
}

static int decode_with_list(struct arena *arena, uint8_t key, size_t count) {
    struct buffer encoded;
    struct packet decoded;
    msgpack_packer packer;
    buffer_init(&encoded);
    codec_packer_init(&packer, &encoded);
    msgpack_pack_map(&packer, 2);
    msgpack_pack_uint8(&packer, 1);
    msgpack_pack_uint8(&packer, PACKET_APPEND);
    msgpack_pack_uint8(&packer, key);
    msgpack_pack_array(&packer, count);
    for (size_t i = 0; i < count; i++)
        msgpack_pack_map(&packer, 0);
    int rc = packet_decode(buffer_bytes(&encoded), arena, &decoded);
    buffer_close(&encoded);
    return rc;
}

static void indices_that_would_run_over_are_refused(void **state) {
    enum { PREVIOUS_INDEX = 4 };
    assert_int_equal(decode_with_number(*state, PREVIOUS_INDEX, UINT64_MAX - PACKET_ENTRIES_MAX - 1), STATUS_OK);
    assert_int_equal(decode_with_number(*state, PREVIOUS_INDEX, UINT64_MAX - PACKET_ENTRIES_MAX), STATUS_MALFORMED);
    assert_int_equal(decode_with_number(*state, PREVIOUS_INDEX, UINT64_MAX), STATUS_MALFORMED);
}

static void numbers_that_do_not_fit_are_refused(void **state) {
    enum { RANGE = 2, DEADLINE = 19 };
    assert_int_equal(decode_with_number(*state, RANGE, UINT32_MAX), STATUS_OK);
    assert_int_equal(decode_with_number(*state, RANGE, (uint64_t)UINT32_MAX + 1), STATUS_MALFORMED);
    assert_int_equal(decode_with_number(*state, DEADLINE, (uint64_t)UINT32_MAX + 1), STATUS_MALFORMED);
}

static void lists_that_are_too_long_are_refused(void **state) {
    const struct {
        uint8_t key;
        size_t max;
    } rows[] = {{8, PACKET_ENTRIES_MAX}, {23, PACKET_LISTENERS_MAX}, {25, PACKET_CHANGES_MAX}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(decode_with_list(*state, rows[i].key, rows[i].max), STATUS_OK);
        assert_int_equal(decode_with_list(*state, rows[i].key, rows[i].max + 1), STATUS_MALFORMED);
    }
}

static void malformed_packets_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\x80"),                                         /* no kind */
        BYTES_LITERAL("\x01"),                                         /* no map */
        BYTES_LITERAL("\x81\x01\xa1x"),                                /* kind is text */
        BYTES_LITERAL("\x81\x01\xff"),                                 /* kind is below zero */
        BYTES_LITERAL("\x81\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x01"), /* kind is 2^32 + 1 */
        BYTES_LITERAL("\x81\x01\x01\x00"),                             /* more follows */
        BYTES_LITERAL("\x82\x01\x01"),                                 /* cut off */
        BYTES_LITERAL("\x82\x01\x01\x08\xdd\xff\xff\xff\xff"),         /* a list of 4 billion */
        BYTES_LITERAL("\x82\x01\x01\x08\x91\x01"),                     /* an entry that is no map */
        BYTES_LITERAL("\x82\x01\x01\x08\x01"),                         /* entries that are no list */
        BYTES_LITERAL("\x82\x01\x0a\x14\xc4\x02hi"),                   /* a subject that is too short */
        BYTES_LITERAL("\x82\x01\x02\x0a\x01"),                         /* a number for a truth */
        BYTES_LITERAL("\x82\x01\x04\x10\xc4\x05hi"),                   /* rows that claim more than there is */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct packet decoded;
        assert_int_equal(packet_decode(rows[i], *state, &decoded), STATUS_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_append_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(an_acknowledgement_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_chunk_of_a_snapshot_survives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(requests_and_replies_survive, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(interest_and_changes_survive, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(lists_of_the_greatest_length_survive, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_heartbeat_costs_no_more_than_its_numbers, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(members_of_a_newer_version_are_skipped, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(only_known_kinds_are_taken, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(indices_that_would_run_over_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(numbers_that_do_not_fit_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(lists_that_are_too_long_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(malformed_packets_are_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
