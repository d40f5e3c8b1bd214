#pragma once
/* A borrowed run of bytes: text or binary, never owned, never NUL-terminated by promise. Used wherever something is
 * read but not kept. `data == NULL` means "absent", which is not the same as empty. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(const uint8_t *)("" text), sizeof(text) - 1})
#define BYTES_ABSENT ((struct bytes){NULL, 0})
/* For printf's "%.*s". */
#define BYTES_ARG(b) (int)(b).size, (const char *)(b).data

static inline struct bytes bytes_of(const void *data, size_t size) {
    return (struct bytes){(const uint8_t *)data, size};
}

/* NULL gives an absent value. */
static inline struct bytes bytes_of_text(const char *text) {
    return text == NULL ? BYTES_ABSENT : bytes_of(text, strlen(text));
}

static inline bool bytes_is_present(struct bytes b) {
    return b.data != NULL;
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_equal_text(struct bytes a, const char *text) {
    return bytes_equal(a, bytes_of_text(text));
}

static inline bool bytes_starts_with(struct bytes b, const char *prefix) {
    size_t size = strlen(prefix);
    return b.size >= size && (size == 0 || memcmp(b.data, prefix, size) == 0);
}
