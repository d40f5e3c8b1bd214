#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/placement.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int decode_encoded(const struct placement *placement, struct placement *decoded) {
    struct buffer encoded;
    buffer_init(&encoded);
    placement_encode(placement, &encoded);
    int rc = placement_decode(buffer_bytes(&encoded), decoded);
    buffer_close(&encoded);
    return rc;
}

static void placements_survive(void **state) {
    const struct placement rows[] = {
        {.holders = {1}, .holders_count = 1},
        {.range = 63, .holders = {3, UINT64_MAX, 2}, .holders_count = 3, .primary = 2, .is_manual = true},
        {.range = UINT32_MAX, .holders = {1, 2, 3, 4, 5, 6, 7}, .holders_count = 7, .primary = 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct placement decoded;
        assert_int_equal(decode_encoded(&rows[i], &decoded), STATUS_OK);
        assert_true(placement_equal(&rows[i], &decoded));
        assert_int_equal(decoded.is_manual, rows[i].is_manual);
    }
}

static void placements_that_contradict_themselves_are_refused(void **state) {
    const struct placement rows[] = {
        {.holders = {0}, .holders_count = 1},
        {.holders = {1, 0}, .holders_count = 2},
        {.holders = {1, 2, 1}, .holders_count = 3},
        {.holders = {1, 2}, .holders_count = 2, .primary = 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct placement decoded;
        assert_int_equal(decode_encoded(&rows[i], &decoded), STATUS_MALFORMED);
    }
}

static void bytes_that_are_no_placement_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\x80"),
        BYTES_LITERAL("\x82\x01\x01\x02\x90"),
        BYTES_LITERAL("\x82\x01\x01\x02\xdd\xff\xff\xff\xff"),
        /* eight holders */
        BYTES_LITERAL("\x82\x01\x01\x02\x98\x81\x01\x01\x81\x01\x02\x81\x01\x03\x81\x01\x04\x81\x01\x05\x81\x01\x06\x81"
                      "\x01\x07\x81\x01\x08"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct placement decoded;
        assert_int_equal(placement_decode(rows[i], &decoded), STATUS_MALFORMED);
    }
}

static void every_difference_is_seen(void **state) {
    const struct placement base = {.range = 1, .holders = {3, 4}, .holders_count = 2, .primary = 3};
    struct placement rows[] = {base, base, base, base};
    (void)state;
    rows[0].range = 2;
    rows[1].holders[1] = 5;
    rows[2].holders_count = 1;
    rows[3].primary = 0;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_false(placement_equal(&base, &rows[i]));
    assert_true(placement_equal(&base, &base));
}

static void it_is_reached_when_the_record_says_just_that(void **state) {
    const struct placement placement = {.holders = {1, 2, 3}, .holders_count = 3, .primary = 2};
    const struct placement any = {.holders = {1, 2, 3}, .holders_count = 3};
    const struct {
        struct range_record record;
        bool is_reached, is_reached_by_any;
    } rows[] = {
        {{.epoch = 1, .primary = 2, .in_sync = {3, 2, 1}, .in_sync_count = 3}, true, true},
        {{.epoch = 1, .primary = 1, .in_sync = {3, 2, 1}, .in_sync_count = 3}, false, true},
        {{.epoch = 1, .primary = 2, .in_sync = {1, 2}, .in_sync_count = 2}, false, false},
        {{.epoch = 1, .primary = 2, .in_sync = {1, 2, 4}, .in_sync_count = 3}, false, false},
        {{.epoch = 1, .primary = 2, .in_sync = {1, 2, 3, 4}, .in_sync_count = 4}, false, false},
        {{.epoch = 1, .primary = 2, .in_sync = {1, 2, 3}, .in_sync_count = 3, .learners = {4}, .learners_count = 1},
         false,
         false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(placement_is_reached(&placement, &rows[i].record), rows[i].is_reached);
        assert_int_equal(placement_is_reached(&any, &rows[i].record), rows[i].is_reached_by_any);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placements_survive),
        cmocka_unit_test(placements_that_contradict_themselves_are_refused),
        cmocka_unit_test(bytes_that_are_no_placement_are_refused),
        cmocka_unit_test(every_difference_is_seen),
        cmocka_unit_test(it_is_reached_when_the_record_says_just_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
