#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/peer/credit_window.h"

static struct credit_window window;

static void bytes_close_the_window_and_credit_opens_it(void **state) {
    (void)state;
    credit_window_clear(&window);
    for (uint64_t counter = 1; counter <= 4; counter++) {
        assert_true(credit_window_has_room(&window, CREDIT_WINDOW_BYTES / 4));
        credit_window_sent(&window, counter, CREDIT_WINDOW_BYTES / 4);
    }
    assert_false(credit_window_has_room(&window, 1));
    assert_true(credit_window_taken(&window, 2));
    assert_true(credit_window_has_room(&window, CREDIT_WINDOW_BYTES / 2));
    assert_false(credit_window_has_room(&window, CREDIT_WINDOW_BYTES / 2 + 1));
    assert_false(credit_window_taken(&window, 2));
    assert_false(credit_window_taken(&window, 1));
    assert_true(credit_window_taken(&window, 4));
    assert_int_equal(window.bytes, 0);
}

static void messages_close_the_window_too(void **state) {
    (void)state;
    credit_window_clear(&window);
    for (uint64_t counter = 1; counter <= CREDIT_WINDOW_MESSAGES; counter++) {
        assert_true(credit_window_has_room(&window, 1));
        credit_window_sent(&window, counter, 1);
    }
    assert_false(credit_window_has_room(&window, 1));
    /* Around the ring, many times. */
    for (uint64_t counter = CREDIT_WINDOW_MESSAGES + 1; counter < 10 * CREDIT_WINDOW_MESSAGES; counter++) {
        assert_true(credit_window_taken(&window, counter - CREDIT_WINDOW_MESSAGES));
        assert_true(credit_window_has_room(&window, 1));
        credit_window_sent(&window, counter, 1);
        assert_false(credit_window_has_room(&window, 1));
    }
}

static void what_is_larger_than_the_window_goes_alone(void **state) {
    (void)state;
    credit_window_clear(&window);
    assert_true(credit_window_has_room(&window, 3 * CREDIT_WINDOW_BYTES));
    credit_window_sent(&window, 7, 3 * CREDIT_WINDOW_BYTES);
    assert_false(credit_window_has_room(&window, 1));
    assert_true(credit_window_taken(&window, 9));
    credit_window_sent(&window, 10, 1);
    assert_false(credit_window_has_room(&window, 3 * CREDIT_WINDOW_BYTES));
}

static void lost_messages_weigh_until_a_later_one_is_taken(void **state) {
    (void)state;
    credit_window_clear(&window);
    credit_window_sent(&window, 1, 100); /* lost */
    credit_window_sent(&window, 3, 200); /* 2 was a message without packets */
    assert_true(credit_window_taken(&window, 2));
    assert_int_equal(window.bytes, 200);
    assert_true(credit_window_taken(&window, UINT64_MAX));
    assert_int_equal(window.bytes, 0);
    assert_int_equal(window.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_close_the_window_and_credit_opens_it),
        cmocka_unit_test(messages_close_the_window_too),
        cmocka_unit_test(what_is_larger_than_the_window_goes_alone),
        cmocka_unit_test(lost_messages_weigh_until_a_later_one_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
