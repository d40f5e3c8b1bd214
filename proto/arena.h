#pragma once
/* Memory that lives as long as one operation: a request being answered, a command being applied, a page being listed.
 * Everything is given back at once by arena_close. Not thread-safe. Out of memory ends the process. */
#include "proto/bytes.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;
    size_t used; /* bytes used in the newest chunk */
};

void arena_init(struct arena *arena);
void arena_close(struct arena *arena);

/* Gives everything back but keeps the arena usable. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type. Never NULL. Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy that lives as long as the arena. An absent value stays absent. A NUL is put behind the copy. */
struct bytes arena_copy(struct arena *arena, struct bytes value);

/* The same as a C string; "" for an absent value. */
char *arena_text(struct arena *arena, struct bytes value);

struct bytes arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))
