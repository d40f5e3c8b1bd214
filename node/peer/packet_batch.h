#pragma once
/* What is sealed into one message between nodes: how far its sender has taken the other side's messages, and any number
 * of packets. Numbers are big-endian:
 *
 *   credit u64 | { size u32 | packet } ...
 *
 * `credit` is the highest counter among the messages of this session that the sender has opened and handed on: what is
 * not above it has been taken, or was lost. Every message carries it; one without packets says only that. */
#include "proto/buffer.h"

#define PACKET_BATCH_HEAD_BYTES 8
#define PACKET_BATCH_ITEM_BYTES 4 /* before each packet */

/* `out` is emptied first. */
void packet_batch_begin(struct buffer *out, uint64_t credit);
void packet_batch_add(struct buffer *out, struct bytes packet);

/* Reads one after the other. */
struct packet_batch {
    uint64_t credit;
    struct bytes rest;
};

/* STATUS_MALFORMED: it is not of this form, anywhere. */
int packet_batch_open(struct bytes encoded, struct packet_batch *batch);
/* False: there are no more. The packet is borrowed from what was opened. */
bool packet_batch_next(struct packet_batch *batch, struct bytes *packet);
