#pragma once
/* What waits to be written to one WebSocket: pieces of shared bytes, in whole frames. It knows order and size, not
 * sockets. For the files of websocket_parts.h only. */
#include <sys/uio.h>

#include "node/gateway/shared_bytes.h"

struct websocket_segment;

struct websocket_chunk {
    struct shared_bytes *owner; /* a reference is held */
    const uint8_t *data;
    uint32_t size;
    bool is_frame_end;
};

/* Zeroed memory is an empty queue, and an empty queue holds no memory: most connections are idle. It must not move
 * while it is not empty. */
struct websocket_queue {
    struct websocket_chunk *chunks;
    uint32_t count;
    uint32_t capacity;
    size_t cost;                /* bytes to write and the chunks themselves */
    struct websocket_chunk own; /* for the one chunk that a shared frame is, so that fan-out allocates nothing */
};

/* What queueing these would add to `cost`. */
size_t websocket_segments_cost(const struct websocket_segment *segments, size_t count);

/* Appends one frame; takes references. */
void websocket_queue_append(struct websocket_queue *queue, const struct websocket_segment *segments, size_t count);

/* The first frames of the queue as vectors: as many as fit into `vectors_max` and, but for the first, into `bytes_max`.
 * Returns the number of chunks, `*bytes` their size. */
size_t websocket_queue_vectors(const struct websocket_queue *queue, struct iovec *vectors, size_t vectors_max,
                               size_t bytes_max, size_t *bytes);

/* The first `count` chunks are written: their references are released. */
void websocket_queue_remove(struct websocket_queue *queue, size_t count);

/* The first `count` chunks move to the empty queue `to`, without the first `written` bytes. Returns the cost that is
 * gone. */
size_t websocket_queue_move(struct websocket_queue *queue, size_t count, size_t written, struct websocket_queue *to);

void websocket_queue_clear(struct websocket_queue *queue);
