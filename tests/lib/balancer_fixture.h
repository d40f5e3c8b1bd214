#pragma once
/* A map of nodes and ranges for the tests of the balancer, on which its wishes come true: at once, or step by step as
 * a range's primary does it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/balancer.h"

#define FIXTURE_NODES_MAX 300
#define FIXTURE_RANGES_MAX 4096

struct fixture {
    struct balancer_node nodes[FIXTURE_NODES_MAX];
    char zones[FIXTURE_NODES_MAX][16];
    size_t nodes_count;
    struct balancer_range ranges[FIXTURE_RANGES_MAX];
    size_t ranges_count;
    struct balancer_settings settings;
    uint64_t chance;
    struct arena arena;
    struct balancer_decision decision; /* the last */
    size_t calls, copies, hand_overs;  /* since fixture_begin */
};

static inline uint64_t fixture_below(struct fixture *fixture, uint64_t bound) {
    uint64_t z = fixture->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

/* `count` nodes with the ids 1, 2, ..., no ranges. */
static inline struct fixture *fixture_new(size_t count, uint64_t seed) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->chance = seed;
    fixture->settings = (struct balancer_settings){
        .factor = 3, .min_in_sync = 2, .moves_max = 4, .tolerance_percent = BALANCER_TOLERANCE_PERCENT};
    for (size_t i = 0; i < count; i++)
        fixture->nodes[fixture->nodes_count++] = (struct balancer_node){.id = i + 1, .is_alive = true};
    arena_init(&fixture->arena);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture) {
    arena_close(&fixture->arena);
    free(fixture);
}

static inline struct balancer_node *fixture_node(struct fixture *fixture, uint64_t id) {
    for (size_t i = 0; i < fixture->nodes_count; i++)
        if (fixture->nodes[i].id == id)
            return &fixture->nodes[i];
    return NULL;
}

static inline void fixture_join(struct fixture *fixture, uint64_t id) {
    fixture->nodes[fixture->nodes_count++] = (struct balancer_node){.id = id, .is_alive = true};
}

static inline void fixture_zone(struct fixture *fixture, uint64_t id, unsigned zone) {
    size_t at = (size_t)(fixture_node(fixture, id) - fixture->nodes);
    snprintf(fixture->zones[at], sizeof(fixture->zones[at]), "z%u", zone);
    fixture->nodes[at].zone = bytes_of_text(fixture->zones[at]);
}

/* It is away for good. */
static inline void fixture_lose(struct fixture *fixture, uint64_t id) {
    fixture_node(fixture, id)->is_alive = false;
    fixture_node(fixture, id)->is_gone = true;
}

/* A range that `count` nodes hold, the first of which leads. */
static inline struct balancer_range *fixture_range(struct fixture *fixture, const uint64_t *nodes, size_t count) {
    uint32_t id = (uint32_t)fixture->ranges_count;
    struct balancer_range *range = &fixture->ranges[fixture->ranges_count++];
    *range = (struct balancer_range){.record = {.range = id, .epoch = 1, .primary = nodes[0], .in_sync_count = count}};
    memcpy(range->record.in_sync, nodes, count * sizeof(nodes[0]));
    return range;
}

/* `count` ranges on the first `factor` nodes and so on, as a new cluster has them. */
static inline void fixture_ranges(struct fixture *fixture, size_t count, size_t nodes_count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t nodes[RANGE_REPLICAS_MAX] = {0};
        size_t factor = fixture->settings.factor < nodes_count ? fixture->settings.factor : nodes_count;
        for (size_t n = 0; n < factor; n++)
            nodes[n] = fixture->nodes[(i + n) % nodes_count].id;
        fixture_range(fixture, nodes, factor);
    }
}

static inline struct balancer_input fixture_input(const struct fixture *fixture) {
    return (struct balancer_input){.nodes = fixture->nodes,
                                   .nodes_count = fixture->nodes_count,
                                   .ranges = fixture->ranges,
                                   .ranges_count = fixture->ranges_count,
                                   .settings = fixture->settings};
}

static inline void fixture_next(struct fixture *fixture) {
    struct balancer_input input = fixture_input(fixture);
    arena_reset(&fixture->arena);
    balancer_next(&input, &fixture->arena, &fixture->decision);
    fixture->calls++;
}

/* The wishes of the last call are written. */
static inline void fixture_write(struct fixture *fixture) {
    for (size_t i = 0; i < fixture->decision.placements_count; i++) {
        const struct placement *placement = &fixture->decision.placements[i];
        fixture->ranges[placement->range].placement = *placement;
    }
}

static inline bool fixture_is_alive(struct fixture *fixture, uint64_t id) {
    const struct balancer_node *node = fixture_node(fixture, id);
    return node != NULL && node->is_alive;
}

static inline void fixture_remove(uint64_t *nodes, size_t *count, uint64_t id) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (nodes[i] != id)
            nodes[kept++] = nodes[i];
    *count = kept;
}

/* Somebody who is alive leads: the wished one if he can. */
static inline void fixture_lead(struct fixture *fixture, struct range_record *record, uint64_t wished) {
    uint64_t heir = record->primary;
    for (size_t i = 0; i < record->in_sync_count && !fixture_is_alive(fixture, heir); i++)
        heir = record->in_sync[i];
    if (range_record_has_in_sync(record, wished) && fixture_is_alive(fixture, wished))
        heir = wished;
    fixture->hand_overs += heir != record->primary;
    record->epoch += heir != record->primary;
    record->primary = heir;
}

