#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/event_subscription.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void parse(struct arena *arena, const char *body, struct event_subscription *subscription) {
    struct problem problem = {0};
    if (event_subscription_parse(bytes_of_text(body), false, arena, subscription, &problem) != STATUS_OK)
        fail_msg("%s: %.*s", body, BYTES_ARG(problem.message));
}

static void what_is_not_said_is_the_vendors_default(void **state) {
    struct event_subscription subscription;
    parse(*state, "{\"endpoint\":\"https://example.org/\"}", &subscription);
    assert_int_equal(subscription.schema, EVENT_SCHEMA_EVENT_GRID);
    assert_int_equal(subscription.choice.types, 0);
    assert_int_equal(subscription.headers_count, 0);
    assert_int_equal(subscription.secrets_count, 0);
}

static void a_record_is_read_back_as_it_was_stored(void **state) {
    struct event_subscription subscription, again;
    parse(*state,
          "{\"endpoint\":\"https://example.org/a\",\"schema\":\"CloudEventSchemaV1_0\",\"filter\":"
          "{\"includedEventTypes\":[\"ChatThreadDeleted\"],\"subjectEndsWith\":\"x\"},\"headers\":[{\"name\":\"X-A\","
          "\"value\":\"v\",\"isSecret\":true}],\"secrets\":[\"" SECRET "\"]}",
          &subscription);
    subscription.name = BYTES_LITERAL("orders");
    subscription.validation_code = BYTES_LITERAL("code");
    subscription.validation_until_ms = 1767323049123;
    subscription.created_ms = 1767323049124;
    subscription.serial = 1767323049124;
    subscription.from_ms = 1767323049124;
    struct bytes stored = event_subscription_encode(&subscription, *state);
    assert_int_equal(event_subscription_decode(stored, *state, &again), STATUS_OK);
    assert_text(again.name, "orders");
    assert_text(again.validation_code, "code");
    assert_true(again.validation_until_ms == 1767323049123 && again.created_ms == 1767323049124);
    assert_false(again.is_validated);
    assert_memory_equal(again.secrets[0].bytes, subscription.secrets[0].bytes, 24);
    assert_text(event_subscription_encode(&again, *state), arena_text(*state, stored));
}

static void one_that_was_stored_without_a_beginning_begins_when_it_was_made(void **state) {
    struct event_subscription subscription;
    struct bytes stored = BYTES_LITERAL("{\"endpoint\":\"https://example.org/\",\"name\":\"old\",\"state\":\"active\","
                                        "\"createdOn\":\"2026-01-02T03:04:05.678Z\",\"secrets\":[\"" SECRET "\"]}");
    assert_int_equal(event_subscription_decode(stored, *state, &subscription), STATUS_OK);
    assert_true(subscription.from_ms == subscription.created_ms && subscription.created_ms > 0);
    assert_true(subscription.serial == (uint64_t)subscription.created_ms);
    subscription.serial = 1767323049999;
    subscription.from_ms = 1767323040000;
    stored = event_subscription_encode(&subscription, *state);
    assert_int_equal(event_subscription_decode(stored, *state, &subscription), STATUS_OK);
    assert_true(subscription.serial == 1767323049999 && subscription.from_ms == 1767323040000);
}

