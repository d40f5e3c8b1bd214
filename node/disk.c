#include "node/disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "proto/check.h"
#include "proto/status.h"

struct disk {
    struct disk_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    struct batch *batch; /* waiting to be taken */
    bool is_stopping;
    struct batch_writer *writer;
    struct disk_statistics statistics;
};

static int64_t monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void position_note(struct disk *disk) {
    disk->statistics.log_bytes = batch_writer_log_bytes(disk->writer);
    disk->statistics.log_next = batch_writer_log_next(disk->writer);
}

static void batch_perform(struct disk *disk, struct batch *batch) {
    int64_t started_us = monotonic_us();
    batch_write(disk->writer, batch);
    pthread_mutex_lock(&disk->mutex);
    disk->statistics.batches++;
    disk->statistics.entries += batch->count;
    disk->statistics.failures += batch->rc != STATUS_OK;
    disk->statistics.write_us += (uint64_t)(monotonic_us() - started_us);
    position_note(disk);
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

static void disk_dispose(struct disk *disk) {
    pthread_cond_destroy(&disk->wakeup);
    pthread_mutex_destroy(&disk->mutex);
    batch_writer_close(disk->writer);
    free(disk);
}

int disk_start(const struct disk_options *options, struct disk **out) {
    struct disk *disk = calloc(1, sizeof(*disk));
    check(disk != NULL);
    disk->options = *options;
    int rc = batch_writer_open(&options->writer, &disk->writer);
    if (rc != STATUS_OK) {
        free(disk);
        return rc;
    }
    position_note(disk);
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_cond_init(&disk->wakeup, NULL);
    if (pthread_create(&disk->thread, NULL, disk_run, disk) != 0) {
        disk_dispose(disk);
        return STATUS_INTERNAL_ERROR;
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
    disk_dispose(disk);
}

struct disk_statistics disk_statistics(struct disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    struct disk_statistics statistics = disk->statistics;
    pthread_mutex_unlock(&disk->mutex);
    return statistics;
}
