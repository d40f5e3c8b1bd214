/* How the ring is cut into equal parts, and what lies in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/bounds.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void parts_follow_each_other_from_end_to_end(void **state) {
    static const uint32_t counts[] = {1, 2, 3, 7, 64, 1000, 4096};
    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        uint64_t next = 0;
        for (uint32_t part = 0; part < counts[i]; part++) {
            struct bounds bounds = bounds_of_part(part, counts[i]);
            assert_true(bounds.first == next && bounds.last >= bounds.first);
            next = bounds.last + 1;
        }
        assert_true(next == 0);
    }
}

static void a_part_has_what_division_gives_it(void **state) {
    static const uint32_t counts[] = {1, 2, 3, 7, 64, 1000, 4096};
    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        for (uint32_t part = 0; part < counts[i]; part++) {
            struct bounds bounds = bounds_of_part(part, counts[i]);
            assert_int_equal(bounds_part_of(bounds.first, counts[i]), part);
            assert_int_equal(bounds_part_of(bounds.last, counts[i]), part);
        }
    }
}

static void both_ends_are_within_the_bounds(void **state) {
    const struct bounds bounds = {.first = 10, .last = 20};
    const struct {
        uint64_t position;
        bool is_within;
    } rows[] = {{0, false}, {9, false}, {10, true}, {15, true}, {20, true}, {21, false}, {UINT64_MAX, false}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(bounds_have(&bounds, rows[i].position), rows[i].is_within);
}

static void bounds_that_are_not_said_are_known_as_such(void **state) {
    const struct bounds none = {0};
    const struct bounds first = bounds_of_part(0, 4096);
    const struct bounds all = bounds_of_all();
    (void)state;
    assert_false(bounds_are_said(&none));
    assert_true(bounds_are_said(&first) && bounds_are_said(&all));
    assert_true(bounds_equal(&first, &first) && !bounds_equal(&first, &all) && !bounds_equal(&none, &first));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_follow_each_other_from_end_to_end),
        cmocka_unit_test(a_part_has_what_division_gives_it),
        cmocka_unit_test(both_ends_are_within_the_bounds),
        cmocka_unit_test(bounds_that_are_not_said_are_known_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
