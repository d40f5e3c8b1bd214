#pragma once
/* A growing run of bytes that its holder owns. Used where something is built piece by piece: frames, bodies, records.
 * Not thread-safe. Out of memory ends the process. */
#include "proto/bytes.h"

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_close(struct buffer *buffer);

/* Room for `size` more bytes; returns where they go. Follow with buffer_added. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_added(struct buffer *buffer, size_t size);

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_bytes(struct buffer *buffer, struct bytes value);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Borrowed until the next change of the buffer. Present even when empty. */
struct bytes buffer_bytes(const struct buffer *buffer);

/* The memory goes to the caller, who frees it with free(); the buffer is empty again. */
uint8_t *buffer_take(struct buffer *buffer, size_t *size);
