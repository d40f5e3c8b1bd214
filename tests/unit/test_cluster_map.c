/* Which range a key belongs to, as far as ranges are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "node/core/cluster_map.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cluster_map map;

static int map_open(void **state) {
    (void)state;
    cluster_map_init(&map);
    return 0;
}

static int map_close(void **state) {
    (void)state;
    cluster_map_close(&map);
    return 0;
}

static void set(uint32_t range, uint64_t first, uint64_t last) {
    cluster_map_set(&map, range, &(struct bounds){.first = first, .last = last});
}

static bool may_set(uint32_t range, uint64_t first, uint64_t last) {
    return cluster_map_may_set(&map, range, &(struct bounds){.first = first, .last = last});
}

static void nobody_has_what_is_not_known(void **state) {
    (void)state;
    assert_int_equal(cluster_map_range_at(&map, 0), CLUSTER_MAP_NOBODY);
    set(7, 100, 200);
    const struct {
        uint64_t position;
        uint32_t range;
    } rows[] = {{0, CLUSTER_MAP_NOBODY},   {99, CLUSTER_MAP_NOBODY},        {100, 7}, {150, 7}, {200, 7},
                {201, CLUSTER_MAP_NOBODY}, {UINT64_MAX, CLUSTER_MAP_NOBODY}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(cluster_map_range_at(&map, rows[i].position), rows[i].range);
    assert_false(cluster_map_is_whole(&map));
}

/* In whatever order they become known. */
static void equal_parts_are_found_from_end_to_end(void **state) {
    static const uint32_t counts[] = {1, 2, 3, 7, 64, 1000, 4096};
    for (size_t i = 0; i < COUNT(counts); i++) {
        for (uint32_t n = 0; n < counts[i]; n++) {
            uint32_t part = (uint32_t)((uint64_t)n * 4099 % counts[i]); /* all of them: 4099 is a prime beyond */
            struct bounds bounds = bounds_of_part(part, counts[i]);
            cluster_map_set(&map, part, &bounds);
        }
        for (uint32_t part = 0; part < counts[i]; part++) {
            struct bounds bounds = bounds_of_part(part, counts[i]);
            cluster_map_set(&map, part, &bounds);
            assert_int_equal(cluster_map_range_at(&map, bounds.first), part);
            assert_int_equal(cluster_map_range_at(&map, bounds.last), part);
        }
        assert_int_equal(map.count, counts[i]);
        assert_true(cluster_map_is_whole(&map));
        map_close(state);
        map_open(state);
    }
}

static void a_split_moves_the_upper_part_and_nothing_else(void **state) {
    (void)state;
    for (uint32_t part = 0; part < 4; part++) {
        struct bounds bounds = bounds_of_part(part, 4);
        cluster_map_set(&map, part, &bounds);
    }
    struct bounds second = bounds_of_part(1, 4);
    uint64_t middle = second.first + (second.last - second.first) / 2 + 1;
    uint64_t version = map.version;
    assert_false(may_set(9, middle, second.last));
    set(1, second.first, middle - 1);
    assert_int_equal(map.version, version + 1);
    assert_int_equal(cluster_map_range_at(&map, middle), CLUSTER_MAP_NOBODY);
    assert_false(cluster_map_is_whole(&map));
    assert_true(may_set(9, middle, second.last));
    set(9, middle, second.last);
    assert_true(cluster_map_is_whole(&map));
    assert_int_equal(cluster_map_range_at(&map, middle - 1), 1);
    assert_int_equal(cluster_map_range_at(&map, middle), 9);
    assert_int_equal(cluster_map_range_at(&map, second.last), 9);
    assert_int_equal(cluster_map_range_at(&map, second.last + 1), 2);
}

static void what_overlaps_another_range_may_not_be_set(void **state) {
    (void)state;
    set(1, 100, 200);
    set(2, 300, 400);
    const struct {
        uint32_t range;
        uint64_t first, last;
        bool may;
    } rows[] = {{3, 0, 99, true},     {3, 0, 100, false},   {3, 201, 299, true},       {3, 200, 299, false},
                {3, 201, 300, false}, {3, 150, 160, false}, {3, 0, UINT64_MAX, false}, {3, 401, UINT64_MAX, true},
                {1, 0, 299, true},    {1, 0, 300, false},   {2, 0, UINT64_MAX, false}, {2, 201, UINT64_MAX, true}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(may_set(rows[i].range, rows[i].first, rows[i].last), rows[i].may);
}

static void the_same_again_is_no_change(void **state) {
    (void)state;
    set(1, 100, 200);
    uint64_t version = map.version;
    set(1, 100, 200);
    assert_int_equal(map.version, version);
    set(1, 100, 201);
    assert_int_equal(map.version, version + 1);
}

/* 64,000 ids over 64 ranges: 1,000 each, with a deviation of about 32. */
static void ids_are_spread_evenly(void **state) {
    static const uint8_t hash_key[ID_HASH_KEY_BYTES] = {9, 9, 9};
    unsigned found[64] = {0};
    (void)state;
    for (uint32_t part = 0; part < 64; part++) {
        struct bounds bounds = bounds_of_part(part, 64);
        cluster_map_set(&map, part, &bounds);
    }
    for (unsigned i = 0; i < 64000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "8:acs:r_%u", i);
        struct id_hash hash = id_hash_make(hash_key, bytes_of_text(text));
        found[cluster_map_range_of(&map, &hash)]++;
    }
    for (size_t i = 0; i < 64; i++)
        assert_in_range(found[i], 1000 - 32 * 5, 1000 + 32 * 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, map_open, map_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nobody_has_what_is_not_known),
        TEST(equal_parts_are_found_from_end_to_end),
        TEST(a_split_moves_the_upper_part_and_nothing_else),
        TEST(what_overlaps_another_range_may_not_be_set),
        TEST(the_same_again_is_no_change),
        TEST(ids_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
