/* What nodes say to each other about endpoints, as bytes and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/endpoint_message.h"
#include "proto/limits.h"
#include "proto/question.h"
#include "proto/status.h"

static struct arena arena;
static struct buffer encoded;

static int open_arena(void **state) {
    (void)state;
    arena_init(&arena);
    buffer_init(&encoded);
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    buffer_close(&encoded);
    arena_close(&arena);
    return 0;
}

static int again(const struct endpoint_message *message, struct endpoint_message *decoded) {
    endpoint_message_encode(message, &encoded);
    return endpoint_message_decode(buffer_bytes(&encoded), &arena, decoded);
}

static void what_is_said_arrives(void **state) {
    (void)state;
    struct endpoint_message_push pushes[] = {
        {.before = BYTES_LITERAL("before"), .after = BYTES_LITERAL("after"), .thread = {{3}}, .offset = 17},
        {.before = BYTES_LITERAL("{"), .after = BYTES_LITERAL("}")}};
    struct joined_thread position = {.thread = {{7}}, .offset = 9};
    struct endpoint_message decoded;
    struct buffer positions;
    buffer_init(&positions);
    joined_thread_add(&positions, &position);
    struct endpoint_message message = {.endpoint = {{1, 2}},
                                       .giver = {.node = UINT64_MAX, .worker = 3, .session = 4},
                                       .taker = {.node = 5, .worker = UINT32_MAX, .session = UINT64_MAX},
                                       .turn = UINT64_MAX - 1,
                                       .is_renewal = true,
                                       .is_unsure = true,
                                       .is_search = true,
                                       .is_found = true,
                                       .pushes = pushes,
                                       .pushes_count = 2,
                                       .positions = buffer_bytes(&positions)};
    assert_int_equal(again(&message, &decoded), STATUS_OK);
    assert_true(id_hash_equal(&decoded.endpoint, &message.endpoint));
    assert_true(decoded.giver.node == UINT64_MAX && decoded.giver.worker == 3 && decoded.giver.session == 4);
    assert_true(decoded.taker.node == 5 && decoded.taker.worker == UINT32_MAX && decoded.taker.session == UINT64_MAX);
    assert_true(decoded.is_renewal && decoded.is_found && decoded.is_unsure && decoded.is_search);
    assert_true(decoded.turn == UINT64_MAX - 1);
    assert_int_equal(decoded.pushes_count, 2);
    assert_true(bytes_equal_text(decoded.pushes[0].before, "before"));
    assert_true(bytes_equal_text(decoded.pushes[1].after, "}"));
    assert_true(id_hash_equal(&decoded.pushes[0].thread, &pushes[0].thread) && decoded.pushes[0].offset == 17);
    assert_int_equal(decoded.pushes[1].offset, 0);
    assert_true(bytes_equal(decoded.positions, message.positions));
    buffer_close(&positions);
}

static void what_could_not_be_meant_is_refused(void **state) {
    (void)state;
    static struct endpoint_message_push many[LIMIT_SESSION_UNANSWERED_MAX + 1];
    struct endpoint_message_push half = {.before = BYTES_LITERAL("before")};
    struct endpoint_message decoded;
    for (size_t i = 0; i <= LIMIT_SESSION_UNANSWERED_MAX; i++)
        many[i] = (struct endpoint_message_push){.before = BYTES_LITERAL("b"), .after = BYTES_LITERAL("a")};
    const struct endpoint_message wrong[] = {
        {.pushes = &half, .pushes_count = 1},
        {.pushes = many, .pushes_count = LIMIT_SESSION_UNANSWERED_MAX + 1},
        {.positions = BYTES_LITERAL("less than one")},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(again(&wrong[i], &decoded), STATUS_MALFORMED);
        buffer_close(&encoded);
    }
    assert_int_equal(endpoint_message_decode(BYTES_LITERAL("nonsense"), &arena, &decoded), STATUS_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_arrives, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_could_not_be_meant_is_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
