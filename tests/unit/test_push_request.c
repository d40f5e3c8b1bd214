#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/push/push_request.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW 1767323045000

static struct bytes header_of(const struct webhook_request *request, const char *name) {
    for (size_t i = 0; i < request->headers_count; i++)
        if (bytes_equal_text(request->headers[i].name, name))
            return request->headers[i].value;
    return BYTES_ABSENT;
}

static bool make(struct arena *arena, struct bytes point, int64_t happened_ms, struct webhook_request *request) {
    static const uint8_t auth[PUSH_AUTH_BYTES] = {1};
    static struct elliptic_key vapid;
    struct push_registration browser = {.transport = PUSH_WEB,
                                        .address = BYTES_LITERAL("https://push.example/send/x"),
                                        .public_key = point,
                                        .auth = bytes_of(auth, sizeof(auth))};
    struct push_sender sender = {.vapid = &vapid, .contact = BYTES_LITERAL(""), .ttl_ms = 60000};
    struct push_job job = {
        .device = &browser, .thread = {{0xff, 0xee, 0xdd}}, .json = BYTES_LITERAL("{}"), .happened_ms = happened_ms};
    struct push_chance chance;
    elliptic_make(&vapid);
    push_chance_take(&chance);
    return push_request_make(&sender, &job, &chance, NOW, arena, request);
}

static void a_push_is_written_as_the_rfc_says(void **state) {
    struct webhook_request request;
    struct elliptic_key browser;
    elliptic_make(&browser);
    assert_true(make(*state, bytes_of(browser.point, sizeof(browser.point)), NOW - 20500, &request));
    assert_string_equal(request.method, "POST");
    assert_text(request.url, "https://push.example/send/x");
    assert_text(header_of(&request, "content-encoding"), "aes128gcm");
    assert_text(header_of(&request, "ttl"), "39");
    assert_text(header_of(&request, "topic"), "_-7dAAAAAAAAAAAAAAAAAA");
    assert_true(bytes_starts_with(header_of(&request, "authorization"), "vapid t="));
    assert_true(make(*state, bytes_of(browser.point, sizeof(browser.point)), NOW - 90000, &request));
    assert_text(header_of(&request, "ttl"), "0");
}

static void a_browser_without_a_sound_key_is_told_nothing(void **state) {
    static const uint8_t point[PUSH_PUBLIC_KEY_BYTES] = {4, 1, 2, 3};
    struct webhook_request request;
    assert_false(make(*state, bytes_of(point, sizeof(point)), NOW, &request));
}

static void an_answer_says_what_becomes_of_a_device(void **state) {
    static const struct {
        long status;
        enum push_outcome outcome;
    } cases[] = {{200, PUSH_SENT},    {201, PUSH_SENT},    {202, PUSH_SENT},  {301, PUSH_REFUSED}, {400, PUSH_REFUSED},
                 {401, PUSH_REFUSED}, {403, PUSH_REFUSED}, {404, PUSH_GONE},  {410, PUSH_GONE},    {413, PUSH_REFUSED},
                 {408, PUSH_AGAIN},   {429, PUSH_AGAIN},   {500, PUSH_AGAIN}, {503, PUSH_AGAIN},   {0, PUSH_AGAIN}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(push_outcome_of(PUSH_WEB, &(struct webhook_answer){.status = cases[i].status}),
                         cases[i].outcome);
}

static void one_waits_longer_each_time_and_as_long_as_is_asked(void **state) {
    static const struct {
        int64_t retry_after_s;
        unsigned attempts;
        int64_t wait_ms;
    } cases[] = {{0, 1, 1000},           {0, 2, 2000},  {0, 4, 8000},        {0, 7, 64000},
                 {0, 30, 64000},         {5, 1, 5000},  {5, 6, 32000},       {100000, 1, 600000},
                 {INT64_MAX, 1, 600000}, {-1, 1, 1000}, {INT64_MIN, 1, 1000}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct webhook_answer answer = {.status = 429, .retry_after_s = cases[i].retry_after_s};
        int64_t wait_ms = push_wait_ms(&answer, cases[i].attempts, 0);
        assert_true(wait_ms == cases[i].wait_ms);
        assert_true(push_wait_ms(&answer, cases[i].attempts, 255) > wait_ms);
        assert_true(push_wait_ms(&answer, cases[i].attempts, 255) <= wait_ms * 5 / 4);
    }
}

static void names_and_ports_below_one_are_limited_as_one(void **state) {
    static const struct {
        const char *endpoint, *host, *limited;
    } cases[] = {{"https://fcm.googleapis.com/fcm/send/x", "fcm.googleapis.com", "googleapis.com"},
                 {"https://a.b.example.org:8443/x", "a.b.example.org", "example.org"},
                 {"https://example.org?x", "example.org", "example.org"},
                 {"http://127.0.0.1:8080/x", "127.0.0.1", "0.1"},
                 {"https:/example.org/x", NULL, NULL},
                 {"https:///x", NULL, NULL},
                 {"HTTPS://example.org/x", NULL, NULL},
                 {"https://Example.org/x", NULL, NULL},
                 {"https://example.org./x", NULL, NULL},
                 {"https://ex%61mple.org/x", NULL, NULL},
                 {"https://a@example.org/x", NULL, NULL},
                 {"https://a:1@example.org/x", NULL, NULL},
                 {"example.org", NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct push_registration browser = {.transport = PUSH_WEB, .address = bytes_of_text(cases[i].endpoint)};
        struct bytes host = push_endpoint_host(browser.address);
        assert_int_equal(bytes_is_present(host), cases[i].host != NULL);
        if (cases[i].host == NULL)
            continue;
        assert_text(host, cases[i].host);
        assert_text(push_service_limited(NULL, &browser), cases[i].limited);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_push_is_written_as_the_rfc_says),
        TEST(a_browser_without_a_sound_key_is_told_nothing),
        TEST(an_answer_says_what_becomes_of_a_device),
        TEST(names_and_ports_below_one_are_limited_as_one),
        TEST(one_waits_longer_each_time_and_as_long_as_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
