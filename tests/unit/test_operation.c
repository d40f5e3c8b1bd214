/* What real-time clients ask of threads, between nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/operation.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

static int there_and_back(const struct realtime_request *request, struct realtime_request *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    operation_encode(request, &encoded);
    int rc = operation_decode(arena_copy(&test_arena, buffer_bytes(&encoded)), &test_arena, back);
    buffer_close(&encoded);
    return rc;
}

static struct realtime_request sending(void) {
    static struct metadata_pair pair = {BYTES_LITERAL("k"), BYTES_LITERAL("v")};
    return (struct realtime_request){.type = REALTIME_SEND,
                                     .id = BYTES_LITERAL("m1"),
                                     .thread_id = BYTES_LITERAL("19:x@thread.v2"),
                                     .content = BYTES_LITERAL("hello"),
                                     .message_type = MESSAGE_HTML,
                                     .display_name = BYTES_LITERAL(""),
                                     .metadata = {&pair, 1, true, false}};
}

static void an_operation_comes_out_as_it_went_in(void **state) {
    (void)state;
    struct realtime_request request = sending();
    struct realtime_request back;
    assert_int_equal(there_and_back(&request, &back), 0);
    assert_int_equal(back.type, REALTIME_SEND);
    assert_true(bytes_equal(back.id, request.id));
    assert_true(bytes_equal(back.thread_id, request.thread_id));
    assert_true(bytes_equal(back.content, request.content));
    assert_int_equal(back.message_type, MESSAGE_HTML);
    assert_true(bytes_is_present(back.display_name));
    assert_int_equal(back.metadata.count, 1);
    assert_true(bytes_equal_text(back.metadata.pairs[0].value, "v"));
    request = (struct realtime_request){
        .type = REALTIME_RECEIPT, .thread_id = BYTES_LITERAL("19:x@thread.v2"), .message_id = 1700000000000};
    assert_int_equal(there_and_back(&request, &back), 0);
    assert_false(bytes_is_present(back.id));
    assert_true(bytes_is_present(back.display_name));
    assert_int_equal(back.message_id, 1700000000000);
}

static void what_is_no_operation_on_a_thread_is_refused(void **state) {
    (void)state;
    struct realtime_request requests[7];
    struct realtime_request back;
    char long_text[LIMIT_MESSAGE_BYTES_MAX + 1];
    memset(long_text, 'x', sizeof(long_text));
    for (size_t i = 0; i < 7; i++)
        requests[i] = sending();
    requests[0].type = REALTIME_CONNECT;
    requests[1].type = REALTIME_TOKEN;
    requests[2].thread_id = BYTES_ABSENT;
    requests[3].content = BYTES_ABSENT;
    requests[4].message_type = 0;
    requests[5].content = bytes_of(long_text, sizeof(long_text));
    requests[6].id = bytes_of(long_text, LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX + 1);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(there_and_back(&requests[i], &back), STATUS_MALFORMED);
}

static void a_result_comes_out_as_it_went_in(void **state) {
    (void)state;
    struct operation_result result = {.result = {.rc = STATUS_FORBIDDEN,
                                                 .message_id = 1,
                                                 .offset = 2,
                                                 .sequence = 3,
                                                 .version = 4,
                                                 .time_ms = -5,
                                                 .is_duplicate = true},
                                      .copies = 2,
                                      .message = BYTES_LITERAL("No."),
                                      .target = BYTES_LITERAL("token")};
    struct operation_result back;
    struct buffer encoded;
    buffer_init(&encoded);
    operation_result_encode(&result, &encoded);
    assert_int_equal(operation_result_decode(buffer_bytes(&encoded), &test_arena, &back), 0);
    assert_int_equal(back.result.rc, STATUS_FORBIDDEN);
    assert_int_equal(back.result.message_id, 1);
    assert_int_equal(back.result.offset, 2);
    assert_int_equal(back.result.sequence, 3);
    assert_int_equal(back.result.version, 4);
    assert_int_equal(back.result.time_ms, -5);
    assert_true(back.result.is_duplicate);
    assert_int_equal(back.copies, 2);
    assert_true(bytes_equal(back.message, result.message));
    assert_true(bytes_equal(back.target, result.target));
    result.result.rc = 1;
    encoded.size = 0;
    operation_result_encode(&result, &encoded);
    assert_int_equal(operation_result_decode(buffer_bytes(&encoded), &test_arena, &back), STATUS_MALFORMED);
    buffer_close(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_comes_out_as_it_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_is_no_operation_on_a_thread_is_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_result_comes_out_as_it_went_in, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
