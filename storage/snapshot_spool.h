#pragma once
/* Where a snapshot waits between being read and being sent: bytes that are written once, in order, and read in pieces.
 * One thread at a time. */
#include "proto/buffer.h"

struct snapshot_spool;

struct snapshot_spool_methods {
    int (*append)(struct snapshot_spool *spool, struct bytes data);
    int (*read)(struct snapshot_spool *spool, uint64_t offset, uint8_t *data, size_t size);
    void (*close)(struct snapshot_spool *spool);
};

/* Implementations put this first in their own structs. */
struct snapshot_spool {
    const struct snapshot_spool_methods *methods;
};

/* In memory, for the simulator and tests. Always there. */
struct snapshot_spool *snapshot_spool_memory(void);

/* A file without a name in `folder`: nothing of it is left when the process ends, however it ends. STATUS_STORAGE_FULL,
 * STATUS_STORAGE_FAILED. */
int snapshot_spool_file(const char *folder, struct snapshot_spool **spool);

/* STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED. */
int snapshot_spool_append(struct snapshot_spool *spool, struct bytes data);
/* STATUS_STORAGE_FAILED, also for what was never appended. */
int snapshot_spool_read(struct snapshot_spool *spool, uint64_t offset, uint8_t *data, size_t size);
void snapshot_spool_close(struct snapshot_spool *spool);
