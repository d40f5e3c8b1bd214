#include "node/core/metadata.h"

static bool is_removal(const struct metadata_pair *pair) {
    return pair->value.size == 0;
}

static const struct metadata_pair *pair_find(const struct metadata *metadata, struct bytes key) {
    for (size_t i = 0; i < metadata->count; i++)
        if (bytes_equal(metadata->pairs[i].key, key))
            return &metadata->pairs[i];
    return NULL;
}

struct metadata metadata_merge(struct arena *arena, const struct metadata *stored, const struct metadata *patch) {
    struct metadata merged = {0};
    if (!patch->is_present)
        return *stored;
    merged.pairs = ARENA_NEW_ARRAY(arena, struct metadata_pair, stored->count + patch->count);
    for (size_t i = 0; i < stored->count && !patch->is_cleared; i++)
        if (pair_find(patch, stored->pairs[i].key) == NULL)
            merged.pairs[merged.count++] = stored->pairs[i];
    for (size_t i = 0; i < patch->count; i++)
        if (!is_removal(&patch->pairs[i]))
            merged.pairs[merged.count++] = patch->pairs[i];
    merged.is_present = merged.count > 0;
    return merged;
}

size_t metadata_size(const struct metadata *metadata) {
    size_t size = 0;
    for (size_t i = 0; i < metadata->count; i++)
        size += metadata->pairs[i].key.size + metadata->pairs[i].value.size;
    return size;
}

struct metadata metadata_copy(struct arena *arena, const struct metadata *metadata) {
    struct metadata copy = *metadata;
    copy.pairs = ARENA_NEW_ARRAY(arena, struct metadata_pair, metadata->count);
    for (size_t i = 0; i < metadata->count; i++) {
        copy.pairs[i].key = arena_copy(arena, metadata->pairs[i].key);
        copy.pairs[i].value = arena_copy(arena, metadata->pairs[i].value);
    }
    return copy;
}
