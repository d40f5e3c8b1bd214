#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "node/ctl/human.h"

struct example {
    double value;
    const char *text;
};

typedef char *human(double value, char out[static HUMAN_BYTES_MAX]);

static void assert_texts(human *write, const struct example *examples, size_t count) {
    char out[HUMAN_BYTES_MAX];
    for (size_t i = 0; i < count; i++)
        assert_string_equal(write(examples[i].value, out), examples[i].text);
}
#define ASSERT_TEXTS(write, ...)                                                                                       \
    assert_texts(write, (const struct example[]){__VA_ARGS__},                                                         \
                 sizeof(struct example[]){__VA_ARGS__} / sizeof(struct example))

static void bytes_have_the_unit_that_leaves_three_digits(void **state) {
    (void)state;
    ASSERT_TEXTS(human_bytes, {0, "0 B"}, {999, "999 B"}, {999.6, "1.0 kB"}, {1000, "1.0 kB"}, {9949, "9.9 kB"},
                 {9950, "10 kB"}, {999499, "999 kB"}, {999500, "1.0 MB"}, {1.5e9, "1.5 GB"}, {3e15, "3.0 PB"},
                 {9e20, "900 PB"});
}

static void counts_are_whole_unless_they_are_small(void **state) {
    (void)state;
    ASSERT_TEXTS(human_count, {0, "0"}, {0.04, "0"}, {0.4, "0.4"}, {3, "3"}, {9.94, "9.9"}, {9.96, "10"},
                 {870.3, "870"}, {1203, "1.2 k"}, {12345, "12 k"}, {3.4e6, "3.4 M"});
}

static void durations_have_two_units(void **state) {
    (void)state;
    ASSERT_TEXTS(human_seconds, {0, "0 s"}, {0.4, "0 s"}, {59.4, "59 s"}, {59.6, "1 min 0 s"}, {200, "3 min 20 s"},
                 {7500, "2 h 5 min"}, {3 * 86400 + 4 * 3600 + 59, "3 d 4 h"});
}

static void milliseconds_and_parts_keep_what_matters(void **state) {
    (void)state;
    ASSERT_TEXTS(human_ms, {0, "0.00"}, {0.254, "0.25"}, {9.994, "9.99"}, {12.34, "12.3"}, {99.94, "99.9"},
                 {1203, "1203"});
    ASSERT_TEXTS(human_percent, {0, "0.0 %"}, {1.0 / 3, "33.3 %"}, {1, "100.0 %"});
}

static void nonsense_counts_as_zero_or_as_very_much(void **state) {
    (void)state;
    human *const all[] = {human_bytes, human_count, human_seconds, human_ms, human_percent, human_time};
    const double nonsense[] = {-1, -1e300, NAN, -NAN, INFINITY, -INFINITY, 1e300};
    char out[HUMAN_BYTES_MAX];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t j = 0; j < sizeof nonsense / sizeof *nonsense; j++)
            assert_in_range(strlen(all[i](nonsense[j], out)), 1, HUMAN_BYTES_MAX - 1);
    assert_string_equal(human_bytes(NAN, out), "0 B");
    assert_string_equal(human_seconds(-7, out), "0 s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_the_unit_that_leaves_three_digits),
        cmocka_unit_test(counts_are_whole_unless_they_are_small),
        cmocka_unit_test(durations_have_two_units),
        cmocka_unit_test(milliseconds_and_parts_keep_what_matters),
        cmocka_unit_test(nonsense_counts_as_zero_or_as_very_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
