#pragma once
/* Which range a position of the ring belongs to: a pure value with a version, made of what is known of the ranges'
 * records. Ranges do not overlap; where none is known there is nobody. */
#include "proto/bounds.h"
#include "proto/ids.h"

#define CLUSTER_MAP_NOBODY UINT32_MAX

struct cluster_map_part {
    struct bounds bounds;
    uint32_t range;
};

struct cluster_map {
    uint64_t version; /* rises with every change */
    struct cluster_map_part *parts;
    size_t count; /* in the order of their positions */
    size_t capacity;
};

void cluster_map_init(struct cluster_map *map);
void cluster_map_close(struct cluster_map *map);

/* False: another range is known to have some of these positions. */
bool cluster_map_may_set(const struct cluster_map *map, uint32_t range, const struct bounds *bounds);
/* The range has these positions and no others; cluster_map_may_set must have said yes. */
void cluster_map_set(struct cluster_map *map, uint32_t range, const struct bounds *bounds);

/* CLUSTER_MAP_NOBODY: no range is known to have it. */
uint32_t cluster_map_range_at(const struct cluster_map *map, uint64_t position);
uint32_t cluster_map_range_of(const struct cluster_map *map, const struct id_hash *key);
/* True: the whole ring belongs to ranges that are known. */
bool cluster_map_is_whole(const struct cluster_map *map);
