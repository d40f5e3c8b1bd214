#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <cmocka.h>

#include "bench/histogram.h"

static struct histogram histogram;

static int clear(void **state) {
    (void)state;
    histogram_clear(&histogram);
    return 0;
}

static void an_empty_histogram_has_no_quantiles(void **state) {
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram.max_ns, 0);
}

static void small_values_are_exact(void **state) {
    (void)state;
    for (int64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 0.0), 1);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_quantile(&histogram, 1.0), 100);
}

static void a_quantile_between_two_values_is_the_higher_one(void **state) {
    (void)state;
    for (int64_t value = 1; value <= 3; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 2);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 3);
}

static void a_quantile_is_never_too_low_and_less_than_one_percent_too_high(void **state) {
    (void)state;
    for (uint64_t value = 1; value < (uint64_t)1 << 39; value = value + value / 3 + 1) {
        histogram_clear(&histogram);
        histogram_add(&histogram, (int64_t)value);
        histogram_add(&histogram, (int64_t)value * 2);
        uint64_t median = histogram_quantile(&histogram, 0.5);
        assert_true(median >= value);
        assert_true(median <= value + value / 100);
        assert_int_equal(histogram_quantile(&histogram, 1.0), value * 2);
    }
}

static void the_maximum_is_exact_even_beyond_the_table(void **state) {
    (void)state;
    histogram_add(&histogram, INT64_MAX);
    histogram_add(&histogram, 5);
    assert_true(histogram.max_ns == (uint64_t)INT64_MAX);
    assert_true(histogram_quantile(&histogram, 1.0) == (uint64_t)INT64_MAX);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 5);
}

static void a_negative_duration_counts_as_zero(void **state) {
    (void)state;
    histogram_add(&histogram, -7);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

static void merging_is_counting_together(void **state) {
    (void)state;
    static struct histogram other;
    histogram_clear(&other);
    for (int64_t value = 0; value < 1000; value++)
        histogram_add(value % 2 == 0 ? &histogram : &other, value * 1000);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 1000);
    assert_int_equal(histogram.max_ns, 999000);
    uint64_t median = histogram_quantile(&histogram, 0.5);
    assert_true(median >= 499000 && median < 499000 * 101 / 100);
}

static void slices_add_up_to_everything(void **state) {
    (void)state;
    srand(4711);
    for (int i = 0; i < 10000; i++)
        histogram_add(&histogram, (int64_t)rand() * (int64_t)(rand() % 1000));
    uint64_t sum = 0, from = 0;
    for (uint64_t to = 1; from < (uint64_t)1 << 42; from = to, to = to * 3 / 2 + 1)
        sum += histogram_between(&histogram, from, to);
    assert_int_equal(sum, 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_has_no_quantiles, clear),
        cmocka_unit_test_setup(small_values_are_exact, clear),
        cmocka_unit_test_setup(a_quantile_between_two_values_is_the_higher_one, clear),
        cmocka_unit_test_setup(a_quantile_is_never_too_low_and_less_than_one_percent_too_high, clear),
        cmocka_unit_test_setup(the_maximum_is_exact_even_beyond_the_table, clear),
        cmocka_unit_test_setup(a_negative_duration_counts_as_zero, clear),
        cmocka_unit_test_setup(merging_is_counting_together, clear),
        cmocka_unit_test_setup(slices_add_up_to_everything, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
