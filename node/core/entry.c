#include "node/core/entry.h"

#include <stdlib.h>

#include "proto/check.h"

struct entry *entry_new(enum entry_origin origin) {
    struct entry *entry = calloc(1, sizeof(*entry));
    check(entry != NULL);
    entry->origin = origin;
    arena_init(&entry->arena);
    return entry;
}

void entry_free(struct entry *entry) {
    arena_close(&entry->arena);
    free(entry);
}
