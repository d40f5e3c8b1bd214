#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "node/gateway/websocket.h"
#include "node/gateway/websocket_queue.h"

#define VECTORS 256

/* A frame of pieces of these sizes, ended by 0; each piece has an owner of its own, whose leak a sanitizer would see.
 */
static void append(struct websocket_queue *queue, const size_t *sizes) {
    struct websocket_segment segments[WEBSOCKET_SEGMENTS_MAX] = {{0}};
    size_t count = 0;
    for (; sizes[count] != 0; count++) {
        struct buffer buffer;
        buffer_init(&buffer);
        memset(buffer_reserve(&buffer, sizes[count]), 'a' + (int)count, sizes[count]);
        buffer_added(&buffer, sizes[count]);
        struct shared_bytes *owner = shared_bytes_take(&buffer);
        segments[count] =
            (struct websocket_segment){.owner = owner, .data = shared_bytes_view(owner).data, .size = sizes[count]};
    }
    size_t cost_before = queue->cost;
    websocket_queue_append(queue, segments, count);
    assert_int_equal(queue->cost - cost_before, websocket_segments_cost(segments, count));
    for (size_t i = 0; i < count; i++)
        shared_bytes_release(segments[i].owner);
}

static void an_empty_queue_holds_no_memory(void **state) {
    (void)state;
    struct websocket_queue queue = {0};
    append(&queue, (size_t[]){10, 20, 0});
    assert_int_equal(queue.count, 2);
    websocket_queue_remove(&queue, 2);
    assert_null(queue.chunks);
    assert_int_equal(queue.cost, 0);
    websocket_queue_clear(&queue);
}

static void vectors_hold_whole_frames_only(void **state) {
    (void)state;
    struct websocket_queue queue = {0};
    struct iovec vectors[VECTORS];
    size_t bytes;
    append(&queue, (size_t[]){10, 20, 0});
    append(&queue, (size_t[]){5, 0});
    append(&queue, (size_t[]){7, 7, 7, 0});
    assert_int_equal(websocket_queue_vectors(&queue, vectors, VECTORS, SIZE_MAX, &bytes), 6);
    assert_int_equal(bytes, 56);
    assert_int_equal(websocket_queue_vectors(&queue, vectors, VECTORS, 55, &bytes), 3);
    assert_int_equal(bytes, 35);
    assert_int_equal(websocket_queue_vectors(&queue, vectors, VECTORS, 31, &bytes), 2);
    assert_int_equal(bytes, 30);
    /* The first frame goes whatever its size, or it would never go. */
    assert_int_equal(websocket_queue_vectors(&queue, vectors, VECTORS, 1, &bytes), 2);
    assert_int_equal(bytes, 30);
    websocket_queue_clear(&queue);
    for (int i = 0; i < 100; i++)
        append(&queue, (size_t[]){1, 1, 1, 0});
    assert_int_equal(websocket_queue_vectors(&queue, vectors, 100, SIZE_MAX, &bytes), 99);
    websocket_queue_clear(&queue);
}

static struct bytes text_of(const struct websocket_queue *queue, char *out) {
    size_t size = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        memcpy(out + size, queue->chunks[i].data, queue->chunks[i].size);
        size += queue->chunks[i].size;
    }
    return bytes_of(out, size);
}

static void what_was_not_written_moves_on_at_the_right_byte(void **state) {
    (void)state;
    for (size_t written = 0; written < 9; written++) {
        struct websocket_queue queue = {0};
        struct websocket_queue in_flight = {0};
        char out[32];
        append(&queue, (size_t[]){3, 4, 2, 0}); /* aaabbbbcc */
        append(&queue, (size_t[]){5, 0});
        size_t cost_before = queue.cost;
        size_t gone = websocket_queue_move(&queue, 3, written, &in_flight);
        assert_true(bytes_equal_text(text_of(&in_flight, out), &"aaabbbbcc"[written]));
        assert_true(bytes_equal_text(text_of(&queue, out), "aaaaa"));
        assert_int_equal(gone + queue.cost + in_flight.cost, cost_before);
        websocket_queue_clear(&in_flight);
        assert_int_equal(in_flight.cost, 0);
        websocket_queue_clear(&queue);
        assert_int_equal(queue.cost, 0);
    }
}

static void bytes_that_live_forever_need_no_owner(void **state) {
    (void)state;
    struct websocket_queue queue = {0};
    websocket_queue_append(&queue, &(struct websocket_segment){.owner = NULL, .data = "ping", .size = 4}, 1);
    websocket_queue_clear(&queue);
    assert_int_equal(queue.cost, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_holds_no_memory),
        cmocka_unit_test(vectors_hold_whole_frames_only),
        cmocka_unit_test(what_was_not_written_moves_on_at_the_right_byte),
        cmocka_unit_test(bytes_that_live_forever_need_no_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
