#include "node/gateway/shared_bytes.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "proto/check.h"

struct shared_bytes {
    atomic_uint references;
    size_t size;
    uint8_t *taken; /* NULL: the bytes are behind this struct */
    uint8_t copied[];
};

static struct shared_bytes *shared_bytes_new(size_t size, size_t copied_size) {
    struct shared_bytes *shared = malloc(sizeof(*shared) + copied_size);
    check(shared != NULL);
    atomic_init(&shared->references, 1);
    shared->size = size;
    shared->taken = NULL;
    return shared;
}

struct shared_bytes *shared_bytes_take(struct buffer *buffer) {
    if (buffer->size == 0) {
        buffer_close(buffer);
        return shared_bytes_new(0, 0);
    }
    struct shared_bytes *shared = shared_bytes_new(0, 0);
    shared->taken = buffer_take(buffer, &shared->size);
    return shared;
}

struct shared_bytes *shared_bytes_copy(struct bytes value) {
    struct shared_bytes *shared = shared_bytes_new(value.size, value.size);
    if (value.size > 0)
        memcpy(shared->copied, value.data, value.size);
    return shared;
}

void shared_bytes_hold(struct shared_bytes *shared) {
    if (shared == NULL)
        return;
    /* Relaxed is enough: whoever holds already holds a reference, so the count cannot reach zero meanwhile. */
    unsigned before = atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    check(before > 0 && before < UINT32_MAX);
}

void shared_bytes_release(struct shared_bytes *shared) {
    if (shared == NULL)
        return;
    /* The last one must see all that the others did with the bytes before it frees them. */
    unsigned before = atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel);
    check(before > 0);
    if (before > 1)
        return;
    free(shared->taken);
    free(shared);
}

struct bytes shared_bytes_view(const struct shared_bytes *shared) {
    return bytes_of(shared->taken != NULL ? shared->taken : shared->copied, shared->size);
}
