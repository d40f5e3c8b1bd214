#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/stalls.h"

#define MS 1000000LL
#define START_NS 5000000000LL

/* One thread of three participants and a small one, four messages each; message n of either goes at n seconds. */
static const struct options options = {.threads = 1, .participants = 3, .small_threads = 1, .connections_per_user = 1};
static struct tally tallies[2];
static struct hand_over hand_overs[2];
static struct movements movements = {.hand_overs = hand_overs};
static struct stalls stalls;
static const uint64_t *positions;

static int open_books(void **state) {
    (void)state;
    movements.hand_overs_count = 0;
    positions = NULL;
    for (uint32_t thread = 0; thread < 2; thread++) {
        tally_init(&tallies[thread], 4, 1);
        for (uint32_t number = 0; number < 4; number++)
            tally_sent(&tallies[thread], number, 0, START_NS + number * 1000 * MS);
    }
    return 0;
}

static int close_books(void **state) {
    (void)state;
    tally_close(&tallies[0]);
    tally_close(&tallies[1]);
    stalls_close(&stalls);
    return 0;
}

static void answer(uint32_t thread, uint32_t number, int64_t after_ms) {
    tally_acknowledged(&tallies[thread], number, tallies[thread].messages[number].started_ns + after_ms * MS);
}

static void find(void) {
    stalls_find(&stalls, tallies, &options, START_NS, &movements, positions);
}

static void the_longest_of_each_thread_and_sender_is_kept(void **state) {
    (void)state;
    answer(0, 0, 10);
    answer(0, 1, 30);
    answer(0, 3, 20);
    answer(1, 2, 5);
    find();
    assert_int_equal(stalls.threads_count, 2);
    assert_true(stalls.threads[0].duration_ns == 30 * MS && stalls.threads[0].at_s == 1);
    assert_true(stalls.threads[1].duration_ns == 5 * MS && stalls.threads[1].participant == 2);
    assert_int_equal(stalls.senders_count, 8);
    assert_true(stalls.senders[0].duration_ns == 20 * MS);
    assert_true(stalls.senders[1].duration_ns == 30 * MS);
    assert_true(stalls.senders[2].duration_ns == 0);
    assert_true(stalls.senders[3 + 2].duration_ns == 5 * MS);
    assert_int_equal(stalls.of_threads.count, 2);
    assert_int_equal(stalls.of_senders.count, 3);
}

static void a_hand_over_has_the_longest_write_that_was_under_way(void **state) {
    (void)state;
    hand_overs[0] = (struct hand_over){.after_s = 1.5, .until_s = 1.8};
    hand_overs[1] = (struct hand_over){.after_s = 2.9, .until_s = 3.1};
    movements.hand_overs_count = 2;
    answer(0, 0, 900);
    answer(0, 1, 600);
    answer(1, 1, 100);
    answer(1, 2, 990);
    find();
    assert_true(stalls.hand_overs[0].duration_ns == 600 * MS);
    assert_true(stalls.hand_overs[1].duration_ns == 990 * MS && stalls.hand_overs[1].thread == 1);
    assert_int_equal(stalls.of_hand_overs.count, 2);
}

static void where_threads_are_known_only_those_of_the_range_count(void **state) {
    (void)state;
    static const uint64_t known[] = {99, 200};
    hand_overs[0] = (struct hand_over){.after_s = 0, .until_s = 3, .first = 100, .last = 200};
    hand_overs[1] = (struct hand_over){.after_s = 0, .until_s = 3, .first = 201, .last = UINT64_MAX};
    movements.hand_overs_count = 2;
    answer(0, 0, 700);
    answer(1, 1, 30);
    positions = known;
    find();
    assert_true(stalls.hand_overs[0].duration_ns == 30 * MS && stalls.hand_overs[0].thread == 1);
    assert_true(stalls.hand_overs[1].duration_ns == 0);
    assert_int_equal(stalls.of_hand_overs.count, 1);
}

static void a_sender_who_connected_again_is_not_the_hand_overs(void **state) {
    (void)state;
    hand_overs[0] = (struct hand_over){.after_s = 0, .until_s = 2};
    movements.hand_overs_count = 1;
    answer(0, 0, 50);
    answer(0, 1, 700);
    tallies[0].messages[1].is_repeated = true;
    find();
    assert_true(stalls.hand_overs[0].duration_ns == 50 * MS);
    assert_true(stalls.threads[0].duration_ns == 700 * MS && stalls.threads[0].is_repeated);
}

static void what_was_refused_or_never_answered_stands_nowhere(void **state) {
    (void)state;
    tally_failed(&tallies[0], 0);
    find();
    assert_true(stalls.threads[0].duration_ns == 0);
    assert_int_equal(stalls.of_threads.count, 0);
}

static void the_longest_come_first(void **state) {
    (void)state;
    static const struct stall given[] = {{.duration_ns = 3}, {.duration_ns = 9}, {.duration_ns = 0},
                                         {.duration_ns = 5}, {.duration_ns = 7}, {.duration_ns = 9}};
    const struct stall *longest[3];
    assert_int_equal(stalls_longest(given, 6, longest, 3), 3);
    assert_ptr_equal(longest[0], &given[1]);
    assert_ptr_equal(longest[1], &given[5]);
    assert_ptr_equal(longest[2], &given[4]);
    assert_int_equal(stalls_longest(given, 3, longest, 3), 2);
    assert_ptr_equal(longest[1], &given[0]);
    assert_int_equal(stalls_longest(given, 0, longest, 3), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_books, close_books)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_longest_of_each_thread_and_sender_is_kept),
        TEST(a_hand_over_has_the_longest_write_that_was_under_way),
        TEST(where_threads_are_known_only_those_of_the_range_count),
        TEST(a_sender_who_connected_again_is_not_the_hand_overs),
        TEST(what_was_refused_or_never_answered_stands_nowhere),
        TEST(the_longest_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
