/* Request limits: how many, of whom, and when again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "node/gateway/rate_limit.h"
#include "proto/check.h"

#define START 1700000040000 /* a whole minute, so every window begins here */

static struct rate_limiter *limiter;
static const struct id_hash ALICE = {{1}};
static const struct id_hash BOB = {{2}};
static const struct id_hash THREAD = {{3}};
static const struct id_hash OTHER = {{4}};

static struct rate_limiter *limiter_of(int64_t multiplier) {
    struct config config;
    config_defaults(&config);
    config.rate_limits = CONFIG_RATE_LIMITS_ACS;
    config.rate_limit_multiplier = multiplier;
    return rate_limiter_new(&config);
}

static int set_up(void **state) {
    (void)state;
    limiter = limiter_of(1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rate_limiter_free(limiter);
    return 0;
}

static bool admit(enum rate_operation operation, const struct id_hash *user, const struct id_hash *thread,
                  int64_t now_ms) {
    uint32_t retry_after_s = 99;
    bool is_admitted = rate_limiter_admit(limiter, operation, user, thread, now_ms, &retry_after_s);
    if (is_admitted)
        assert_int_equal(retry_after_s, 0);
    else
        assert_in_range(retry_after_s, 1, 60);
    return is_admitted;
}

static unsigned admitted(enum rate_operation operation, unsigned tries, const struct id_hash *user,
                         const struct id_hash *thread, int64_t now_ms) {
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++)
        count += admit(operation, user, thread, now_ms);
    return count;
}

static void every_operation_has_the_limit_of_the_contract(void **state) {
    static const struct {
        enum rate_operation operation;
        unsigned per_user;
    } limits[] = {
        {RATE_THREAD_CREATE, 10},     {RATE_THREAD_DELETE, 10},
        {RATE_THREAD_UPDATE, 5},      {RATE_PARTICIPANTS_CHANGE, 10},
        {RATE_THREAD_READ, 50},       {RATE_MESSAGE_READ, 50},
        {RATE_MESSAGES_LIST, 50},     {RATE_RECEIPTS_LIST, 5},
        {RATE_PARTICIPANTS_LIST, 10}, {RATE_MESSAGE_WRITE, 10},
        {RATE_RECEIPT_SEND, 10},      {RATE_TYPING_SEND, 5},
        {RATE_IDENTITY_CREATE, 1000}, {RATE_IDENTITY_CREATE_WITH_TOKEN, 1000},
        {RATE_IDENTITY_DELETE, 500},  {RATE_TOKEN_ISSUE, 1000},
        {RATE_TOKEN_REVOKE, 500},
    };
    (void)state;
    assert_int_equal(sizeof(limits) / sizeof(limits[0]), RATE_OPERATIONS);
    for (size_t i = 0; i < RATE_OPERATIONS; i++)
        assert_int_equal(admitted(limits[i].operation, 1100, &ALICE, &THREAD, START), limits[i].per_user);
}

static void users_and_threads_are_counted_apart_where_the_contract_says_so(void **state) {
    (void)state;
    /* By user: another user has her own count, another thread does not help. */
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &ALICE, NULL, START), 10);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &BOB, NULL, START), 10);
    /* By thread: another user of the thread does not help, another thread does. */
    assert_int_equal(admitted(RATE_MESSAGE_WRITE, 20, &ALICE, &THREAD, START), 10);
    assert_int_equal(admitted(RATE_MESSAGE_WRITE, 20, &BOB, &THREAD, START), 0);
    assert_int_equal(admitted(RATE_MESSAGE_WRITE, 20, &BOB, &OTHER, START), 10);
    /* By user and thread, and by thread over all users. */
    assert_int_equal(admitted(RATE_TYPING_SEND, 20, &ALICE, &THREAD, START), 5);
    assert_int_equal(admitted(RATE_TYPING_SEND, 20, &BOB, &THREAD, START), 5);
    assert_int_equal(admitted(RATE_TYPING_SEND, 20, &THREAD, &THREAD, START), 0);
    assert_int_equal(admitted(RATE_TYPING_SEND, 20, &ALICE, &OTHER, START), 5);
}

static void a_minute_has_its_own_limit(void **state) {
    unsigned count = 0;
    (void)state;
    for (int64_t second = 0; second < 60; second++)
        count += admitted(RATE_MESSAGE_WRITE, 3, &ALICE, &THREAD, START + second * 1000);
    assert_int_equal(count, 30);
}

