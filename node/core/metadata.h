#pragma once
/* Merging of metadata (RFC 7396 on a flat map of strings; contract open question 17): null or an empty string removes a
 * key, `metadata: null` removes all. */
#include "proto/arena.h"
#include "proto/chat.h"

struct metadata metadata_merge(struct arena *arena, const struct metadata *stored, const struct metadata *patch);

/* Bytes of all keys and values. */
size_t metadata_size(const struct metadata *metadata);

/* A deep copy into the arena. */
struct metadata metadata_copy(struct arena *arena, const struct metadata *metadata);
