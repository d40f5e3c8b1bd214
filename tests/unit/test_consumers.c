#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/consumers.h"

#define SECOND 1000

static const struct event_subscription active = {.is_validated = true};
static const struct event_subscription awaiting = {.is_validated = false};

static void a_receiver_gets_some_at_a_time(void **state) {
    struct consumer consumer = {.subscription = &active, .requests = 7};
    (void)state;
    assert_true(consumer_is_ready(&consumer, 0));
    consumer.requests = 8;
    assert_false(consumer_is_ready(&consumer, 0));
}

static void who_is_not_validated_gets_nothing(void **state) {
    struct consumer consumer = {.subscription = &awaiting};
    (void)state;
    assert_false(consumer_is_ready(&consumer, 0));
}

static void who_fails_is_left_alone_longer_each_time(void **state) {
    static const int64_t rests_s[] = {0, 0, 10, 20, 40, 80, 160, 320, 320, 320};
    struct consumer consumer = {.subscription = &active};
    int64_t now_ms = 1000000;
    (void)state;
    for (size_t i = 0; i < sizeof(rests_s) / sizeof(rests_s[0]); i++) {
        consumer_note(&consumer, false, now_ms);
        assert_int_equal(consumer_is_ready(&consumer, now_ms), rests_s[i] == 0);
        assert_int_equal(consumer_is_ready(&consumer, now_ms + rests_s[i] * SECOND - 1), rests_s[i] == 0);
        now_ms += rests_s[i] * SECOND;
        assert_true(consumer_is_ready(&consumer, now_ms));
        consumer.requests = 1;
        assert_false(consumer_is_ready(&consumer, now_ms));
        consumer.requests = 0;
    }
    consumer_note(&consumer, true, now_ms);
    consumer.requests = 7;
    assert_true(consumer_is_ready(&consumer, now_ms));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver_gets_some_at_a_time),
        cmocka_unit_test(who_is_not_validated_gets_nothing),
        cmocka_unit_test(who_fails_is_left_alone_longer_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
