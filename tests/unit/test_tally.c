#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/tally.h"

#define READERS 3

static struct tally tally;
static struct tally_reader readers[READERS];

static int open_book(void **state) {
    (void)state;
    tally_init(&tally, 130, READERS);
    for (int i = 0; i < READERS; i++)
        tally_reader_init(&readers[i], &tally);
    return 0;
}

static int close_book(void **state) {
    (void)state;
    for (int i = 0; i < READERS; i++)
        tally_reader_close(&readers[i]);
    tally_close(&tally);
    return 0;
}

static enum tally_verdict arrive(int reader, uint32_t number, uint64_t position) {
    return tally_arrived(&tally, &readers[reader], number, position, true, 1000 + number);
}

static void send_all(uint32_t count) {
    for (uint32_t number = 0; number < count; number++)
        tally_sent(&tally, number, number, number + 1);
}

static void everything_arrived_everywhere_leaves_nothing_missing(void **state) {
    (void)state;
    send_all(130);
    for (uint32_t number = 0; number < 130; number++) {
        assert_true(tally_acknowledged(&tally, number, 500));
        assert_int_equal(arrive(0, number, 3 + number), TALLY_COUNTED);
        assert_int_equal(arrive(1, number, 3 + number), TALLY_COUNTED);
        assert_int_equal(arrive(2, number, 3 + number), TALLY_COMPLETE);
    }
    assert_int_equal(tally_missing(&tally), 0);
    assert_int_equal(tally_unanswered(&tally), 0);
    assert_int_equal(tally.arrivals, 390);
    assert_int_equal(tally.duplicates + tally.disorders, 0);
    assert_int_equal(tally.messages[129].last_ns, 1129);
}

static void a_message_that_one_reader_misses_is_missing_once(void **state) {
    (void)state;
    send_all(2);
    tally_acknowledged(&tally, 0, 500);
    arrive(0, 0, 3);
    arrive(2, 0, 3);
    assert_int_equal(tally_missing(&tally), 1);
}

static void arrivals_before_the_acknowledgement_count(void **state) {
    (void)state;
    send_all(1);
    for (int i = 0; i < READERS; i++)
        arrive(i, 0, 3);
    assert_int_equal(tally_missing(&tally), 0);
    tally_acknowledged(&tally, 0, 500);
    assert_int_equal(tally_missing(&tally), 0);
}

static void a_refused_message_is_not_awaited(void **state) {
    (void)state;
    send_all(1);
    assert_true(tally_failed(&tally, 0));
    assert_false(tally_acknowledged(&tally, 0, 500));
    assert_int_equal(tally_missing(&tally), 0);
    assert_int_equal(tally.failed, 1);
}

static void a_second_acknowledgement_is_noticed(void **state) {
    (void)state;
    send_all(1);
    assert_true(tally_acknowledged(&tally, 0, 500));
    assert_false(tally_acknowledged(&tally, 0, 500));
    assert_false(tally_acknowledged(&tally, 5, 500));
    assert_false(tally_acknowledged(&tally, 5000, 500));
}

static void the_same_message_twice_at_one_reader_is_a_duplicate(void **state) {
    (void)state;
    send_all(2);
    arrive(0, 0, 3);
    arrive(0, 1, 4);
    assert_int_equal(arrive(0, 0, 3), TALLY_DUPLICATE);
    assert_int_equal(tally.duplicates, 1);
    assert_int_equal(tally.arrivals, 2);
    assert_int_equal(tally.disorders, 0);
}

static void a_message_never_sent_is_strange(void **state) {
    (void)state;
    send_all(1);
    assert_int_equal(arrive(0, 1, 3), TALLY_STRANGE);
    assert_int_equal(arrive(0, 130, 3), TALLY_STRANGE);
}

