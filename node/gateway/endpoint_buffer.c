#include "node/gateway/endpoint_buffer.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"

#define CAPACITY_FIRST 8

static struct endpoint_push *push_at(struct endpoint_buffer *buffer, uint32_t index) {
    return &buffer->ring[(buffer->first + index) % buffer->capacity];
}

static void push_release(struct endpoint_push *push) {
    shared_bytes_release(push->before);
    shared_bytes_release(push->after);
    *push = (struct endpoint_push){0};
}

static void first_remove(struct endpoint_buffer *buffer) {
    push_release(push_at(buffer, 0));
    buffer->first = (buffer->first + 1) % buffer->capacity;
    buffer->count--;
}

static void grow(struct endpoint_buffer *buffer) {
    uint32_t capacity = buffer->capacity == 0 ? CAPACITY_FIRST : buffer->capacity * 2;
    if (capacity > LIMIT_SESSION_UNANSWERED_MAX)
        capacity = LIMIT_SESSION_UNANSWERED_MAX;
    struct endpoint_push *ring = calloc(capacity, sizeof(*ring));
    check(ring != NULL);
    for (uint32_t i = 0; i < buffer->count; i++)
        ring[i] = *push_at(buffer, i);
    free(buffer->ring);
    buffer->ring = ring;
    buffer->first = 0;
    buffer->capacity = capacity;
}

struct endpoint_push *endpoint_buffer_add(struct endpoint_buffer *buffer, struct shared_bytes *before,
                                          struct shared_bytes *after) {
    if (buffer->count == LIMIT_SESSION_UNANSWERED_MAX)
        first_remove(buffer);
    if (buffer->count == buffer->capacity)
        grow(buffer);
    struct endpoint_push *push = push_at(buffer, buffer->count++);
    shared_bytes_hold(before);
    shared_bytes_hold(after);
    *push = (struct endpoint_push){.before = before, .after = after};
    return push;
}

/* Clients answer in order, so the one that is looked for is nearly always the first. */
struct endpoint_push_of endpoint_buffer_answered(struct endpoint_buffer *buffer, uint64_t id) {
    struct endpoint_push_of of = {.offset = 0};
    for (uint32_t i = 0; i < buffer->count; i++) {
        struct endpoint_push *push = push_at(buffer, i);
        if (push->before == NULL || push->id != id || id == 0)
            continue;
        of = push->of;
        push_release(push);
        break;
    }
    while (buffer->count > 0 && push_at(buffer, 0)->before == NULL)
        first_remove(buffer);
    return of;
}

struct endpoint_push *endpoint_buffer_next(struct endpoint_buffer *buffer, uint32_t *cursor) {
    while (*cursor < buffer->count) {
        struct endpoint_push *push = push_at(buffer, (*cursor)++);
        if (push->before != NULL)
            return push;
    }
    return NULL;
}

void endpoint_buffer_move(struct endpoint_buffer *to, struct endpoint_buffer *from) {
    struct endpoint_push *push;
    uint32_t cursor = 0;
    while ((push = endpoint_buffer_next(from, &cursor)) != NULL)
        endpoint_buffer_add(to, push->before, push->after)->of = push->of;
    endpoint_buffer_close(from);
}

void endpoint_buffer_close(struct endpoint_buffer *buffer) {
    while (buffer->count > 0)
        first_remove(buffer);
    free(buffer->ring);
    *buffer = (struct endpoint_buffer){0};
}