/* The node is taken out of sync, and no more leads. */
static inline void fixture_fall_silent(struct fixture *fixture, struct balancer_range *range, uint64_t id) {
    struct range_record *record = &range->record;
    if (!range_record_has_in_sync(record, id) || record->in_sync_count == 1)
        return;
    fixture_remove(record->in_sync, &record->in_sync_count, id);
    record->learners[record->learners_count++] = id;
    fixture_lead(fixture, record, 0);
}

static inline bool fixture_make_room(struct fixture *fixture, struct range_record *record,
                                     const struct placement *wish) {
    fixture_lead(fixture, record, wish->primary);
    for (size_t i = 0; record->in_sync_count == RANGE_REPLICAS_MAX && i < RANGE_REPLICAS_MAX; i++) {
        uint64_t id = record->in_sync[i];
        if (!placement_has(wish, id) && id != record->primary)
            fixture_remove(record->in_sync, &record->in_sync_count, id);
    }
    return record->in_sync_count + record->learners_count < RANGE_REPLICAS_MAX;
}

/* A wished holder comes a step further: false when there is nothing to do for any. */
static inline bool fixture_copy(struct fixture *fixture, struct balancer_range *range) {
    struct range_record *record = &range->record;
    for (size_t i = 0; i < range->placement.holders_count; i++) {
        uint64_t id = range->placement.holders[i];
        if (range_record_has_in_sync(record, id) || !fixture_is_alive(fixture, id))
            continue;
        if (range_record_has_learner(record, id)) {
            fixture_remove(record->learners, &record->learners_count, id);
            record->in_sync[record->in_sync_count++] = id;
            fixture->copies++;
        } else if (fixture_make_room(fixture, record, &range->placement)) {
            record->learners[record->learners_count++] = id;
        } else {
            continue;
        }
        return true;
    }
    return false;
}

static inline void fixture_drop_learners(struct balancer_range *range) {
    struct range_record *record = &range->record;
    for (size_t i = record->learners_count; i-- > 0;)
        if (!placement_has(&range->placement, record->learners[i]))
            fixture_remove(record->learners, &record->learners_count, record->learners[i]);
}

static inline void fixture_drop(struct fixture *fixture, struct balancer_range *range) {
    struct range_record *record = &range->record;
    for (size_t i = 0; i < range->placement.holders_count; i++)
        if (!range_record_has_in_sync(record, range->placement.holders[i]))
            return;
    fixture_lead(fixture, record, range->placement.primary);
    for (size_t i = record->in_sync_count; i-- > 0;)
        if (!placement_has(&range->placement, record->in_sync[i]) && record->in_sync[i] != record->primary)
            fixture_remove(record->in_sync, &record->in_sync_count, record->in_sync[i]);
}

/* Nothing is wished of it: who learns it is taken in, or let go when silent. */
static inline void fixture_find_itself(struct fixture *fixture, struct range_record *record) {
    while (record->learners_count > 0) {
        uint64_t id = record->learners[--record->learners_count];
        if (fixture_is_alive(fixture, id))
            record->in_sync[record->in_sync_count++] = id;
    }
}

/* The range's primary does one thing for the wish, or everything. Without anybody alive who has it nothing happens. */
static inline void fixture_advance(struct fixture *fixture, struct balancer_range *range, bool is_whole) {
    size_t alive = 0;
    for (size_t i = 0; i < range->record.in_sync_count; i++)
        alive += fixture_is_alive(fixture, range->record.in_sync[i]);
    if (alive == 0)
        return;
    if (range->placement.holders_count == 0) {
        fixture_find_itself(fixture, &range->record);
        return;
    }
    fixture_drop_learners(range);
    while (fixture_copy(fixture, range))
        if (!is_whole)
            return;
    fixture_drop(fixture, range);
    fixture_lead(fixture, &range->record, range->placement.primary);
}

static inline void fixture_carry_out(struct fixture *fixture) {
    for (size_t i = 0; i < fixture->ranges_count; i++)
        if (fixture->ranges[i].placement.holders_count > 0 &&
            !placement_is_reached(&fixture->ranges[i].placement, &fixture->ranges[i].record))
            fixture_advance(fixture, &fixture->ranges[i], true);
}

static inline void fixture_begin(struct fixture *fixture) {
    fixture->calls = fixture->copies = fixture->hand_overs = 0;
}

/* Calls and carries out until nothing is left to do: false when `calls` do not suffice. */
static inline bool fixture_converge(struct fixture *fixture, size_t calls) {
    for (size_t i = 0; i < calls; i++) {
        fixture_next(fixture);
        if (fixture->decision.placements_count == 0)
            return true;
        fixture_write(fixture);
        fixture_carry_out(fixture);
    }
    return false;
}

/* How far the share of a node that may hold anything is from even at most: 0.15 is 15 %. */
static inline double fixture_unevenness(struct fixture *fixture) {
    double shares[FIXTURE_NODES_MAX] = {0};
    double worst = 0;
    size_t count = 0;
    struct balancer_input input = fixture_input(fixture);
    arena_reset(&fixture->arena);
    balancer_shares(&input, &fixture->arena, shares);
    for (size_t i = 0; i < fixture->nodes_count; i++)
        count += fixture->nodes[i].is_alive && !fixture->nodes[i].is_draining;
    for (size_t i = 0; i < fixture->nodes_count; i++) {
        double away = fabs(shares[i] * (double)count - 1);
        if (fixture->nodes[i].is_alive && !fixture->nodes[i].is_draining && away > worst)
            worst = away;
    }
    return worst;
}

static inline size_t fixture_copies_on(const struct fixture *fixture, uint64_t node) {
    size_t count = 0;
    for (size_t i = 0; i < fixture->ranges_count; i++)
        count += range_record_has_in_sync(&fixture->ranges[i].record, node) ||
                 range_record_has_learner(&fixture->ranges[i].record, node);
    return count;
}
