#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/latencies.h"

static void nothing_took_no_time(void **state) {
    const struct latencies none = {0};
    (void)state;
    assert_int_equal(latencies_quantile(&none, 0.5), 0);
    assert_int_equal(latencies_quantile(&none, 1), 0);
}

static void one_is_told_within_six_percent(void **state) {
    (void)state;
    for (uint64_t us = 0; us < 4000000000; us = us * 5 / 4 + 1) {
        struct latencies one = {0};
        latencies_add(&one, us);
        double told = latencies_quantile(&one, 0.5);
        assert_true(told >= (double)us * 0.94 && told <= (double)us * 1.06);
    }
}

static void what_is_longer_than_any_bucket_counts_as_the_longest(void **state) {
    struct latencies one = {0};
    (void)state;
    latencies_add(&one, UINT64_MAX);
    assert_true(latencies_quantile(&one, 0.99) > 2000000000);
}

static void quantiles_are_those_of_what_was_added(void **state) {
    struct latencies many = {0};
    (void)state;
    for (uint64_t us = 1; us <= 1000; us++)
        latencies_add(&many, us);
    assert_in_range(latencies_quantile(&many, 0.5), 470, 530);
    assert_in_range(latencies_quantile(&many, 0.99), 930, 1050);
    assert_in_range(latencies_quantile(&many, 0), 1, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_took_no_time),
        cmocka_unit_test(one_is_told_within_six_percent),
        cmocka_unit_test(what_is_longer_than_any_bucket_counts_as_the_longest),
        cmocka_unit_test(quantiles_are_those_of_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
