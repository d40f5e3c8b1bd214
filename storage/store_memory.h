#pragma once
/* The store in memory: the twin of store_lmdb.h that the simulator and tests run on. It keeps the same promises, and is
 * stricter where those leave room: a cursor that found nothing must be placed anew before it moves. Deterministic, for
 * one thread. Nothing of it outlives the process; a crash is played by giving back what was durable. */
#include "storage/store.h"

struct store_memory_options {
    size_t bytes_max;     /* of keys and values; 0: no bound */
    size_t reserve_bytes; /* beyond the bound, for STORE_REMOVE */
};

struct store *store_memory_new(const struct store_memory_options *options);
/* Every transaction has ended. */
void store_memory_free(struct store *store);

/* Everything that has been committed, for as long as the caller keeps it: costs nothing until the store changes. */
struct store_memory_snapshot;
struct store_memory_snapshot *store_memory_snapshot(struct store *store);
/* The store holds again what it held then, also that of another store. No write transaction is open; readers keep what
 * they see. */
void store_memory_restore(struct store *store, const struct store_memory_snapshot *snapshot);
void store_memory_snapshot_free(struct store_memory_snapshot *snapshot);

/* The next `count` commits of write transactions return `rc` (a code that commit may return), and nothing of them is
 * there. */
void store_memory_fail_commits(struct store *store, int rc, unsigned count);
/* As in the options. A store that already holds more takes nothing until it holds less. */
void store_memory_bound(struct store *store, size_t bytes_max);
/* Of keys and values, as committed. */
size_t store_memory_bytes(const struct store *store);
