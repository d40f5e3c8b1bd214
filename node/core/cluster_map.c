#include "node/core/cluster_map.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define CAPACITY_AT_FIRST 64

void cluster_map_init(struct cluster_map *map) {
    *map = (struct cluster_map){.version = 1};
}

void cluster_map_close(struct cluster_map *map) {
    free(map->parts);
    *map = (struct cluster_map){0};
}

/* How many parts begin at the position or before it. */
static size_t begun_at(const struct cluster_map *map, uint64_t position) {
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->parts[middle].bounds.first <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool cluster_map_may_set(const struct cluster_map *map, uint32_t range, const struct bounds *bounds) {
    for (size_t i = begun_at(map, bounds->last); i > 0 && map->parts[i - 1].bounds.last >= bounds->first; i--)
        if (map->parts[i - 1].range != range)
            return false;
    return true;
}

static size_t index_of(const struct cluster_map *map, uint32_t range) {
    size_t i = 0;
    while (i < map->count && map->parts[i].range != range)
        i++;
    return i;
}

static void part_remove(struct cluster_map *map, size_t i) {
    map->count--;
    memmove(&map->parts[i], &map->parts[i + 1], (map->count - i) * sizeof(*map->parts));
}

static void part_insert(struct cluster_map *map, const struct cluster_map_part *part) {
    size_t at = begun_at(map, part->bounds.first);
    if (map->count == map->capacity) {
        map->capacity = map->capacity == 0 ? CAPACITY_AT_FIRST : map->capacity * 2;
        map->parts = realloc(map->parts, map->capacity * sizeof(*map->parts));
        check(map->parts != NULL);
    }
    memmove(&map->parts[at + 1], &map->parts[at], (map->count - at) * sizeof(*map->parts));
    map->parts[at] = *part;
    map->count++;
}

void cluster_map_set(struct cluster_map *map, uint32_t range, const struct bounds *bounds) {
    size_t i = index_of(map, range);
    check(bounds->first <= bounds->last && cluster_map_may_set(map, range, bounds));
    if (i < map->count && bounds_equal(&map->parts[i].bounds, bounds))
        return;
    if (i < map->count)
        part_remove(map, i);
    part_insert(map, &(struct cluster_map_part){.bounds = *bounds, .range = range});
    map->version++;
}

uint32_t cluster_map_range_at(const struct cluster_map *map, uint64_t position) {
    size_t begun = begun_at(map, position);
    const struct cluster_map_part *part = begun == 0 ? NULL : &map->parts[begun - 1];
    return part == NULL || part->bounds.last < position ? CLUSTER_MAP_NOBODY : part->range;
}

uint32_t cluster_map_range_of(const struct cluster_map *map, const struct id_hash *key) {
    return cluster_map_range_at(map, id_hash_position(key));
}

bool cluster_map_is_whole(const struct cluster_map *map) {
    for (size_t i = 0; i < map->count; i++)
        if (map->parts[i].bounds.first != (i == 0 ? 0 : map->parts[i - 1].bounds.last + 1))
            return false;
    return map->count > 0 && map->parts[map->count - 1].bounds.last == UINT64_MAX;
}
