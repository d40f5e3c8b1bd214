#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/retry_schedule.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define LONG_LIFE (INT64_C(1000) * HOUR)

static struct retry_decision decide(long status, unsigned attempts, int64_t age_ms, struct retry_policy policy,
                                    uint32_t chance) {
    struct retry_state state = {.attempts = attempts, .happened_ms = 5000, .now_ms = 5000 + age_ms};
    return retry_decide(&policy, &state, status, chance);
}

static void waits_grow_as_the_contract_says(void **state) {
    static const struct {
        long status;
        unsigned attempts;
        int64_t wait_ms;
    } cases[] = {
        {500, 1, 10 * SECOND}, {500, 2, 30 * SECOND}, {500, 3, MINUTE},     {500, 4, 5 * MINUTE},
        {500, 5, 10 * MINUTE}, {500, 6, 30 * MINUTE}, {500, 7, HOUR},       {500, 8, 3 * HOUR},
        {500, 9, 6 * HOUR},    {500, 10, 12 * HOUR},  {500, 11, 12 * HOUR}, {500, 29, 12 * HOUR},
        {503, 1, 30 * SECOND}, {503, 3, MINUTE},      {408, 1, 2 * MINUTE}, {408, 3, 2 * MINUTE},
        {408, 4, 5 * MINUTE},  {404, 1, 10 * SECOND}, {0, 1, 10 * SECOND},  {302, 2, 30 * SECOND},
        {429, 1, 10 * SECOND},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct retry_decision decision =
            decide(cases[i].status, cases[i].attempts, 0, (struct retry_policy){30, LONG_LIFE}, 0);
        assert_null(decision.reason);
        if (decision.wait_ms != cases[i].wait_ms)
            fail_msg("%ld after %u: %lld", cases[i].status, cases[i].attempts, (long long)decision.wait_ms);
    }
}

static void chance_spreads_waits_by_a_tenth(void **state) {
    struct retry_policy policy = {30, LONG_LIFE};
    (void)state;
    for (uint32_t chance = 0; chance < 5000; chance += 7) {
        int64_t wait_ms = decide(500, 10, 0, policy, chance).wait_ms;
        assert_true(wait_ms >= 12 * HOUR && wait_ms < 12 * HOUR * 11 / 10);
    }
    assert_true(decide(500, 10, 0, policy, 999).wait_ms > 13 * HOUR);
    assert_true(decide(500, 1, 0, policy, UINT32_MAX).wait_ms < 11 * SECOND);
}

static void what_ends_is_said(void **state) {
    static const struct {
        long status;
        unsigned attempts, attempts_max;
        int64_t age_ms, lives_ms;
        const char *reason;
    } cases[] = {
        {400, 1, 30, 0, LONG_LIFE, "Undeliverable"},
        {401, 1, 30, 0, LONG_LIFE, "Undeliverable"},
        {403, 1, 30, 0, LONG_LIFE, "Undeliverable"},
        {413, 1, 30, 0, LONG_LIFE, "Undeliverable"},
        {500, 1, 1, 0, LONG_LIFE, "MaxDeliveryAttemptsExceeded"},
        {500, 30, 30, 0, LONG_LIFE, "MaxDeliveryAttemptsExceeded"},
        {500, 29, 30, 0, LONG_LIFE, NULL},
        {500, 1, 30, 0, 10 * SECOND, NULL},
        {500, 1, 30, 1, 10 * SECOND, "TimeToLiveExceeded"},
        {500, 4, 30, 56 * MINUTE, HOUR, "TimeToLiveExceeded"},
        {500, 4, 30, 55 * MINUTE, HOUR, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct retry_policy policy = {cases[i].attempts_max, cases[i].lives_ms};
        const char *reason = decide(cases[i].status, cases[i].attempts, cases[i].age_ms, policy, 0).reason;
        if (cases[i].reason == NULL)
            assert_null(reason);
        else
            assert_string_equal(reason, cases[i].reason);
    }
}

static void answers_have_the_vendors_names(void **state) {
    (void)state;
    assert_string_equal(retry_outcome_name(0), "SocketError");
    assert_string_equal(retry_outcome_name(404), "NotFound");
    assert_string_equal(retry_outcome_name(503), "Busy");
    assert_string_equal(retry_outcome_name(599), "GenericError");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_as_the_contract_says),
        cmocka_unit_test(chance_spreads_waits_by_a_tenth),
        cmocka_unit_test(what_ends_is_said),
        cmocka_unit_test(answers_have_the_vendors_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
