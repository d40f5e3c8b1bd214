#include "node/gateway/websocket_queue.h"

#include <stdlib.h>

#include "node/gateway/websocket.h"
#include "proto/check.h"

#define CHUNKS_AT_FIRST 4

size_t websocket_segments_cost(const struct websocket_segment *segments, size_t count) {
    size_t cost = count * sizeof(struct websocket_chunk);
    for (size_t i = 0; i < count; i++)
        cost += segments[i].size;
    return cost;
}

static size_t chunk_cost(const struct websocket_chunk *chunk) {
    return chunk->size + sizeof(*chunk);
}

static void make_room(struct websocket_queue *queue, size_t count) {
    if (queue->capacity - queue->count >= count)
        return;
    if (queue->count == 0 && count == 1) {
        queue->chunks = &queue->own;
        queue->capacity = 1;
        return;
    }
    size_t capacity = queue->capacity < CHUNKS_AT_FIRST ? CHUNKS_AT_FIRST : queue->capacity;
    while (capacity - queue->count < count)
        capacity *= 2;
    check(capacity <= UINT32_MAX);
    struct websocket_chunk *allocated = queue->chunks == &queue->own ? NULL : queue->chunks;
    struct websocket_chunk *chunks = realloc(allocated, capacity * sizeof(*chunks));
    check(chunks != NULL);
    if (queue->chunks == &queue->own)
        chunks[0] = queue->own;
    queue->chunks = chunks;
    queue->capacity = (uint32_t)capacity;
}

void websocket_queue_append(struct websocket_queue *queue, const struct websocket_segment *segments, size_t count) {
    check(count > 0 && count <= WEBSOCKET_SEGMENTS_MAX);
    make_room(queue, count);
    for (size_t i = 0; i < count; i++) {
        check(segments[i].size <= UINT32_MAX);
        shared_bytes_hold(segments[i].owner);
        struct websocket_chunk *chunk = &queue->chunks[queue->count++];
        *chunk = (struct websocket_chunk){.owner = segments[i].owner,
                                          .data = segments[i].data,
                                          .size = (uint32_t)segments[i].size,
                                          .is_frame_end = i + 1 == count};
        queue->cost += chunk_cost(chunk);
    }
}

size_t websocket_queue_vectors(const struct websocket_queue *queue, struct iovec *vectors, size_t vectors_max,
                               size_t bytes_max, size_t *bytes) {
    check(vectors_max >= WEBSOCKET_SEGMENTS_MAX);
    size_t whole = 0; /* chunks up to the end of the last frame that fits */
    size_t sum = 0;
    *bytes = 0;
    for (size_t i = 0; i < queue->count && i < vectors_max; i++) {
        const struct websocket_chunk *chunk = &queue->chunks[i];
        sum += chunk->size;
        if (whole > 0 && sum > bytes_max)
            break;
        vectors[i] = (struct iovec){.iov_base = (void *)(uintptr_t)chunk->data, .iov_len = chunk->size};
        if (chunk->is_frame_end) {
            whole = i + 1;
            *bytes = sum;
        }
    }
    return whole;
}

static void forget_first(struct websocket_queue *queue, size_t count) {
    for (size_t i = 0; i < count; i++)
        queue->cost -= chunk_cost(&queue->chunks[i]);
    queue->count -= (uint32_t)count;
    if (queue->count > 0) {
        memmove(queue->chunks, queue->chunks + count, queue->count * sizeof(*queue->chunks));
        return;
    }
    if (queue->chunks != &queue->own)
        free(queue->chunks);
    queue->chunks = NULL;
    queue->capacity = 0;
}

void websocket_queue_remove(struct websocket_queue *queue, size_t count) {
    check(count <= queue->count);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        shared_bytes_release(queue->chunks[i].owner);
    forget_first(queue, count);
}

size_t websocket_queue_move(struct websocket_queue *queue, size_t count, size_t written, struct websocket_queue *to) {
    check(to->count == 0 && count <= queue->count);
    size_t done = 0;
    while (done < count && queue->chunks[done].size <= written)
        written -= queue->chunks[done++].size;
    size_t cost_before = queue->cost;
    websocket_queue_remove(queue, done);
    make_room(to, count - done);
    for (size_t i = 0; i < count - done; i++) {
        struct websocket_chunk chunk = queue->chunks[i];
        to->chunks[to->count++] = chunk;
        to->cost += chunk_cost(&chunk);
    }
    if (count > done) {
        forget_first(queue, count - done);
        to->chunks[0].data += written;
        to->chunks[0].size -= (uint32_t)written;
        to->cost -= written;
    }
    return cost_before - queue->cost - to->cost;
}

void websocket_queue_clear(struct websocket_queue *queue) {
    websocket_queue_remove(queue, queue->count);
}
