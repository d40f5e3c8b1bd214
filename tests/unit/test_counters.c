#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_read_and_labels_are_summed),
        cmocka_unit_test(after_a_restart_all_of_it_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
