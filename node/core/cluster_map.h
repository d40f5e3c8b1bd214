#pragma once
/* Who holds what: a pure value with a version. The hash ring of 2^64 positions is cut into equal ranges. With one node,
 * every range is its own. */
#include "proto/ids.h"

struct cluster_map {
    uint64_t version;
    uint32_t range_count;
};

void cluster_map_init(struct cluster_map *map, uint32_t range_count);
uint32_t cluster_map_range_of(const struct cluster_map *map, const struct id_hash *key);
