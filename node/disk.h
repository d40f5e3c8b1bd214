#pragma once
/* The one writer of the store: a thread that turns each batch of the core into one write transaction — append what is
 * new, apply what is committed, one fsync for all ranges. While it is in fsync the core gathers the next batch. */
#include "node/core/batch_write.h"

struct disk;

struct disk_options {
    struct batch_writer_options writer;
    /* On the disk's thread, when a batch is done; `batch->rc` and the entries' outcomes are set. */
    void (*on_done)(void *context, struct batch *batch);
    void *context;
};

struct disk_statistics {
    uint64_t batches;
    uint64_t entries;
    uint64_t failures;
    uint64_t write_us; /* time spent in write transactions, fsync included */
    size_t log_bytes;
    uint64_t log_next; /* batch_writer_log_next */
};

/* Opens the writer (batch_write.h). STATUS_STORAGE_FAILED, STATUS_RECORD_CORRUPT. */
int disk_start(const struct disk_options *options, struct disk **disk);
/* One batch at a time: the next only after on_done of the last. */
void disk_write(struct disk *disk, struct batch *batch);
/* Finishes the batch it has, then ends the thread. */
void disk_stop(struct disk *disk);
struct disk_statistics disk_statistics(struct disk *disk);