static void order_is_that_of_positions(void **state) {
    (void)state;
    static const struct {
        uint64_t first, second;
        bool is_contiguous;
        uint64_t disorders;
    } rows[] = {
        {3, 4, true, 0}, {3, 5, true, 1}, {4, 3, true, 1}, {3, 5, false, 0}, {5, 3, false, 1}, {3, 3, false, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        close_book(NULL);
        open_book(NULL);
        send_all(2);
        tally_arrived(&tally, &readers[0], 0, rows[i].first, rows[i].is_contiguous, 1);
        tally_arrived(&tally, &readers[0], 1, rows[i].second, rows[i].is_contiguous, 1);
        assert_int_equal(tally.disorders, rows[i].disorders);
    }
}

static void only_what_is_older_is_overdue(void **state) {
    (void)state;
    send_all(4);
    for (uint32_t number = 0; number < 4; number++)
        tally_acknowledged(&tally, number, 500);
    for (int i = 0; i < READERS; i++)
        arrive(i, 0, 3);
    arrive(0, 1, 4);
    assert_int_equal(tally_overdue(&tally, 1), 0);
    assert_int_equal(tally_overdue(&tally, 2), 2);
    assert_int_equal(tally_overdue(&tally, 3), 5);
    arrive(1, 1, 4);
    arrive(2, 1, 4);
    assert_int_equal(tally_overdue(&tally, 3), 3);
    assert_int_equal(tally_overdue(&tally, 3), 3);
    assert_int_equal(tally_missing(&tally), 6);
}

static void readers_that_disagree_on_the_order_are_noticed(void **state) {
    (void)state;
    send_all(2);
    arrive(0, 0, 3);
    arrive(0, 1, 4);
    arrive(1, 1, 3);
    arrive(1, 0, 4);
    assert_int_equal(tally.disorders, 2);
}

static void what_is_unanswered_is_found_in_order(void **state) {
    (void)state;
    send_all(5);
    assert_int_equal(tally_next_unanswered(&tally, 0), 0);
    tally_acknowledged(&tally, 0, 9);
    tally_failed(&tally, 1);
    tally_acknowledged(&tally, 3, 9);
    assert_int_equal(tally_next_unanswered(&tally, 0), 2);
    assert_int_equal(tally_next_unanswered(&tally, 3), 4);
    assert_int_equal(tally_next_unanswered(&tally, 5), 130);
    assert_int_equal(tally.messages[3].started_ns, 4);
    assert_int_equal(tally.messages[3].acknowledged_ns, 9);
}

static void a_reader_knows_what_it_has_seen(void **state) {
    (void)state;
    send_all(70);
    arrive(1, 69, 3);
    assert_true(tally_has_seen(&tally, &readers[1], 69));
    assert_false(tally_has_seen(&tally, &readers[0], 69));
    assert_false(tally_has_seen(&tally, &readers[1], 5));
    assert_false(tally_has_seen(&tally, &readers[1], 130));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrived_everywhere_leaves_nothing_missing, open_book, close_book),
        cmocka_unit_test_setup_teardown(a_message_that_one_reader_misses_is_missing_once, open_book, close_book),
        cmocka_unit_test_setup_teardown(arrivals_before_the_acknowledgement_count, open_book, close_book),
        cmocka_unit_test_setup_teardown(a_refused_message_is_not_awaited, open_book, close_book),
        cmocka_unit_test_setup_teardown(a_second_acknowledgement_is_noticed, open_book, close_book),
        cmocka_unit_test_setup_teardown(the_same_message_twice_at_one_reader_is_a_duplicate, open_book, close_book),
        cmocka_unit_test_setup_teardown(a_message_never_sent_is_strange, open_book, close_book),
        cmocka_unit_test_setup_teardown(order_is_that_of_positions, open_book, close_book),
        cmocka_unit_test_setup_teardown(only_what_is_older_is_overdue, open_book, close_book),
        cmocka_unit_test_setup_teardown(what_is_unanswered_is_found_in_order, open_book, close_book),
        cmocka_unit_test_setup_teardown(a_reader_knows_what_it_has_seen, open_book, close_book),
        cmocka_unit_test_setup_teardown(readers_that_disagree_on_the_order_are_noticed, open_book, close_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
