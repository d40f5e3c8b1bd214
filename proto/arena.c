#include "proto/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/check.h"

/* Most operations need little, and thousands of them may be waiting at a time. */
#define ARENA_FIRST_CHUNK_BYTES 1024
#define ARENA_CHUNK_BYTES 8192
#define ARENA_ALIGNMENT 16

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    _Alignas(ARENA_ALIGNMENT) uint8_t memory[];
};

void arena_init(struct arena *arena) {
    *arena = (struct arena){0};
}

void arena_close(struct arena *arena) {
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    arena->used = 0;
}

void arena_reset(struct arena *arena) {
    struct arena_chunk *kept = arena->chunks;
    if (kept == NULL)
        return;
    arena->chunks = kept->next;
    arena_close(arena);
    if (kept->size <= ARENA_CHUNK_BYTES) {
        kept->next = NULL;
        arena->chunks = kept;
    } else {
        free(kept);
    }
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size) {
    check(size < SIZE_MAX / 2);
    size_t rounded = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (arena->chunks == NULL || arena->chunks->size - arena->used < rounded) {
        size_t usual = arena->chunks == NULL ? ARENA_FIRST_CHUNK_BYTES : ARENA_CHUNK_BYTES;
        size_t chunk_size = rounded > usual ? rounded : usual;
        struct arena_chunk *chunk = malloc(sizeof(*chunk) + chunk_size);
        check(chunk != NULL);
        chunk->size = chunk_size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->used = 0;
    }
    void *memory = arena->chunks->memory + arena->used;
    arena->used += rounded;
    memset(memory, 0, rounded);
    return memory;
}

struct bytes arena_copy(struct arena *arena, struct bytes value) {
    if (!bytes_is_present(value))
        return BYTES_ABSENT;
    uint8_t *copy = arena_alloc(arena, value.size + 1);
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    return bytes_of(copy, value.size);
}

char *arena_text(struct arena *arena, struct bytes value) {
    char *text = arena_alloc(arena, value.size + 1);
    if (value.size > 0)
        memcpy(text, value.data, value.size);
    return text;
}

struct bytes arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return bytes_of(text, (size_t)size);
}
