#pragma once
/* The store over LMDB: one environment per node, a fsync per write transaction, readers that never wait for the writer.
 * The map grows by itself; growing waits for the read transactions of this process, which are therefore kept short, and
 * new ones wait for it: a thread that has one open must not begin another. */
#include "storage/store.h"

#define STORE_FORMAT_VERSION 3

/* Removing copies the pages it touches before it gives any back; without a reserve a full store could not be emptied.
 */
#define STORE_RESERVE_BYTES (8 << 20)

struct store_lmdb_options {
    const char *folder; /* must exist */
    size_t map_bytes;   /* to start with; rounded up to pages */
    size_t bytes_max; /* the map does not grow beyond, but by STORE_RESERVE_BYTES for removals; 0: only the disk bounds
                         it */
    unsigned readers_max;
};

struct store_lmdb_statistics {
    size_t map_bytes;
    size_t used_bytes;
    uint64_t records; /* of all tables, and two of the store's own */
};

/* STATUS_STORAGE_FAILED, STATUS_CONFLICT (another process has it, or another format version); `reason` says what, in
 * static or errno text. The caller closes with store_lmdb_close. */
int store_lmdb_open(const struct store_lmdb_options *options, struct store **store, const char **reason);
void store_lmdb_close(struct store *store);

void store_lmdb_statistics(struct store *store, struct store_lmdb_statistics *statistics);
