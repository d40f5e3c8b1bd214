#define _GNU_SOURCE /* O_TMPFILE, mkostemp */
#include "storage/snapshot_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/status.h"

int snapshot_spool_append(struct snapshot_spool *spool, struct bytes data) {
    return spool->methods->append(spool, data);
}

int snapshot_spool_read(struct snapshot_spool *spool, uint64_t offset, uint8_t *data, size_t size) {
    return spool->methods->read(spool, offset, data, size);
}

void snapshot_spool_close(struct snapshot_spool *spool) {
    spool->methods->close(spool);
}

/* ---- in memory ---- */

struct memory_spool {
    struct snapshot_spool spool;
    struct buffer data;
};

static int memory_append(struct snapshot_spool *spool, struct bytes data) {
    buffer_append_bytes(&((struct memory_spool *)spool)->data, data);
    return STATUS_OK;
}

static int memory_read(struct snapshot_spool *spool, uint64_t offset, uint8_t *data, size_t size) {
    const struct buffer *held = &((struct memory_spool *)spool)->data;
    if (offset > held->size || size > held->size - offset)
        return STATUS_STORAGE_FAILED;
    if (size > 0)
        memcpy(data, held->data + offset, size);
    return STATUS_OK;
}

static void memory_close(struct snapshot_spool *spool) {
    buffer_close(&((struct memory_spool *)spool)->data);
    free(spool);
}

static const struct snapshot_spool_methods memory_methods = {
    .append = memory_append, .read = memory_read, .close = memory_close};

struct snapshot_spool *snapshot_spool_memory(void) {
    struct memory_spool *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->spool.methods = &memory_methods;
    buffer_init(&self->data);
    return &self->spool;
}

/* ---- in a file ---- */

struct file_spool {
    struct snapshot_spool spool;
    int fd;
    uint64_t size;
};

static int status_of_errno(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? STATUS_STORAGE_FULL : STATUS_STORAGE_FAILED;
}

static int file_append(struct snapshot_spool *spool, struct bytes data) {
    struct file_spool *self = (struct file_spool *)spool;
    while (data.size > 0) {
        ssize_t written = pwrite(self->fd, data.data, data.size, (off_t)self->size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return status_of_errno();
        data = bytes_of(data.data + written, data.size - (size_t)written);
        self->size += (uint64_t)written;
    }
    return STATUS_OK;
}

static int file_read(struct snapshot_spool *spool, uint64_t offset, uint8_t *data, size_t size) {
    struct file_spool *self = (struct file_spool *)spool;
    if (offset > self->size || size > self->size - offset)
        return STATUS_STORAGE_FAILED;
    while (size > 0) {
        ssize_t got = pread(self->fd, data, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return STATUS_STORAGE_FAILED;
        data += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return STATUS_OK;
}

static void file_close(struct snapshot_spool *spool) {
    close(((struct file_spool *)spool)->fd);
    free(spool);
}

static const struct snapshot_spool_methods file_methods = {
    .append = file_append, .read = file_read, .close = file_close};

/* Not every file system has files without names: there the name is taken away at once. */
static int nameless_file_open(const char *folder) {
    char path[4096];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if (snprintf(path, sizeof(path), "%s/snapshot-XXXXXX", folder) >= (int)sizeof(path))
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int snapshot_spool_file(const char *folder, struct snapshot_spool **spool) {
    int fd = nameless_file_open(folder);
    if (fd < 0)
        return status_of_errno();
    struct file_spool *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->spool.methods = &file_methods;
    self->fd = fd;
    *spool = &self->spool;
    return STATUS_OK;
}
