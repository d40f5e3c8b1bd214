#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/msgpack_codec.h"
#include "proto/range_record.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int decode_encoded(const struct range_record *record, struct range_record *decoded) {
    struct buffer encoded;
    buffer_init(&encoded);
    range_record_encode(record, &encoded);
    int rc = range_record_decode(buffer_bytes(&encoded), decoded);
    buffer_close(&encoded);
    return rc;
}

static void records_survive(void **state) {
    const struct range_record rows[] = {
        {.epoch = 1, .primary = 1, .in_sync = {1}, .in_sync_count = 1},
        {.range = UINT32_MAX,
         .epoch = UINT64_MAX,
         .primary = UINT64_MAX,
         .has_parent = true,
         .parent = 7,
         .parent_index = UINT64_MAX,
         .parent_epoch = 9,
         .parent_next = 10,
         .in_sync = {3, UINT64_MAX, 2},
         .in_sync_count = 3,
         .learners = {9, 8},
         .learners_count = 2},
        {.range = 63,
         .bounds = {.first = 1, .last = UINT64_MAX},
         .epoch = 7,
         .primary = 7,
         .in_sync = {1, 2, 3, 4, 5, 6, 7},
         .in_sync_count = 7},
        {.range = 5,
         .epoch = 2,
         .primary = 1,
         .in_sync = {1},
         .in_sync_count = 1,
         .learners = {2, 3, 4, 5, 6, 7},
         .learners_count = 6},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct range_record decoded;
        assert_int_equal(decode_encoded(&rows[i], &decoded), STATUS_OK);
        assert_true(range_record_equal(&rows[i], &decoded));
    }
}

static void records_that_contradict_themselves_are_refused(void **state) {
    const struct range_record rows[] = {
        {.epoch = 0, .primary = 1, .in_sync = {1}, .in_sync_count = 1},
        {.epoch = 1, .primary = 1},
        {.range = 2, .has_parent = true, .parent = 2, .epoch = 1, .primary = 1, .in_sync = {1}, .in_sync_count = 1},
        {.bounds = {.first = 2, .last = 1}, .epoch = 1, .primary = 1, .in_sync = {1}, .in_sync_count = 1},
        {.epoch = 1, .primary = 2, .in_sync = {1}, .in_sync_count = 1},
        {.epoch = 1, .primary = 2, .in_sync = {1}, .in_sync_count = 1, .learners = {2}, .learners_count = 1},
        {.epoch = 1, .primary = 0, .in_sync = {0}, .in_sync_count = 1},
        {.epoch = 1, .primary = 1, .in_sync = {1, 0}, .in_sync_count = 2},
        {.epoch = 1, .primary = 1, .in_sync = {1, 2, 1}, .in_sync_count = 3},
        {.epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2, .learners = {3, 3}, .learners_count = 2},
        {.epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2, .learners = {2}, .learners_count = 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct range_record decoded;
        assert_int_equal(decode_encoded(&rows[i], &decoded), STATUS_MALFORMED);
    }
}

/* A record with that many replicas, written by hand: the encoder does not. */
static struct bytes record_with(size_t in_sync_count, size_t learners_count, struct buffer *out) {
    msgpack_packer packer;
    codec_packer_init(&packer, out);
    msgpack_pack_map(&packer, 5);
    for (uint8_t key = 1; key <= 3; key++) {
        msgpack_pack_uint8(&packer, key);
        msgpack_pack_uint8(&packer, 1);
    }
    uint64_t node = 1;
    const size_t counts[] = {in_sync_count, learners_count};
    for (size_t list = 0; list < COUNT(counts); list++) {
        msgpack_pack_uint8(&packer, (uint8_t)(4 + list));
        msgpack_pack_array(&packer, counts[list]);
        for (size_t i = 0; i < counts[list]; i++) {
            msgpack_pack_map(&packer, 1);
            msgpack_pack_uint8(&packer, 1);
            msgpack_pack_uint64(&packer, node++);
        }
    }
    return buffer_bytes(out);
}

static void more_replicas_than_there_is_room_for_are_refused(void **state) {
    const struct {
        size_t in_sync, learners;
        int rc;
    } rows[] = {{7, 0, STATUS_OK},        {1, 6, STATUS_OK},        {8, 0, STATUS_MALFORMED},  {7, 1, STATUS_MALFORMED},
                {1, 7, STATUS_MALFORMED}, {4, 4, STATUS_MALFORMED}, {900, 0, STATUS_MALFORMED}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer encoded;
        struct range_record decoded;
        buffer_init(&encoded);
        assert_int_equal(range_record_decode(record_with(rows[i].in_sync, rows[i].learners, &encoded), &decoded),
                         rows[i].rc);
        buffer_close(&encoded);
    }
}

static void bytes_that_are_no_record_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\x80"),
        BYTES_LITERAL("\x90"),
        BYTES_LITERAL("\x84\x01\x01\x02\x01\x03\x01\x04\xdd\xff\xff\xff\xff"),
        BYTES_LITERAL("\x84\x01\x01\x02\x01\x03\x01\x04\x91\x01"),
        BYTES_LITERAL("\x84\x01\x01\x02\x01\x03\x01\x04\x91\x81\x01\x01\x00"),
        BYTES_LITERAL("\x84\x01\xff\x02\x01\x03\x01\x04\x91\x81\x01\x01"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct range_record decoded;
        assert_int_equal(range_record_decode(rows[i], &decoded), STATUS_MALFORMED);
    }
}

static void every_difference_is_seen(void **state) {
    const struct range_record base = {.range = 1,
                                      .bounds = {.first = 10, .last = 20},
                                      .epoch = 2,
                                      .primary = 3,
                                      .in_sync = {3, 4},
                                      .in_sync_count = 2,
                                      .learners = {5},
                                      .learners_count = 1};
    struct range_record rows[15];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        rows[i] = base;
    rows[0].range = 9;
    rows[1].epoch = 9;
    rows[2].primary = 4;
    rows[3].in_sync[1] = 9;
    rows[4].in_sync_count = 1;
    rows[5].learners[0] = 9;
    rows[6].learners_count = 0;
    rows[7].is_handed_over = true;
    rows[8].bounds.first = 9;
    rows[9].bounds.last = 99;
    rows[10].has_parent = true;
    rows[11].parent = 9;
    rows[12].parent_index = 9;
    rows[13].parent_epoch = 9;
    rows[14].parent_next = 9;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_false(range_record_equal(&base, &rows[i]));
    struct range_record same = base;
    same.in_sync[6] = 77; /* beyond the count: nobody's */
    assert_true(range_record_equal(&base, &same));
}

static void members_are_found_where_they_are(void **state) {
    const struct range_record record = {
        .epoch = 2, .primary = 3, .in_sync = {3, 4, 6}, .in_sync_count = 2, .learners = {5, 7}, .learners_count = 1};
    (void)state;
    assert_true(range_record_has_in_sync(&record, 3) && range_record_has_in_sync(&record, 4));
    assert_false(range_record_has_in_sync(&record, 5) || range_record_has_in_sync(&record, 6));
    assert_true(range_record_has_learner(&record, 5));
    assert_false(range_record_has_learner(&record, 3) || range_record_has_learner(&record, 7));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_survive),
        cmocka_unit_test(records_that_contradict_themselves_are_refused),
        cmocka_unit_test(more_replicas_than_there_is_room_for_are_refused),
        cmocka_unit_test(bytes_that_are_no_record_are_refused),
        cmocka_unit_test(every_difference_is_seen),
        cmocka_unit_test(members_are_found_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
