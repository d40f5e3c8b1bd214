/* One encoding for all: frames of each format, parts of pushes, and what is not told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/broadcast.h"
#include "node/gateway/websocket_frame.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")

static struct change message_change(void) {
    return (struct change){.kind = CHANGE_MESSAGE_RECEIVED,
                           .subject = {{1}},
                           .thread_id = THREAD,
                           .offset = 3,
                           .version = 1700000000000,
                           .time_ms = 1700000000000,
                           .actor_id = ALICE,
                           .message = {.id = 1700000000000,
                                       .sequence = 3,
                                       .version = 1700000000000,
                                       .offset = 3,
                                       .created_offset = 3,
                                       .type = MESSAGE_TEXT,
                                       .created_ms = 1700000000000,
                                       .actor_id = ALICE,
                                       .display_name = BYTES_LITERAL("Alice"),
                                       .content = BYTES_LITERAL("hello")}};
}

static void a_frame_is_made_once_and_is_whole(void **state) {
    (void)state;
    struct change change = message_change();
    struct broadcast *broadcast = broadcast_new(&change, 1, 2);
    for (enum realtime_format format = REALTIME_JSON; format <= REALTIME_MSGPACK; format++) {
        struct buffer payload, frame;
        uint8_t header[WEBSOCKET_HEADER_BYTES_MAX];
        buffer_init(&payload);
        buffer_init(&frame);
        realtime_change_encode(format, &change, "disk+1", &payload);
        enum websocket_opcode opcode = format == REALTIME_JSON ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
        buffer_append(&frame, header, websocket_frame_header(header, opcode, payload.size));
        buffer_append_bytes(&frame, buffer_bytes(&payload));
        struct shared_bytes *shared = broadcast_realtime_frame(broadcast, format);
        assert_true(bytes_equal(shared_bytes_view(shared), buffer_bytes(&frame)));
        assert_ptr_equal(broadcast_realtime_frame(broadcast, format), shared);
        buffer_close(&payload);
        buffer_close(&frame);
    }
    broadcast_release(broadcast);
    broadcast_release(broadcast);
}

static void the_change_comes_back_as_it_was(void **state) {
    (void)state;
    struct change change = message_change(), decoded;
    struct arena arena;
    struct broadcast *broadcast = broadcast_new(&change, 0, 0);
    arena_init(&arena);
    broadcast_decode(broadcast, &arena, &decoded);
    assert_true(bytes_equal(decoded.message.content, change.message.content));
    assert_int_equal(broadcast_kind(broadcast), CHANGE_MESSAGE_RECEIVED);
    assert_int_equal(broadcast_offset(broadcast), 3);
    assert_true(id_hash_equal(broadcast_subject(broadcast), &change.subject));
    arena_close(&arena);
    broadcast_release(broadcast);
}

static void a_message_is_one_push_for_everyone(void **state) {
    (void)state;
    const struct broadcast_push *pushes, *again;
    struct change change = message_change();
    struct broadcast *broadcast = broadcast_new(&change, 0, 0);
    assert_int_equal(broadcast_pushes(broadcast, &pushes), 1);
    assert_int_equal(broadcast_pushes(broadcast, &again), 1);
    assert_ptr_equal(pushes, again);
    assert_true(bytes_starts_with(shared_bytes_view(pushes->before), ",\"method\":\"POST\""));
    assert_false(bytes_is_present(pushes->excluded_user_id));
    broadcast_release(broadcast);
}

static void receipts_are_pushes_that_leave_out_their_readers(void **state) {
    (void)state;
    const struct broadcast_push *pushes;
    struct receipt receipts[] = {{.user_id = ALICE, .message_id = 5, .read_ms = 6},
                                 {.user_id = BOB, .message_id = 7, .read_ms = 8}};
    struct change change = {.kind = CHANGE_RECEIPTS, .thread_id = THREAD, .receipts = receipts, .receipts_count = 2};
    struct broadcast *broadcast = broadcast_new(&change, 0, 0);
    assert_int_equal(broadcast_pushes(broadcast, &pushes), 2);
    assert_true(bytes_equal(pushes[0].excluded_user_id, ALICE));
    assert_true(bytes_equal(pushes[1].excluded_user_id, BOB));
    broadcast_release(broadcast);
}

static void what_concerns_the_server_only_has_no_frames(void **state) {
    (void)state;
    const struct broadcast_push *pushes;
    struct change change = {.kind = CHANGE_USER_JOINED, .thread_id = THREAD, .offset = 2};
    struct broadcast *broadcast = broadcast_new(&change, 0, 0);
    assert_null(broadcast_realtime_frame(broadcast, REALTIME_JSON));
    assert_int_equal(broadcast_pushes(broadcast, &pushes), 0);
    broadcast_release(broadcast);
}

static void *ask(void *context) {
    const struct broadcast_push *pushes;
    struct broadcast *broadcast = context;
    for (enum realtime_format format = REALTIME_JSON; format <= REALTIME_MSGPACK; format++)
        assert_non_null(broadcast_realtime_frame(broadcast, format));
    assert_int_equal(broadcast_pushes(broadcast, &pushes), 1);
    broadcast_release(broadcast);
    return NULL;
}

static void workers_may_ask_at_the_same_time(void **state) {
    (void)state;
    struct change change = message_change();
    for (size_t round = 0; round < 50; round++) {
        pthread_t workers[4];
        struct broadcast *broadcast = broadcast_new(&change, 0, 4);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&workers[i], NULL, ask, broadcast), 0);
        for (size_t i = 0; i < 4; i++)
            pthread_join(workers[i], NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_made_once_and_is_whole),
        cmocka_unit_test(the_change_comes_back_as_it_was),
        cmocka_unit_test(a_message_is_one_push_for_everyone),
        cmocka_unit_test(receipts_are_pushes_that_leave_out_their_readers),
        cmocka_unit_test(what_concerns_the_server_only_has_no_frames),
        cmocka_unit_test(workers_may_ask_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
