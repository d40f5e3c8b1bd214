/* Calls between nodes: what goes in comes out, and what is too long is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/forwarded_call.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes bytes_of_size(size_t size) {
    uint8_t *data = arena_alloc(&test_arena, size);
    memset(data, 'x', size);
    return bytes_of(data, size);
}

static struct forwarded_header headers[FORWARDED_HEADERS_MAX + 1];

static struct forwarded_call full_call(void) {
    for (size_t i = 0; i < COUNT(headers); i++)
        headers[i] = (struct forwarded_header){BYTES_LITERAL("x-ms-client-request-id"), BYTES_LITERAL("")};
    headers[0].value = BYTES_LITERAL("id");
    return (struct forwarded_call){.method = BYTES_LITERAL("POST"),
                                   .target = BYTES_LITERAL("/chat/threads?api-version=1"),
                                   .headers = headers,
                                   .headers_count = 2,
                                   .body = BYTES_LITERAL("{}"),
                                   .origin = BYTES_LITERAL("https://chat.example"),
                                   .client_address = BYTES_LITERAL("::1"),
                                   .user_id = BYTES_LITERAL("8:acs:r_1"),
                                   .scopes = 3,
                                   .token_issued_s = 1700000000,
                                   .token_expires_s = 1700003600,
                                   .operation_id = BYTES_LITERAL("19:x@thread.v2")};
}

static int call_there_and_back(const struct forwarded_call *call, struct forwarded_call *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    forwarded_call_encode(call, &encoded);
    int rc = forwarded_call_decode(arena_copy(&test_arena, buffer_bytes(&encoded)), &test_arena, back);
    buffer_close(&encoded);
    return rc;
}

static int reply_there_and_back(const struct forwarded_reply *reply, struct forwarded_reply *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    forwarded_reply_encode(reply, &encoded);
    int rc = forwarded_reply_decode(arena_copy(&test_arena, buffer_bytes(&encoded)), &test_arena, back);
    buffer_close(&encoded);
    return rc;
}

static void a_call_comes_out_as_it_went_in(void **state) {
    (void)state;
    struct forwarded_call call = full_call();
    struct forwarded_call back;
    assert_int_equal(call_there_and_back(&call, &back), 0);
    assert_true(bytes_equal(back.method, call.method));
    assert_true(bytes_equal(back.target, call.target));
    assert_true(bytes_equal(back.body, call.body));
    assert_true(bytes_equal(back.origin, call.origin));
    assert_true(bytes_equal(back.client_address, call.client_address));
    assert_true(bytes_equal(back.user_id, call.user_id));
    assert_true(bytes_equal(back.operation_id, call.operation_id));
    assert_int_equal(back.scopes, 3);
    assert_int_equal(back.token_issued_s, 1700000000);
    assert_int_equal(back.token_expires_s, 1700003600);
    assert_int_equal(back.headers_count, 2);
    assert_true(bytes_equal_text(back.headers[0].name, "x-ms-client-request-id"));
    assert_true(bytes_equal_text(back.headers[0].value, "id"));
    assert_true(bytes_is_present(back.headers[1].value));
    assert_int_equal(back.headers[1].value.size, 0);
}

static void a_call_of_a_service_has_no_user(void **state) {
    (void)state;
    struct forwarded_call call = full_call();
    struct forwarded_call back;
    call.user_id = BYTES_ABSENT;
    assert_int_equal(call_there_and_back(&call, &back), 0);
    assert_false(bytes_is_present(back.user_id));
}

static void calls_that_are_too_long_or_lack_something_are_refused(void **state) {
    (void)state;
    struct forwarded_call calls[9];
    struct forwarded_call back;
    for (size_t i = 0; i < COUNT(calls); i++)
        calls[i] = full_call();
    calls[0].method = BYTES_ABSENT;
    calls[1].method = BYTES_LITERAL("ABCDEFGHIJKLMNOPQ");
    calls[2].target = bytes_of_size(FORWARDED_TARGET_BYTES_MAX + 1);
    calls[3].body = bytes_of_size(FORWARDED_CALL_BODY_MAX + 1);
    calls[4].origin = bytes_of_size(513);
    calls[5].user_id = bytes_of_size(LIMIT_RAW_ID_BYTES_MAX + 1);
    calls[6].headers_count = FORWARDED_HEADERS_MAX + 1;
    calls[7].operation_id = bytes_of_size(LIMIT_RAW_ID_BYTES_MAX + 1);
    calls[8].client_address = bytes_of_size(65);
    for (size_t i = 0; i < COUNT(calls); i++)
        assert_int_equal(call_there_and_back(&calls[i], &back), STATUS_MALFORMED);
    struct forwarded_call call = full_call();
    headers[1].value = bytes_of_size(FORWARDED_HEADER_BYTES_MAX + 1);
    assert_int_equal(call_there_and_back(&call, &back), STATUS_MALFORMED);
    headers[1].value = BYTES_ABSENT;
    assert_int_equal(call_there_and_back(&call, &back), STATUS_MALFORMED);
}

static void a_reply_comes_out_as_it_went_in(void **state) {
    (void)state;
    struct forwarded_header location = {BYTES_LITERAL("location"), BYTES_LITERAL("https://h/")};
    struct forwarded_reply reply = {.status = 201, .headers = &location, .headers_count = 1, .body = BYTES_ABSENT};
    struct forwarded_reply back;
    assert_int_equal(reply_there_and_back(&reply, &back), 0);
    assert_int_equal(back.status, 201);
    assert_false(bytes_is_present(back.body));
    assert_int_equal(back.headers_count, 1);
    assert_true(bytes_equal_text(back.headers[0].value, "https://h/"));
}

static void a_reply_has_a_status_of_http(void **state) {
    (void)state;
    static const uint32_t statuses[] = {0, 101, 199, 600, UINT32_MAX};
    struct forwarded_reply back;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct forwarded_reply reply = {.status = statuses[i], .body = BYTES_LITERAL("{}")};
        assert_int_equal(reply_there_and_back(&reply, &back), STATUS_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_comes_out_as_it_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_call_of_a_service_has_no_user, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(calls_that_are_too_long_or_lack_something_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_reply_comes_out_as_it_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_reply_has_a_status_of_http, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
