#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/last_minute.h"

static void what_was_added_is_told_for_a_minute_and_then_forgotten(void **state) {
    static const struct {
        int64_t mono_ms;
        uint64_t counter;
        uint64_t told;
    } looks[] = {
        {1000000, 0, 0},  {1002000, 3, 3}, {1004900, 3, 3}, {1030000, 5, 5}, {1054000, 5, 5}, /* within 55 s */
        {1060000, 5, 2},                                                     /* the first ones are a minute ago */
        {1084000, 5, 2},  {1090000, 5, 0}, {1090250, 6, 1}, {9000000, 6, 0}, /* after a long time without a look */
        {9000250, 13, 7},
    };
    struct last_minute minute = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
        assert_int_equal(last_minute_look(&minute, looks[i].counter, looks[i].mono_ms), looks[i].told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_told_for_a_minute_and_then_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
