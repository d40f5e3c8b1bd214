#pragma once
/* A secret that the operator has put into a file: the first line of it. */
#include "proto/arena.h"

/* In the arena, without the line's end. STATUS_CONFLICT: the line has fewer than `characters_min` characters or more
 * than 1024, or others than the file's owner may read it; STATUS_STORAGE_FAILED: it cannot be read. `reason` says what,
 * in static or errno text. */
int secret_line_read(const char *path, size_t characters_min, struct arena *arena, struct bytes *line,
                     const char **reason);
