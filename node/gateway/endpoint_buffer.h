#pragma once
/* What an endpoint of the official SDK may not have got yet: pushes it has not answered, and those that came while it
 * was away, oldest first. Holds the newest LIMIT_SESSION_UNANSWERED_MAX; an older one that has no room any more is
 * forgotten, and the app lists its threads as it does after any longer absence. */
#include "node/gateway/shared_bytes.h"
#include "proto/ids.h"

/* Which change of a thread a push tells, for those who ask where it is. */
struct endpoint_push_of {
    struct id_hash thread;
    uint64_t offset; /* 0: not known, or of no lasting interest */
};

struct endpoint_push {
    struct shared_bytes *before; /* a reference is held of each; NULL: answered */
    struct shared_bytes *after;
    uint64_t id; /* on the present socket; 0: not sent there */
    struct endpoint_push_of of;
};

/* Zeroed memory is an empty buffer, and an empty one holds no memory. */
struct endpoint_buffer {
    struct endpoint_push *ring;
    uint32_t first;
    uint32_t count; /* answered ones in the middle included */
    uint32_t capacity;
};

/* Takes references of its own. The pointer is valid until the next call. */
struct endpoint_push *endpoint_buffer_add(struct endpoint_buffer *buffer, struct shared_bytes *before,
                                          struct shared_bytes *after);
/* What the push with this id told. An id that is not there is ignored: clients may answer twice. */
struct endpoint_push_of endpoint_buffer_answered(struct endpoint_buffer *buffer, uint64_t id);

/* The next push at or after `*cursor` (0 at first) that is not answered; NULL: no more. */
struct endpoint_push *endpoint_buffer_next(struct endpoint_buffer *buffer, uint32_t *cursor);

/* Everything moves behind what `to` has, as not sent; `from` is empty afterwards. */
void endpoint_buffer_move(struct endpoint_buffer *to, struct endpoint_buffer *from);
void endpoint_buffer_close(struct endpoint_buffer *buffer);
