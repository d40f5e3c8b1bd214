/* Which range a key belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "node/core/cluster_map.h"

static uint32_t range_at(uint32_t range_count, uint64_t position) {
    struct cluster_map map;
    struct id_hash key = {{0}};
    cluster_map_init(&map, range_count);
    for (int i = 0; i < 8; i++)
        key.bytes[i] = (uint8_t)(position >> (56 - 8 * i));
    assert_int_equal(map.version, 1);
    return cluster_map_range_of(&map, &key);
}

static void the_ring_is_cut_into_equal_ranges_from_end_to_end(void **state) {
    static const uint32_t counts[] = {1, 2, 3, 7, 64, 1000, 65536, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(range_at(counts[i], 0), 0);
        assert_int_equal(range_at(counts[i], UINT64_MAX), counts[i] - 1);
    }
    assert_int_equal(range_at(2, UINT64_MAX / 2), 0);
    assert_int_equal(range_at(2, UINT64_MAX / 2 + 1), 1);
    assert_int_equal(range_at(64, (1ULL << 58) - 1), 0);
    assert_int_equal(range_at(64, 1ULL << 58), 1);
    assert_int_equal(range_at(64, 63ULL << 58), 63);
}

static void positions_rise_with_their_ranges(void **state) {
    uint32_t last = 0;
    (void)state;
    for (uint64_t step = 0; step < 1000; step++) {
        uint32_t range = range_at(13, step * (UINT64_MAX / 1000));
        assert_true(range == last || range == last + 1);
        last = range;
    }
    assert_int_equal(last, 12);
}

/* 64,000 ids over 64 ranges: 1,000 each, with a deviation of about 32. */
static void ids_are_spread_evenly(void **state) {
    static const uint8_t hash_key[ID_HASH_KEY_BYTES] = {9, 9, 9};
    unsigned found[64] = {0};
    struct cluster_map map;
    (void)state;
    cluster_map_init(&map, 64);
    for (unsigned i = 0; i < 64000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "8:acs:r_%u", i);
        struct id_hash hash = id_hash_make(hash_key, bytes_of_text(text));
        found[cluster_map_range_of(&map, &hash)]++;
    }
    for (size_t i = 0; i < 64; i++)
        assert_in_range(found[i], 1000 - 32 * 5, 1000 + 32 * 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_is_cut_into_equal_ranges_from_end_to_end),
        cmocka_unit_test(positions_rise_with_their_ranges),
        cmocka_unit_test(ids_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
