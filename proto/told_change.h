#pragma once
/* A change on its way to a node that listens, with its place in what that node is told of the thread or user. Goes as
 * the bytes of a packet_change; known without looking into the change itself. */
#include "proto/buffer.h"
#include "proto/ids.h"

/* Covers the offsets from `from_offset` to below `next_offset`: what is not told of them has been overtaken by this or
 * a later change. */
struct told_change {
    struct id_hash subject;
    uint64_t from_offset; /* 0: what came before is not known */
    uint64_t next_offset; /* 0: has no place in an order: notices, and what concerns users */
    uint32_t copies;      /* how many other nodes hold it durably */
    struct bytes change;  /* change.h; absent: nothing to tell of these offsets; for a user: something was left out */
};

void told_change_encode(const struct told_change *told, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int told_change_decode(struct bytes encoded, struct arena *arena, struct told_change *told);
