#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/durations.h"

static void each_is_counted_up_to_the_bound_that_it_is_not_above(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        size_t at;
    } rows[] = {{-5, 0},
                {0, 0},
                {1, 0},
                {2, 1},
                {3, 2},
                {5, 2},
                {50, 8},
                {51, 9},
                {250, 13},
                {251, 14},
                {1000, 15},
                {1001, DURATIONS_BOUNDS},
                {INT64_MAX, DURATIONS_BOUNDS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct durations durations = {0};
        durations_add(&durations, rows[i].ms);
        if (durations.counts[rows[i].at] != 1)
            fail_msg("%lld ms is not counted at %zu", (long long)rows[i].ms, rows[i].at);
    }
}

static void the_sum_and_the_longest_are_kept(void **state) {
    (void)state;
    struct durations durations = {0};
    durations_add(&durations, 7);
    durations_add(&durations, 40);
    durations_add(&durations, -3);
    durations_add(&durations, 2);
    assert_int_equal(durations.sum_ms, 49);
    assert_int_equal(durations.longest_ms, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_counted_up_to_the_bound_that_it_is_not_above),
        cmocka_unit_test(the_sum_and_the_longest_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
