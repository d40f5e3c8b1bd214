/* The map that many workers read while one writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "node/route_map.h"

#define MIDDLE ((uint64_t)1 << 63)
#define TURNS 20000
#define READERS 2

static struct route_map *routes;
static struct cluster_map map;

static int open_map(void **state) {
    (void)state;
    cluster_map_init(&map);
    routes = route_map_new();
    return 0;
}

static int close_map(void **state) {
    (void)state;
    cluster_map_close(&map);
    free(routes);
    return 0;
}

static void set(uint32_t range, uint64_t first, uint64_t last) {
    cluster_map_set(&map, range, &(struct bounds){.first = first, .last = last});
}

static uint32_t found_at(uint64_t position) {
    uint64_t turn;
    return route_map_find(routes, position, &turn);
}

static void what_was_written_is_found(void **state) {
    (void)state;
    assert_int_equal(found_at(7), CLUSTER_MAP_NOBODY);
    for (uint32_t part = 0; part < 4096; part++) {
        struct bounds bounds = bounds_of_part(part, 4096);
        cluster_map_set(&map, part, &bounds);
    }
    route_map_write(routes, &map);
    assert_int_equal(route_map_version(routes), map.version);
    for (uint32_t part = 0; part < 4096; part++) {
        struct bounds bounds = bounds_of_part(part, 4096);
        assert_int_equal(found_at(bounds.first), part);
        assert_int_equal(found_at(bounds.last), part);
    }
}

static void a_gap_belongs_to_nobody(void **state) {
    (void)state;
    set(3, 100, 200);
    route_map_write(routes, &map);
    assert_int_equal(found_at(99), CLUSTER_MAP_NOBODY);
    assert_int_equal(found_at(100), 3);
    assert_int_equal(found_at(201), CLUSTER_MAP_NOBODY);
}

static void a_moment_is_over_with_the_next_write(void **state) {
    uint64_t turn;
    (void)state;
    set(3, 100, 200);
    route_map_write(routes, &map);
    route_map_find(routes, 150, &turn);
    assert_true(route_map_is_unchanged(routes, turn));
    route_map_write(routes, &map);
    assert_false(route_map_is_unchanged(routes, turn));
}

static bool is_below(void *context, uint32_t range) {
    return range < *(uint32_t *)context;
}

static void all_means_the_whole_ring(void **state) {
    uint32_t bound = 2;
    (void)state;
    assert_false(route_map_all(routes, is_below, &bound));
    set(0, 0, MIDDLE - 1);
    route_map_write(routes, &map);
    assert_false(route_map_all(routes, is_below, &bound));
    set(1, MIDDLE, UINT64_MAX);
    route_map_write(routes, &map);
    assert_true(route_map_all(routes, is_below, &bound));
    bound = 1;
    assert_false(route_map_all(routes, is_below, &bound));
}

static atomic_bool is_over;
static atomic_int mistakes;

/* Range 0 has the lowest position always, and the highest is in 0 or 1, never nowhere. */
static void *read_on(void *argument) {
    (void)argument;
    while (!atomic_load(&is_over)) {
        if (found_at(0) != 0)
            atomic_fetch_add(&mistakes, 1);
        if (found_at(UINT64_MAX) > 1)
            atomic_fetch_add(&mistakes, 1);
    }
    return NULL;
}

static void readers_never_see_half_of_a_write(void **state) {
    struct cluster_map other;
    pthread_t readers[READERS];
    (void)state;
    cluster_map_init(&other);
    set(0, 0, UINT64_MAX);
    cluster_map_set(&other, 0, &(struct bounds){.first = 0, .last = MIDDLE - 1});
    cluster_map_set(&other, 1, &(struct bounds){.first = MIDDLE, .last = UINT64_MAX});
    route_map_write(routes, &map);
    atomic_store(&is_over, false);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    for (int i = 0; i < TURNS; i++)
        route_map_write(routes, i % 2 == 0 ? &other : &map);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    cluster_map_close(&other);
    assert_int_equal(atomic_load(&mistakes), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_map, close_map)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_found),
        TEST(a_gap_belongs_to_nobody),
        TEST(a_moment_is_over_with_the_next_write),
        TEST(all_means_the_whole_ring),
        TEST(readers_never_see_half_of_a_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
