#include "node/route_map.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"

struct route {
    _Atomic uint64_t first;
    _Atomic uint64_t last;
    _Atomic uint32_t range;
};

/* Even: it can be read; odd: it is being written. Every load is an acquire one, so that none is done after the turn has
 * been looked at again. */
struct route_map {
    _Atomic uint64_t turn;
    uint64_t version;
    _Atomic uint32_t count;
    struct route routes[LIMIT_RANGES_MAX];
};

struct route_map *route_map_new(void) {
    struct route_map *self = calloc(1, sizeof(*self));
    check(self != NULL);
    return self;
}

static void route_write(struct route *route, const struct cluster_map_part *part) {
    atomic_store_explicit(&route->first, part->bounds.first, memory_order_release);
    atomic_store_explicit(&route->last, part->bounds.last, memory_order_release);
    atomic_store_explicit(&route->range, part->range, memory_order_release);
}

void route_map_write(struct route_map *self, const struct cluster_map *map) {
    check(map->count <= LIMIT_RANGES_MAX);
    atomic_fetch_add(&self->turn, 1);
    for (size_t i = 0; i < map->count; i++)
        route_write(&self->routes[i], &map->parts[i]);
    atomic_store_explicit(&self->count, (uint32_t)map->count, memory_order_release);
    self->version = map->version;
    atomic_fetch_add(&self->turn, 1);
}

uint64_t route_map_version(const struct route_map *self) {
    return self->version;
}

static uint64_t first_of(const struct route_map *self, uint32_t i) {
    return atomic_load_explicit(&self->routes[i].first, memory_order_acquire);
}

static uint64_t last_of(const struct route_map *self, uint32_t i) {
    return atomic_load_explicit(&self->routes[i].last, memory_order_acquire);
}

static uint32_t count_of(const struct route_map *self) {
    return atomic_load_explicit(&self->count, memory_order_acquire);
}

static uint32_t find(const struct route_map *self, uint64_t position) {
    uint32_t low = 0;
    uint32_t high = count_of(self);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (first_of(self, middle) <= position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || last_of(self, low - 1) < position)
        return CLUSTER_MAP_NOBODY;
    return atomic_load_explicit(&self->routes[low - 1].range, memory_order_acquire);
}

/* A write takes microseconds, unless its worker has to wait for a processor. */
static uint64_t turn_await(const struct route_map *self) {
    uint64_t turn;
    while ((turn = atomic_load_explicit(&self->turn, memory_order_acquire)) % 2 != 0)
        sched_yield();
    return turn;
}

bool route_map_is_unchanged(const struct route_map *self, uint64_t turn) {
    return atomic_load_explicit(&self->turn, memory_order_acquire) == turn;
}

uint32_t route_map_find(const struct route_map *self, uint64_t position, uint64_t *turn) {
    uint32_t range;
    do {
        *turn = turn_await(self);
        range = find(self, position);
    } while (!route_map_is_unchanged(self, *turn));
    return range;
}

static bool all(const struct route_map *self, bool (*is_so)(void *context, uint32_t range), void *context) {
    uint32_t count = count_of(self);
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t range = atomic_load_explicit(&self->routes[i].range, memory_order_acquire);
        if (first_of(self, i) != next || !is_so(context, range))
            return false;
        next = last_of(self, i) + 1;
    }
    return count > 0 && next == 0;
}

bool route_map_all(const struct route_map *self, bool (*is_so)(void *context, uint32_t range), void *context) {
    uint64_t turn;
    bool are_so;
    do {
        turn = turn_await(self);
        are_so = all(self, is_so, context);
    } while (!route_map_is_unchanged(self, turn));
    return are_so;
}