/* What was used before counts less and less, so that no two windows are used up at their border. */
static void the_window_slides(void **state) {
    (void)state;
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &ALICE, NULL, START + 9999), 10);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &ALICE, NULL, START + 10000), 0);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &ALICE, NULL, START + 15000), 5);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &ALICE, NULL, START + 40000), 10);
}

static void whoever_comes_again_when_told_is_admitted(void **state) {
    uint32_t retry_after_s;
    (void)state;
    assert_int_equal(admitted(RATE_THREAD_CREATE, 10, &ALICE, NULL, START + 2500), 10);
    assert_false(rate_limiter_admit(limiter, RATE_THREAD_CREATE, &ALICE, NULL, START + 2500, &retry_after_s));
    assert_int_equal(retry_after_s, 8);
    assert_true(admit(RATE_THREAD_CREATE, &ALICE, NULL, START + 2500 + 9000));
}

static void a_refused_request_does_not_count(void **state) {
    (void)state;
    assert_int_equal(admitted(RATE_TYPING_SEND, 500, &ALICE, &THREAD, START), 5);
    assert_int_equal(admitted(RATE_TYPING_SEND, 500, &ALICE, &THREAD, START + 20000), 5);
    assert_int_equal(admitted(RATE_TYPING_SEND, 500, &ALICE, &THREAD, START + 40000), 5);
    assert_int_equal(admitted(RATE_TYPING_SEND, 500, &ALICE, &THREAD, START + 59000), 0); /* 15 in this minute */
}

static void a_multiplier_scales_all_limits(void **state) {
    (void)state;
    rate_limiter_free(limiter);
    limiter = limiter_of(7);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 100, &ALICE, NULL, START), 70);
    rate_limiter_free(limiter);
    limiter = limiter_of(0);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 100, &ALICE, NULL, START), 10);
}

static void without_limits_everything_is_admitted(void **state) {
    struct config config;
    (void)state;
    config_defaults(&config);
    config.rate_limits = CONFIG_RATE_LIMITS_OFF;
    rate_limiter_free(limiter);
    limiter = rate_limiter_new(&config);
    assert_null(limiter);
    assert_int_equal(admitted(RATE_THREAD_CREATE, 1000, &ALICE, NULL, START), 1000);
}

/* Far more users than are swept at once, all of them in their window: were each new one a reason to sweep, this would
 * take hours. */
static void a_flood_of_users_is_counted_and_forgotten(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 2; round++) {
        int64_t now_ms = START + round * 3600 * 1000;
        for (uint32_t i = 0; i < 600000; i++) {
            struct id_hash user = {{0x55}};
            memcpy(user.bytes + 1, &i, sizeof(i));
            assert_true(admit(RATE_THREAD_CREATE, &user, NULL, now_ms));
        }
        assert_int_equal(admitted(RATE_THREAD_CREATE, 20, &(struct id_hash){{0x55}}, NULL, now_ms), 9);
    }
}

static atomic_uint admitted_by_all;

static void *admit_many(void *argument) {
    struct rate_limiter *shared = argument;
    uint32_t retry_after_s;
    for (int i = 0; i < 2000; i++)
        if (rate_limiter_admit(shared, RATE_IDENTITY_CREATE, NULL, NULL, START, &retry_after_s))
            atomic_fetch_add(&admitted_by_all, 1);
    return NULL;
}

static void workers_share_the_limits(void **state) {
    pthread_t threads[4];
    (void)state;
    atomic_store(&admitted_by_all, 0);
    for (size_t i = 0; i < 4; i++)
        check(pthread_create(&threads[i], NULL, admit_many, limiter) == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&admitted_by_all), 1000);
}

int main(void) {
#define LIMITED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LIMITED(every_operation_has_the_limit_of_the_contract),
        LIMITED(users_and_threads_are_counted_apart_where_the_contract_says_so),
        LIMITED(a_minute_has_its_own_limit),
        LIMITED(the_window_slides),
        LIMITED(whoever_comes_again_when_told_is_admitted),
        LIMITED(a_refused_request_does_not_count),
        LIMITED(a_multiplier_scales_all_limits),
        LIMITED(without_limits_everything_is_admitted),
        LIMITED(a_flood_of_users_is_counted_and_forgotten),
        LIMITED(workers_share_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
