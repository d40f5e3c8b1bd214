#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/consumers.h"
#include "proto/status.h"

#define SECOND 1000

static void a_receiver_gets_some_at_a_time(void **state) {
    struct consumer consumer = {.is_active = true, .attempts = 7};
    (void)state;
    assert_true(consumer_is_ready(&consumer, 0));
    consumer.attempts = 8;
    assert_false(consumer_is_ready(&consumer, 0));
}

static void who_is_not_active_yet_gets_nothing(void **state) {
    struct consumer consumer = {.is_active = false};
    (void)state;
    assert_false(consumer_is_ready(&consumer, 0));
}

static void who_fails_is_left_alone_longer_each_time(void **state) {
    static const int64_t rests_s[] = {0, 0, 10, 20, 40, 80, 160, 320, 320, 320};
    struct consumer consumer = {.is_active = true};
    int64_t now_ms = 1000000;
    (void)state;
    for (size_t i = 0; i < sizeof(rests_s) / sizeof(rests_s[0]); i++) {
        consumer_note(&consumer, false, now_ms);
        assert_int_equal(consumer_is_ready(&consumer, now_ms), rests_s[i] == 0);
        assert_int_equal(consumer_is_ready(&consumer, now_ms + rests_s[i] * SECOND - 1), rests_s[i] == 0);
        now_ms += rests_s[i] * SECOND;
        assert_true(consumer_is_ready(&consumer, now_ms));
        consumer.attempts = 1;
        assert_false(consumer_is_ready(&consumer, now_ms));
        consumer.attempts = 0;
    }
    consumer_note(&consumer, true, now_ms);
    consumer.attempts = 7;
    assert_true(consumer_is_ready(&consumer, now_ms));
}

static void what_was_under_way_already_makes_no_rest_longer(void **state) {
    struct consumer consumer = {.is_active = true};
    (void)state;
    for (int i = 0; i < 8; i++)
        consumer_note(&consumer, false, 1000);
    assert_true(consumer_is_ready(&consumer, 1000 + 10 * SECOND));
}

static void what_it_lacks_is_what_the_last_round_has_shown(void **state) {
    struct consumer consumer = {.is_active = true};
    (void)state;
    consumer_lacks(&consumer, 3, 5000);
    consumer_lacks(&consumer, 4, 4000);
    consumer_lacks(&consumer, 1, 6000);
    assert_int_equal(consumer.counts.pending, 0);
    consumer_round_end(&consumer);
    assert_int_equal(consumer.counts.pending, 8);
    assert_int_equal(consumer.counts.oldest_ms, 4000);
    consumer_round_end(&consumer);
    assert_int_equal(consumer.counts.pending, 0);
    assert_int_equal(consumer.counts.oldest_ms, 0);
}

/* A kind whose consumers a test says. */
struct list_kind {
    struct consumer_kind kind;
    int rc;
    struct consumer items[12];
    size_t count;
};

static int list_load(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into) {
    const struct list_kind *self = (const struct list_kind *)kind;
    assert_non_null(hash_key);
    for (size_t i = 0; i < self->count; i++)
        consumers_add(into, &self->items[i]);
    return self->rc;
}

static struct consumer consumer_of(uint8_t number) {
    return (struct consumer){.id = {{number}}, .serial = number, .is_active = true};
}

static const uint8_t hash_key[ID_HASH_KEY_BYTES] = {0};

static void who_is_loaded_again_is_known(void **state) {
    struct list_kind some = {.kind.load = list_load}, others = {.kind.load = list_load};
    struct consumer_kind *const kinds[] = {&some.kind, &others.kind};
    struct consumers consumers;
    (void)state;
    for (uint8_t i = 0; i < 12; i++)
        some.items[some.count++] = consumer_of(i);
    others.items[others.count++] = consumer_of(100);
    consumers_init(&consumers);
    assert_int_equal(consumers_load(&consumers, kinds, 2, hash_key), STATUS_OK);
    assert_int_equal(consumers.count, 13);
    consumers_find(&consumers, &others.items[0].id)->attempts = 3;
    consumer_note(consumers_find(&consumers, &some.items[5].id), false, 0);
    some.items[5].serial = 77;
    some.count = 6;
    assert_int_equal(consumers_load(&consumers, kinds, 2, hash_key), STATUS_OK);
    assert_int_equal(consumers.count, 7);
    assert_int_equal(consumers_find(&consumers, &others.items[0].id)->attempts, 3);
    assert_int_equal(consumers_find(&consumers, &some.items[5].id)->failures, 1);
    assert_int_equal(consumers_find(&consumers, &some.items[5].id)->serial, 77);
    assert_null(consumers_find(&consumers, &some.items[6].id));
    consumers_close(&consumers);
}

static void when_one_kind_cannot_be_loaded_all_stay(void **state) {
    struct list_kind some = {.kind.load = list_load, .count = 1}, others = {.kind.load = list_load};
    struct consumer_kind *const kinds[] = {&some.kind, &others.kind};
    struct consumers consumers;
    (void)state;
    some.items[0] = consumer_of(1);
    consumers_init(&consumers);
    assert_int_equal(consumers_load(&consumers, kinds, 2, hash_key), STATUS_OK);
    some.count = 0;
    others.rc = STATUS_SERVICE_UNAVAILABLE;
    assert_int_equal(consumers_load(&consumers, kinds, 2, hash_key), STATUS_SERVICE_UNAVAILABLE);
    assert_int_equal(consumers.count, 1);
    consumers_close(&consumers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver_gets_some_at_a_time),
        cmocka_unit_test(who_is_not_active_yet_gets_nothing),
        cmocka_unit_test(who_fails_is_left_alone_longer_each_time),
        cmocka_unit_test(what_was_under_way_already_makes_no_rest_longer),
        cmocka_unit_test(what_it_lacks_is_what_the_last_round_has_shown),
        cmocka_unit_test(who_is_loaded_again_is_known),
        cmocka_unit_test(when_one_kind_cannot_be_loaded_all_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
