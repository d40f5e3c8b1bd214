#pragma once
/* The encoded packets that wait to be sent to one peer: bounded, so that a peer that takes nothing costs no more than
 * that. When it is full the oldest packets go, small ones last: heartbeats and acknowledgements are small, and without
 * them a slow peer would look like a dead one. What is dropped is sent again by whoever it matters to. */
#include "proto/bytes.h"

#define SEND_QUEUE_SMALL_BYTES 512   /* packets up to this size are dropped last */
#define SEND_QUEUE_OVERHEAD_BYTES 64 /* what a packet counts beyond its own bytes */

struct queued_packet;

struct send_queue {
    struct queued_packet *first, *last;             /* oldest first */
    struct queued_packet *first_large, *last_large; /* the large ones among them */
    size_t bytes;                                   /* overhead included */
    size_t count;
};

void send_queue_init(struct send_queue *queue);
void send_queue_close(struct send_queue *queue);

/* Copies the packet to the end, and drops what is then beyond `bytes_max`; returns how many were dropped, the new one
 * perhaps among them. */
size_t send_queue_push(struct send_queue *queue, struct bytes packet, size_t bytes_max);
/* Drops until it is within `bytes_max`. */
size_t send_queue_trim(struct send_queue *queue, size_t bytes_max);

/* False: it is empty. Borrowed until the next change. */
bool send_queue_peek(const struct send_queue *queue, struct bytes *packet);
/* Removes what was peeked at. */
void send_queue_pop(struct send_queue *queue);
