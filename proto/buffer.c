#include "proto/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/check.h"

void buffer_init(struct buffer *buffer) {
    *buffer = (struct buffer){0};
}

void buffer_close(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size) {
    check(size < SIZE_MAX / 4);
    if (buffer->capacity - buffer->size < size) {
        size_t capacity = buffer->capacity == 0 ? 128 : buffer->capacity;
        while (capacity - buffer->size < size)
            capacity *= 2;
        buffer->data = realloc(buffer->data, capacity);
        check(buffer->data != NULL);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_added(struct buffer *buffer, size_t size) {
    check(buffer->capacity - buffer->size >= size);
    buffer->size += size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size) {
    if (size == 0)
        return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

void buffer_append_bytes(struct buffer *buffer, struct bytes value) {
    buffer_append(buffer, value.data, value.size);
}

void buffer_append_text(struct buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(size >= 0);
    char *text = (char *)buffer_reserve(buffer, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

struct bytes buffer_bytes(const struct buffer *buffer) {
    return bytes_of(buffer->data == NULL ? (const void *)"" : buffer->data, buffer->size);
}

uint8_t *buffer_take(struct buffer *buffer, size_t *size) {
    uint8_t *data = buffer->data;
    *size = buffer->size;
    *buffer = (struct buffer){0};
    return data;
}
