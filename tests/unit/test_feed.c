/* Threads with events, taken in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/events/feed.h"
#include "proto/check.h"

#define THREADS 1000

static struct feed *feed;

static int set_up(void **state) {
    (void)state;
    feed = feed_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    feed_free(feed);
    return 0;
}

/* Many have their place at the end of any table, and go on at its beginning. */
static struct id_hash thread_of(unsigned number) {
    uint8_t low = number % 2 == 0 ? 0xff : (uint8_t)number;
    return (struct id_hash){
        {[6] = number % 2 == 0 ? 0xff : 0, [7] = low, [8] = (uint8_t)(number / 256), [9] = (uint8_t)number}};
}

static unsigned number_of(const struct id_hash *thread) {
    return thread->bytes[8] * 256u + thread->bytes[9];
}

static void add(unsigned number) {
    struct id_hash thread = thread_of(number);
    feed_add(feed, &thread, 1);
}

static void an_empty_feed_has_nothing(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    assert_false(feed_next(feed, &thread, &serial));
    assert_int_equal(feed_count(feed), 0);
}

static void each_thread_comes_once_before_any_comes_again(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        add(i);
    for (unsigned i = 0; i < THREADS; i++)
        add(i); /* which changes nothing of this */
    assert_int_equal(feed_count(feed), THREADS);
    for (int round = 0; round < 2; round++) {
        bool has_come[THREADS] = {false};
        for (unsigned i = 0; i < THREADS; i++) {
            assert_true(feed_next(feed, &thread, &serial));
            assert_false(has_come[number_of(&thread)]);
            has_come[number_of(&thread)] = true;
        }
    }
}

static void what_is_dropped_does_not_come_again_and_the_others_do(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        add(i);
    for (unsigned left = THREADS; left > 0; left--) {
        assert_int_equal(feed_count(feed), left);
        assert_true(feed_next(feed, &thread, &serial));
        feed_drop(feed, &thread, serial);
        feed_drop(feed, &thread, serial);
    }
    assert_false(feed_next(feed, &thread, &serial));
    for (unsigned i = 0; i < THREADS; i += 3)
        add(i);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_true(feed_next(feed, &thread, &serial));
        if (number_of(&thread) % 2 == 0)
            feed_drop(feed, &thread, serial);
    }
    bool has_come[THREADS] = {false};
    for (size_t i = feed_count(feed); i > 0; i--) {
        assert_true(feed_next(feed, &thread, &serial));
        has_come[number_of(&thread)] = true;
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(has_come[i], i % 3 == 0 && i % 2 == 1);
}

static void who_drops_a_thread_that_was_added_again_meanwhile_drops_nothing(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    add(1);
    assert_true(feed_next(feed, &thread, &serial));
    add(1);
    feed_drop(feed, &thread, serial);
    assert_int_equal(feed_count(feed), 1);
    assert_true(feed_next(feed, &thread, &serial));
    feed_drop(feed, &thread, serial);
    assert_int_equal(feed_count(feed), 0);
    struct id_hash unknown = thread_of(2);
    feed_drop(feed, &unknown, serial);
    assert_int_equal(feed_count(feed), 0);
}

static void a_thread_rests_until_then_or_until_it_is_added_again(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    add(1);
    assert_true(feed_next(feed, &thread, &serial));
    feed_rest(feed, &thread, serial, 1000);
    assert_true(feed_is_at_rest(feed, &thread, 999));
    assert_false(feed_is_at_rest(feed, &thread, 1000));
    assert_int_equal(feed_count(feed), 1);
    add(1);
    assert_false(feed_is_at_rest(feed, &thread, 999));
    feed_rest(feed, &thread, serial, 1000); /* of what was there before */
    assert_false(feed_is_at_rest(feed, &thread, 999));
    struct id_hash unknown = thread_of(2);
    feed_rest(feed, &unknown, serial, 1000);
    assert_false(feed_is_at_rest(feed, &unknown, 999));
}

static void what_is_added_comes_first_and_once(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        add(i);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_true(feed_next_fresh(feed, &thread, &serial));
        assert_int_equal(number_of(&thread), i);
    }
    assert_false(feed_next_fresh(feed, &thread, &serial));
    assert_false(feed_has_fresh(feed));
    add(7);
    assert_true(feed_has_fresh(feed));
    add(3);
    add(7);
    assert_true(feed_next_fresh(feed, &thread, &serial));
    assert_int_equal(number_of(&thread), 7);
    struct id_hash other = thread_of(3);
    feed_drop(feed, &other, serial - 1);
    assert_false(feed_next_fresh(feed, &thread, &serial));
}

static void who_tidies_takes_nothing_from_who_delivers(void **state) {
    struct id_hash thread;
    uint64_t serial;
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        add(i);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(feed_next_to_tidy(feed, &thread, &serial));
        assert_int_equal(number_of(&thread), i);
        assert_true(feed_next(feed, &thread, &serial));
        assert_int_equal(number_of(&thread), i);
    }
    assert_true(feed_next_fresh(feed, &thread, &serial));
}

int main(void) {
#define FED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FED(an_empty_feed_has_nothing),
        FED(each_thread_comes_once_before_any_comes_again),
        FED(what_is_dropped_does_not_come_again_and_the_others_do),
        FED(who_drops_a_thread_that_was_added_again_meanwhile_drops_nothing),
        FED(a_thread_rests_until_then_or_until_it_is_added_again),
        FED(what_is_added_comes_first_and_once),
        FED(who_tidies_takes_nothing_from_who_delivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
