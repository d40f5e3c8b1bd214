#include "node/core/cluster_map.h"

#include "proto/check.h"

void cluster_map_init(struct cluster_map *map, uint32_t range_count) {
    check(range_count > 0);
    *map = (struct cluster_map){.version = 1, .range_count = range_count};
}

uint32_t cluster_map_range_of(const struct cluster_map *map, const struct id_hash *key) {
    return (uint32_t)((unsigned __int128)id_hash_position(key) * map->range_count >> 64);
}
