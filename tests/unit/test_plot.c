#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <cmocka.h>

#include "bench/plot.h"

static bool is_near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) + 1e-12;
}

static void logarithmic_scales_begin_and_end_at_round_numbers(void **state) {
    (void)state;
    static const struct {
        double low, high, from, to;
    } rows[] = {
        {0.3, 42, 0.2, 50}, {1, 10, 1, 10}, {0.011, 0.019, 0.01, 0.02},
        {7, 7, 5, 10},      {1, 1, 1, 10},  {0.05, 999, 0.05, 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plot_scale scale = plot_scale_log(rows[i].low, rows[i].high);
        assert_true(is_near(scale.from, rows[i].from));
        assert_true(is_near(scale.to, rows[i].to));
    }
}

static void linear_scales_end_at_a_round_number(void **state) {
    (void)state;
    static const struct {
        double high, to;
    } rows[] = {{0, 1}, {19, 20}, {20000, 20000}, {21000, 30000}, {0.7, 0.8}, {100, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(is_near(plot_scale_from_zero(rows[i].high).to, rows[i].to));
}

static void values_outside_a_scale_are_drawn_at_its_edge(void **state) {
    (void)state;
    struct plot plot = {NULL, 10, 20, 100, 200, {1, 100, true}, {0, 50, false}};
    assert_true(is_near(plot_x(&plot, 10), 60));
    assert_true(is_near(plot_x(&plot, 0), 10));
    assert_true(is_near(plot_x(&plot, 1e6), 110));
    assert_true(is_near(plot_y(&plot, 25), 120));
    assert_true(is_near(plot_y(&plot, 500), 20));
    assert_true(is_near(plot_y(&plot, -5), 220));
}

static void numbers_are_written_for_people(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},     {0.05, "0.05"},    {1.234, "1.23"},   {99.9, "99.9"},
                {100, "100"}, {1234.6, "1,235"}, {1e6, "1,000,000"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        assert_string_equal(plot_number(rows[i].value, text), rows[i].text);
    }
}

static void names_from_outside_cannot_become_markup(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out);
    plot_escape(&out, "<script a=\"b\">&");
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, "&lt;script a=&quot;b&quot;&gt;&amp;");
    buffer_close(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithmic_scales_begin_and_end_at_round_numbers),
        cmocka_unit_test(linear_scales_end_at_a_round_number),
        cmocka_unit_test(values_outside_a_scale_are_drawn_at_its_edge),
        cmocka_unit_test(numbers_are_written_for_people),
        cmocka_unit_test(names_from_outside_cannot_become_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