static void how_it_is_tried_and_batched_is_the_vendors_default_or_as_said(void **state) {
    static const struct {
        const char *terms;
        struct delivery_terms expected;
    } cases[] = {
        {"", {30, 1440, 0, 0}},
        {",\"retryPolicy\":{}", {30, 1440, 0, 0}},
        {",\"retryPolicy\":{\"maxDeliveryAttempts\":1,\"eventTimeToLiveInMinutes\":1}", {1, 1, 0, 0}},
        {",\"retryPolicy\":null,\"maxEventsPerBatch\":1", {30, 1440, 1, 64}},
        {",\"maxEventsPerBatch\":5000,\"preferredBatchSizeInKilobytes\":1024", {30, 1440, 5000, 1024}},
        {",\"preferredBatchSizeInKilobytes\":1", {30, 1440, 5000, 1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_subscription subscription, again;
        parse(*state,
              arena_text(*state,
                         arena_printf(*state, "{\"endpoint\":\"https://example.org/\",\"secrets\":[\"" SECRET "\"]%s}",
                                      cases[i].terms)),
              &subscription);
        assert_memory_equal(&subscription.terms, &cases[i].expected, sizeof(cases[i].expected));
        subscription.name = BYTES_LITERAL("orders");
        struct bytes stored = event_subscription_encode(&subscription, *state);
        assert_int_equal(event_subscription_decode(stored, *state, &again), STATUS_OK);
        assert_memory_equal(&again.terms, &cases[i].expected, sizeof(cases[i].expected));
    }
}

static void terms_that_cannot_be_are_refused_by_name(void **state) {
    static const struct {
        const char *terms, *target, *message;
    } cases[] = {
        {"\"retryPolicy\":7", "retryPolicy", "retryPolicy must be an object, not a number."},
        {"\"retryPolicy\":{\"attempts\":7}", "retryPolicy", "A retryPolicy has no member \"attempts\"."},
        {"\"retryPolicy\":{\"maxDeliveryAttempts\":0}", "maxDeliveryAttempts",
         "maxDeliveryAttempts must be from 1 to 30, not 0."},
        {"\"retryPolicy\":{\"maxDeliveryAttempts\":31}", "maxDeliveryAttempts",
         "maxDeliveryAttempts must be from 1 to 30, not 31."},
        {"\"retryPolicy\":{\"eventTimeToLiveInMinutes\":1441}", "eventTimeToLiveInMinutes",
         "eventTimeToLiveInMinutes must be from 1 to 1440, not 1441."},
        {"\"maxEventsPerBatch\":5001", "maxEventsPerBatch", "maxEventsPerBatch must be from 1 to 5000, not 5001."},
        {"\"maxEventsPerBatch\":\"7\"", "maxEventsPerBatch",
         "maxEventsPerBatch must be a whole number from 1 to 5000, not a string."},
        {"\"preferredBatchSizeInKilobytes\":-1", "preferredBatchSizeInKilobytes",
         "preferredBatchSizeInKilobytes must be from 1 to 1024, not -1."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_subscription subscription;
        struct problem problem = {0};
        struct bytes body = arena_printf(*state, "{\"endpoint\":\"https://example.org/\",%s}", cases[i].terms);
        assert_int_equal(event_subscription_parse(body, false, *state, &subscription, &problem),
                         STATUS_VALIDATION_ERROR);
        assert_text(problem.target, cases[i].target);
        assert_text(problem.message, cases[i].message);
    }
}

static void secrets_are_not_shown(void **state) {
    struct event_subscription subscription;
    parse(*state,
          "{\"endpoint\":\"https://example.org/\",\"headers\":[{\"name\":\"a\",\"value\":\"hidden\",\"isSecret\":true},"
          "{\"name\":\"b\",\"value\":\"seen\"}],\"secrets\":[\"" SECRET "\"]}",
          &subscription);
    struct bytes shown = json_text_take(*state, event_subscription_to_json(&subscription, SHOW_NO_SECRETS));
    const char *text = arena_text(*state, shown);
    assert_null(strstr(text, "hidden"));
    assert_null(strstr(text, "whsec_"));
    assert_non_null(strstr(text, "seen"));
}

static void endpoints_that_nothing_may_be_sent_to_are_refused(void **state) {
    static const struct {
        const char *url;
        bool may_be_private;
        const char *message;
    } cases[] = {
        {"http://example.org/", false,
         "The endpoint must be an https:// address; http:// needs events_allow_private = on."},
        {"ftp://example.org/", true, "The endpoint must be an https:// address."},
        {"https://a:b@example.org/", true, "The endpoint must have a host, and neither a user nor a fragment."},
        {"https://example.org/#x", true, "The endpoint must have a host, and neither a user nor a fragment."},
        {"https://127.0.0.1/", false,
         "The endpoint's host 127.0.0.1 is a loopback address; that needs events_allow_private = on."},
        {"https://0x7f.1/", false,
         "The endpoint's host 127.0.0.1 is a loopback address; that needs events_allow_private = on."},
        {"https://2852039166/", false,
         "The endpoint's host 169.254.169.254 is a link-local address, as of a cloud's metadata; that needs "
         "events_allow_private = on."},
        {"https://[::ffff:10.0.0.1]/", false,
         "The endpoint's host [::ffff:10.0.0.1] is a private address (RFC 1918); that needs events_allow_private = "
         "on."},
        {"https://[fd00:ec2::254]/", false,
         "The endpoint's host [fd00:ec2::254] is a unique local address (RFC 4193); that needs events_allow_private = "
         "on."},
        {"example.org", false, "The endpoint is no address: Bad scheme."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct problem problem = {0};
        int rc = webhook_url_check(bytes_of_text(cases[i].url), cases[i].may_be_private, *state, &problem);
        assert_int_equal(rc, STATUS_VALIDATION_ERROR);
        if (i + 1 < COUNT(cases)) /* the last is in libcurl's words */
            assert_text(problem.message, cases[i].message);
    }
}

static void endpoints_of_others_are_taken(void **state) {
    static const char *const urls[] = {"https://example.org", "https://example.org:8443/a?b=c", "HTTPS://8.8.8.8/",
                                       "https://[2606:4700::1111]/"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct problem problem = {0};
        assert_int_equal(webhook_url_check(bytes_of_text(urls[i]), false, *state, &problem), STATUS_OK);
    }
}

static void damaged_records_are_refused(void **state) {
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"endpoint\":\"x\"}",
        "{\"endpoint\":\"x\",\"name\":\"a\",\"state\":\"active\"}",
        "{\"endpoint\":\"x\",\"name\":\"a/b\",\"state\":\"active\"}",
        "{\"endpoint\":\"x\",\"name\":\"abc\",\"state\":\"active\",\"createdOn\":\"yesterday\"}"};
    struct event_subscription subscription;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(event_subscription_decode(bytes_of_text(cases[i]), *state, &subscription), STATUS_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_said_is_the_vendors_default),
        TEST(a_record_is_read_back_as_it_was_stored),
        TEST(one_that_was_stored_without_a_beginning_begins_when_it_was_made),
        TEST(how_it_is_tried_and_batched_is_the_vendors_default_or_as_said),
        TEST(terms_that_cannot_be_are_refused_by_name),
        TEST(secrets_are_not_shown),
        TEST(endpoints_that_nothing_may_be_sent_to_are_refused),
        TEST(endpoints_of_others_are_taken),
        TEST(damaged_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
