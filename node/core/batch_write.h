#pragma once
/* What the one writer of the store does with a batch: all of it in one transaction, or nothing. No thread and no clock:
 * node/disk.c runs it on its own thread, the simulator in its own time. One batch at a time. */
#include "node/core/batch.h"

struct batch_writer;

struct batch_writer_options {
    struct store *store; /* borrowed, as everything here */
    const struct seal_key *master;
    const uint8_t *hash_key;
    uint32_t range_count;  /* that there may be in the end */
    size_t log_bytes_kept; /* applied entries beyond it are trimmed; 0: LIMIT_LOG_BYTES_KEPT */
};

/* Reads how far the ranges have come and where the log ends. STATUS_STORAGE_FAILED, STATUS_RECORD_CORRUPT. */
int batch_writer_open(const struct batch_writer_options *options, struct batch_writer **writer);
void batch_writer_close(struct batch_writer *writer);

/* Sets the outcomes of what is applied, what takings say, and `batch->rc`: durable when it is 0, nothing was done else
 * (STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED). */
void batch_write(struct batch_writer *writer, struct batch *batch);

/* The number of the next record of the log. Everything below has been on the disk, and it never falls, not even over a
 * restart. */
uint64_t batch_writer_log_next(const struct batch_writer *writer);

/* How many bytes the records of the log take. */
size_t batch_writer_log_bytes(const struct batch_writer *writer);
