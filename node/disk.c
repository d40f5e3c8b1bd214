#include "node/disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "node/core/apply.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/range_log.h"

/* Beyond as many as a batch adds, so that a log that grew too large shrinks, but no batch waits for long. */
#define TRIM_RECORDS_BESIDE 500
/* A trim takes this share more than it must: it writes a row for each range whose marks it takes, so small batches had
 * better not trim each time. */
#define TRIM_SHARE_BESIDE 64

struct disk {
    struct disk_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    struct batch *batch; /* waiting to be taken */
    bool is_stopping;
    uint64_t next_number;
    size_t log_bytes;
    struct buffer encoded;
    struct disk_statistics statistics;
};

static int64_t monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int entry_append(struct disk *disk, struct store_transaction *transaction, struct entry *entry, uint64_t number,
                        size_t *bytes) {
    disk->encoded.size = 0;
    command_encode(&entry->command, &disk->encoded);
    return range_log_append(transaction, disk->options.master, number, &entry->place, &entry->command.subject,
                            entry->command.wrapped_key, buffer_bytes(&disk->encoded), bytes);
}

/* The highest index of each range that a batch applies, to be written as marks once. */
static void touch(struct range_marks_of *touched, size_t *count, const struct log_place *place) {
    size_t i = 0;
    while (i < *count && touched[i].range != place->range)
        i++;
    if (i == *count)
        (*count)++;
    touched[i] = (struct range_marks_of){.range = place->range, .epoch = place->epoch, .applied = place->index};
}

/* `log_bytes`: with what the batch has appended. */
static int log_trim(const struct disk *disk, struct store_transaction *transaction, size_t log_bytes,
                    size_t records_appended, size_t *trimmed_bytes) {
    size_t kept = disk->options.log_bytes_kept;
    *trimmed_bytes = 0;
    if (log_bytes <= kept)
        return STATUS_OK;
    return range_log_trim(transaction, disk->options.master, log_bytes - kept + kept / TRIM_SHARE_BESIDE,
                          records_appended + TRIM_RECORDS_BESIDE, trimmed_bytes);
}

/* All of the batch in one transaction, or nothing of it. */
static int batch_write(struct disk *disk, struct batch *batch) {
    struct store_transaction *transaction = NULL;
    struct range_marks_of *touched = ARENA_NEW_ARRAY(&batch->arena, struct range_marks_of, batch->count);
    struct apply_context context = {
        .arena = &batch->arena, .master = disk->options.master, .hash_key = disk->options.hash_key};
    size_t touched_count = 0;
    size_t appended_bytes = 0;
    size_t marks_bytes = 0;
    size_t trimmed_bytes = 0;
    uint64_t number = disk->next_number;
    int rc = batch->is_removal ? store_begin_remove(disk->options.store, &transaction)
                               : store_begin_write(disk->options.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    context.transaction = transaction;
    for (size_t i = 0; i < batch->count && rc == STATUS_OK; i++) {
        struct batch_item *item = &batch->items[i];
        size_t bytes = 0;
        if (item->is_append)
            rc = entry_append(disk, transaction, item->entry, number++, &bytes);
        appended_bytes += bytes;
        if (rc == STATUS_OK && item->is_apply) {
            touch(touched, &touched_count, &item->entry->place);
            rc = command_apply(&context, &item->entry->command, &item->entry->outcome);
        }
    }
    if (rc == STATUS_OK)
        rc = range_log_append_marks(transaction, disk->options.master, &number, touched, touched_count, &marks_bytes);
    appended_bytes += marks_bytes;
    if (rc == STATUS_OK)
        rc = log_trim(disk, transaction, disk->log_bytes + appended_bytes, number - disk->next_number, &trimmed_bytes);
    if (rc != STATUS_OK && rc != STATUS_STORAGE_FULL) {
        store_abort(transaction);
        return STATUS_STORAGE_FAILED;
    }
    /* A commit after a refused write fails with that write's status, and lets the map grow. */
    rc = store_commit(transaction);
    if (rc == STATUS_OK) {
        disk->next_number = number;
        disk->log_bytes += appended_bytes - trimmed_bytes;
    }
    return rc;
}

static void batch_perform(struct disk *disk, struct batch *batch) {
    int64_t started_us = monotonic_us();
    do
        batch->rc = batch_write(disk, batch);
    while (batch->rc == STATUS_SERVICE_UNAVAILABLE); /* each time the store's map has doubled */
    pthread_mutex_lock(&disk->mutex);
    disk->statistics.batches++;
    disk->statistics.entries += batch->count;
    disk->statistics.failures += batch->rc != STATUS_OK;
    disk->statistics.write_us += (uint64_t)(monotonic_us() - started_us);
    disk->statistics.log_bytes = disk->log_bytes;
    pthread_mutex_unlock(&disk->mutex);
}

static struct batch *batch_take(struct disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    while (disk->batch == NULL && !disk->is_stopping)
        pthread_cond_wait(&disk->wakeup, &disk->mutex);
    struct batch *batch = disk->batch;
    disk->batch = NULL;
    pthread_mutex_unlock(&disk->mutex);
    return batch;
}

static void *disk_run(void *argument) {
    struct disk *disk = argument;
    struct batch *batch;
    while ((batch = batch_take(disk)) != NULL) {
        batch_perform(disk, batch);
        disk->options.on_done(disk->options.context, batch);
    }
    return NULL;
}

static int log_end_find(struct disk *disk) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(disk->options.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = range_log_next_number(transaction, &disk->next_number);
    if (rc == STATUS_OK)
        rc = range_log_size(transaction, &disk->log_bytes);
    store_abort(transaction);
    return rc;
}

int disk_start(const struct disk_options *options, struct disk **out) {
    struct disk *disk = calloc(1, sizeof(*disk));
    check(disk != NULL);
    disk->options = *options;
    if (disk->options.log_bytes_kept == 0)
        disk->options.log_bytes_kept = LIMIT_LOG_BYTES_KEPT;
    buffer_init(&disk->encoded);
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_cond_init(&disk->wakeup, NULL);
    int rc = log_end_find(disk);
    if (rc == STATUS_OK && pthread_create(&disk->thread, NULL, disk_run, disk) != 0)
        rc = STATUS_INTERNAL_ERROR;
    if (rc != STATUS_OK) {
        pthread_cond_destroy(&disk->wakeup);
        pthread_mutex_destroy(&disk->mutex);
        free(disk);
        return rc;
    }
    *out = disk;
    return STATUS_OK;
}

void disk_write(struct disk *disk, struct batch *batch) {
    pthread_mutex_lock(&disk->mutex);
    check(disk->batch == NULL);
    disk->batch = batch;
    pthread_cond_signal(&disk->wakeup);
    pthread_mutex_unlock(&disk->mutex);
}

void disk_stop(struct disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    disk->is_stopping = true;
    pthread_cond_signal(&disk->wakeup);
    pthread_mutex_unlock(&disk->mutex);
    pthread_join(disk->thread, NULL);
    pthread_cond_destroy(&disk->wakeup);
    pthread_mutex_destroy(&disk->mutex);
    buffer_close(&disk->encoded);
    free(disk);
}

struct disk_statistics disk_statistics(struct disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    struct disk_statistics statistics = disk->statistics;
    pthread_mutex_unlock(&disk->mutex);
    return statistics;
}
