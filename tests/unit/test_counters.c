#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "bench/counters.h"

#define COUNTER "weft_peer_sent_bytes_total"

static void a_counter_is_read_and_labels_are_summed(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_there;
        double sum;
    } rows[] = {
        {"# HELP " COUNTER " Bytes.\n# TYPE " COUNTER " counter\n" COUNTER " 12\n", true, 12},
        {COUNTER "{to=\"a b\"} 1\n" COUNTER "{to=\"c\"} 2.5\nother 7", true, 3.5},
        {"x " COUNTER " 12\n", false, 0},
        {COUNTER "_more 12\n", false, 0},
        {COUNTER " \n", false, 0},
        {COUNTER " twelve\n", false, 0},
        {COUNTER, false, 0},
        {"", false, 0},
        {COUNTER " 1e6", true, 1e6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double sum = -1;
        if (counter_read(bytes_of_text(rows[i].text), COUNTER, &sum) != rows[i].is_there || sum != rows[i].sum)
            fail_msg("row %zu gives %f", i, sum);
    }
}

static void after_a_restart_all_of_it_is_new(void **state) {
    (void)state;
    assert_true(counter_gain(10, 15) == 5);
    assert_true(counter_gain(10, 10) == 0);
    assert_true(counter_gain(10, 4) == 4);
}

#define HISTOGRAM "weft_hand_over_held_seconds"

static const char *const told =
    "# TYPE " HISTOGRAM " histogram\n" HISTOGRAM "_bucket{le=\"0.010\"} 5\n" HISTOGRAM
    "_bucket{le=\"0.050\"} 9\n" HISTOGRAM "_bucket{le=\"+Inf\"} 10\n" HISTOGRAM "_sum 0.2\n" HISTOGRAM "_count 10\n";

static void a_histogram_is_read_with_its_bounds(void **state) {
    (void)state;
    struct counter_histogram histogram;
    assert_true(counter_histogram_read(bytes_of_text(told), HISTOGRAM, &histogram));
    assert_int_equal(histogram.bounds_count, 3);
    assert_true(histogram.bounds[1] == 0.05 && histogram.counts[1] == 9 && histogram.bounds[2] > 1e300);
    assert_true(counter_histogram_quantile(&histogram, 0.5) == 0.01);
    assert_true(counter_histogram_quantile(&histogram, 0.51) == 0.05);
    assert_true(counter_histogram_quantile(&histogram, 0.99) > 1e300);
}

static void what_is_no_histogram_is_not_read(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        HISTOGRAM " 3\n",
                                        HISTOGRAM "_bucket{le=\"0.010\"\n",
                                        HISTOGRAM "_bucket{le=\"\"} 1\n",
                                        HISTOGRAM "_bucket{le=\"1\"} \n",
                                        HISTOGRAM "_bucket{le=\"1",
                                        HISTOGRAM "_bucket{le=\"one\"} 1"};
    struct counter_histogram histogram;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (counter_histogram_read(bytes_of_text(texts[i]), HISTOGRAM, &histogram))
            fail_msg("row %zu is read", i);
    assert_true(counter_histogram_quantile(&histogram, 0.5) == 0);
}

static void what_nodes_counted_since_is_added_up(void **state) {
    (void)state;
    struct counter_histogram now, sum = {0}, empty = {0}, other = {.bounds = {1}, .counts = {1}, .bounds_count = 1};
    const struct counter_histogram before = {.bounds = {0.01, 0.05, INFINITY}, .counts = {4, 4, 4}, .bounds_count = 3};
    const struct counter_histogram of_last_life = {
        .bounds = {0.01, 0.05, INFINITY}, .counts = {30, 30, 30}, .bounds_count = 3};
    assert_true(counter_histogram_read(bytes_of_text(told), HISTOGRAM, &now));
    assert_true(counter_histogram_gain(&sum, &before, &now));
    assert_true(sum.counts[0] == 1 && sum.counts[1] == 5 && sum.counts[2] == 6);
    assert_true(counter_histogram_gain(&sum, &empty, &now));
    assert_true(sum.counts[0] == 6 && sum.counts[2] == 16);
    assert_true(counter_histogram_gain(&sum, &of_last_life, &now));
    assert_true(sum.counts[0] == 11 && sum.counts[2] == 26);
    assert_false(counter_histogram_gain(&sum, &empty, &other));
    assert_false(counter_histogram_gain(&sum, &empty, &empty));
    assert_true(sum.counts[2] == 26);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_read_and_labels_are_summed),
        cmocka_unit_test(a_histogram_is_read_with_its_bounds),
        cmocka_unit_test(what_is_no_histogram_is_not_read),
        cmocka_unit_test(what_nodes_counted_since_is_added_up),
        cmocka_unit_test(after_a_restart_all_of_it_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
