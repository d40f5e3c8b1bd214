#pragma once
/* The cluster map as workers look it up for every request: one writer, any number of readers, and no lock. A reader
 * that meets a change reads again. */
#include "node/core/cluster_map.h"

struct route_map;

struct route_map *route_map_new(void); /* of nothing; freed by free() */

/* By one worker at a time. */
void route_map_write(struct route_map *routes, const struct cluster_map *map);
/* Of the map that was written last; 0: none. For the one that writes. */
uint64_t route_map_version(const struct route_map *routes);

/* Which range has the position, or CLUSTER_MAP_NOBODY; `*turn` says of which moment that is. */
uint32_t route_map_find(const struct route_map *routes, uint64_t position, uint64_t *turn);
/* True: nothing has been written since that moment. */
bool route_map_is_unchanged(const struct route_map *routes, uint64_t turn);

/* True: the whole ring belongs to ranges, and each of them is as asked. */
bool route_map_all(const struct route_map *routes, bool (*is_so)(void *context, uint32_t range), void *context);
