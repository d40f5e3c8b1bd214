#include "node/core/entry.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"

struct entry *entry_new(enum entry_origin origin) {
    struct entry *entry = calloc(1, sizeof(*entry));
    check(entry != NULL);
    entry->origin = origin;
    arena_init(&entry->arena);
    return entry;
}

/* The encoding is the one deep copy that knows every field. */
void entry_command_copy(struct entry *entry, const struct command *command) {
    struct buffer encoded;
    buffer_init(&encoded);
    command_encode(command, &encoded);
    struct bytes copy = arena_copy(&entry->arena, buffer_bytes(&encoded));
    buffer_close(&encoded);
    check(command_decode(copy, &entry->arena, &entry->command) == STATUS_OK);
}

struct entry *entry_new_own(const struct command *command) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->is_let_go = true;
    entry_command_copy(entry, command);
    return entry;
}

void entry_free(struct entry *entry) {
    arena_close(&entry->arena);
    free(entry);
}
