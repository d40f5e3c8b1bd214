#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/handshake.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE "0c62a0a0-0000-4000-8000-000000000001"
#define ORIGIN "https://chat.example.org:8443"

static struct event_subscription subscription_of(enum event_schema schema) {
    return (struct event_subscription){.name = BYTES_LITERAL("orders"),
                                       .endpoint = BYTES_LITERAL("https://receiver.example.org/hook?a=b"),
                                       .schema = schema,
                                       .validation_code = BYTES_LITERAL(CODE)};
}

static struct handshake handshake_of(const struct event_subscription *subscription, const char *origin) {
    return (struct handshake){.subscription = subscription,
                              .topic = BYTES_LITERAL("/topic"),
                              .origin = bytes_of_text(origin),
                              .now_ms = 1767323049123};
}

static struct bytes header_of(const struct webhook_request *request, const char *name) {
    for (size_t i = 0; i < request->headers_count; i++)
        if (bytes_equal_text(request->headers[i].name, name))
            return request->headers[i].value;
    return BYTES_ABSENT;
}

static void a_receiver_of_event_grid_is_sent_a_code(void **state) {
    struct event_subscription subscription = subscription_of(EVENT_SCHEMA_EVENT_GRID);
    struct handshake handshake = handshake_of(&subscription, ORIGIN);
    struct webhook_request request;
    handshake_request(&handshake, *state, &request);
    assert_string_equal(request.method, "POST");
    assert_text(request.url, "https://receiver.example.org/hook?a=b");
    assert_text(header_of(&request, "aeg-event-type"), "SubscriptionValidation");
    assert_text(header_of(&request, "webhook-id"), CODE);
    assert_text(request.body,
                "[{\"id\":\"" CODE "\",\"topic\":\"/topic\",\"subject\":\"\",\"data\":{\"validationCode\":"
                "\"" CODE "\",\"validationUrl\":\"" ORIGIN "/events/validation/orders/" CODE
                "\"},\"eventType\":\"Microsoft.EventGrid.SubscriptionValidationEvent\",\"eventTime\":"
                "\"2026-01-02T03:04:09.123Z\",\"metadataVersion\":\"1\",\"dataVersion\":\"1\"}]");
}

static void a_receiver_of_cloud_events_is_asked_by_name(void **state) {
    static const struct {
        const char *origin, *host;
    } cases[] = {
        {ORIGIN, "chat.example.org"},
        {"https://chat.example.org", "chat.example.org"},
        {"https://[2a00::1]:8443", "[2a00::1]"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_subscription subscription = subscription_of(EVENT_SCHEMA_CLOUD_EVENTS);
        struct handshake handshake = handshake_of(&subscription, cases[i].origin);
        struct webhook_request request;
        handshake_request(&handshake, *state, &request);
        assert_string_equal(request.method, "OPTIONS");
        assert_false(bytes_is_present(request.body));
        assert_text(header_of(&request, "WebHook-Request-Origin"), cases[i].host);
    }
}

static void only_the_right_answer_passes(void **state) {
    static const struct {
        enum event_schema schema;
        long status;
        const char *body, *allowed;
        enum handshake_outcome outcome;
    } cases[] = {
        {EVENT_SCHEMA_EVENT_GRID, 200, "{\"validationResponse\":\"" CODE "\"}", NULL, HANDSHAKE_PASSED},
        {EVENT_SCHEMA_EVENT_GRID, 202, "{\"validationResponse\":\"" CODE "\"}", NULL, HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_EVENT_GRID, 200, "{\"validationResponse\":\"" CODE "x\"}", NULL, HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_EVENT_GRID, 200, "{\"validationResponse\":3}", NULL, HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_EVENT_GRID, 200, "[", NULL, HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_EVENT_GRID, 200, "", "*", HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_EVENT_GRID, 301, "{\"validationResponse\":\"" CODE "\"}", NULL, HANDSHAKE_FAILED},
        {EVENT_SCHEMA_EVENT_GRID, 500, "", NULL, HANDSHAKE_FAILED},
        {EVENT_SCHEMA_EVENT_GRID, 0, "", NULL, HANDSHAKE_FAILED},
        {EVENT_SCHEMA_CLOUD_EVENTS, 200, "", "*", HANDSHAKE_PASSED},
        {EVENT_SCHEMA_CLOUD_EVENTS, 200, "", "Chat.Example.org", HANDSHAKE_PASSED},
        {EVENT_SCHEMA_CLOUD_EVENTS, 204, "", "*", HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_CLOUD_EVENTS, 200, "", "example.org", HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_CLOUD_EVENTS, 200, "{\"validationResponse\":\"" CODE "\"}", NULL, HANDSHAKE_AWAITS},
        {EVENT_SCHEMA_CLOUD_EVENTS, 405, "", "*", HANDSHAKE_FAILED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_subscription subscription = subscription_of(cases[i].schema);
        struct handshake handshake = handshake_of(&subscription, ORIGIN);
        struct webhook_answer answer = {.status = cases[i].status,
                                        .body = bytes_of_text(cases[i].body),
                                        .allowed_origin = bytes_of_text(cases[i].allowed)};
        struct bytes reason;
        enum handshake_outcome outcome = handshake_judge(&handshake, &answer, *state, &reason);
        if (outcome != cases[i].outcome)
            fail_msg("case %zu gives %d: %.*s", i, (int)outcome, BYTES_ARG(reason));
        assert_int_equal(bytes_is_present(reason), outcome != HANDSHAKE_PASSED);
    }
}

static void no_origin_is_allowed_where_none_is_known(void **state) {
    struct event_subscription subscription = subscription_of(EVENT_SCHEMA_CLOUD_EVENTS);
    struct handshake handshake = handshake_of(&subscription, "");
    struct webhook_answer answer = {.status = 200, .body = BYTES_LITERAL(""), .allowed_origin = BYTES_LITERAL("")};
    struct bytes reason;
    assert_int_equal(handshake_judge(&handshake, &answer, *state, &reason), HANDSHAKE_AWAITS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_receiver_of_event_grid_is_sent_a_code),
        TEST(a_receiver_of_cloud_events_is_asked_by_name),
        TEST(only_the_right_answer_passes),
        TEST(no_origin_is_allowed_where_none_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
