/* Somebody wishes who should hold ranges and lead them, without much thought: moves them about, changes his mind in the
 * middle, takes it back, names nodes that are down or lost. */
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "tests/sim/world.h"

#define HOLDERS_MAX 4

static struct wishes *wishes_of(struct world *world, uint32_t range) {
    return &world->coordinator.wishes[range];
}

const struct placement *wishes_last(const struct world *world, uint32_t range) {
    static const struct placement nothing;
    const struct wishes *wishes = &world->coordinator.wishes[range];
    return wishes->count == 0 ? &nothing : &wishes->items[wishes->count - 1];
}

static void tell(struct world *world, const struct machine *machine, uint32_t range) {
    struct told_placement *told = calloc(1, sizeof(*told));
    check(told != NULL);
    told->placement = *wishes_last(world, range);
    told->placement.range = range;
    told->version = wishes_of(world, range)->version;
    world_plan(
        world, coordinator_delay(world),
        &(struct happening){.kind = HAPPEN_PLACEMENT, .machine = machine->number, .life = machine->life, .data = told});
}

void wishes_on_list(struct world *world, struct machine *machine) {
    for (uint32_t i = 0; i < world->range_count; i++)
        if (wishes_of(world, i)->count > 0)
            tell(world, machine, i);
}

/* ---- one wish ---- */

static void wish_say(const struct world *world, const struct placement *placement) {
    char line[128];
    int at = 0;
    line[0] = '\0';
    for (size_t i = 0; i < placement->holders_count; i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, " %llu", (unsigned long long)placement->holders[i]);
    world_say(world, "wished for range %u: primary %llu of%s", placement->range, (unsigned long long)placement->primary,
              at == 0 ? " anybody" : line);
}

static void wish(struct world *world, const struct placement *placement) {
    struct wishes *wishes = wishes_of(world, placement->range);
    const struct range_record *record = &world->coordinator.records[placement->range];
    if (wishes->count == wishes->capacity) {
        wishes->capacity = wishes->capacity == 0 ? 16 : wishes->capacity * 2;
        wishes->items = realloc(wishes->items, wishes->capacity * sizeof(*wishes->items));
        check(wishes->items != NULL);
    }
    world->statistics.faults[placement->holders_count > 0 ? FAULT_WISH : FAULT_WISH_GONE]++;
    for (size_t i = 0; i < record->learners_count && placement->holders_count > 0; i++)
        world->statistics.faults[FAULT_LEARNING_ENDED] += !placement_has(placement, record->learners[i]);
    wishes->items[wishes->count++] = *placement;
    wishes->version = ++world->coordinator.revision;
    wish_say(world, placement);
    strikes_on_wish(world, placement);
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up && coordinator_reaches(world, &world->machines[i]))
            tell(world, &world->machines[i], placement->range);
}

bool wishes_swap(struct world *world, const struct placement *placement, uint64_t version) {
    struct buffer encoded;
    struct placement decoded;
    if (wishes_of(world, placement->range)->version != version)
        return false;
    buffer_init(&encoded);
    placement_encode(placement, &encoded);
    if (placement_decode(buffer_bytes(&encoded), &decoded) != STATUS_OK)
        world_fail(world, "the balancer wishes of range %u what is no placement", placement->range);
    buffer_close(&encoded);
    wish(world, &decoded);
    return true;
}

/* Seldom one that is lost. */
static uint64_t any_node(struct world *world) {
    for (;;) {
        const struct machine *machine = &world->machines[chance_below(&world->chance, world->machines_count)];
        if (machine->is_there || (!world->is_calm && chance_below(&world->chance, 20) == 0))
            return machine->id;
    }
}

static size_t nodes_there(const struct world *world) {
    size_t count = 0;
    for (unsigned i = 0; i < world->machines_count; i++)
        count += world->machines[i].is_there;
    return count;
}

static void holders_fill(struct world *world, struct placement *placement, size_t count) {
    while (placement->holders_count < count) {
        uint64_t node = any_node(world);
        if (!placement_has(placement, node))
            placement->holders[placement->holders_count++] = node;
    }
}

static void primary_choose(struct world *world, struct placement *placement) {
    size_t which = (size_t)chance_below(&world->chance, placement->holders_count + 1);
    placement->primary = which == placement->holders_count ? 0 : placement->holders[which];
}

/* Most moves take one copy from here to there. */
static void replace_one(struct world *world, struct placement *placement) {
    const struct range_record *record = &world->coordinator.records[placement->range];
    size_t gone = (size_t)chance_below(&world->chance, record->in_sync_count);
    for (size_t i = 0; i < record->in_sync_count && placement->holders_count < HOLDERS_MAX; i++)
        if (i != gone && world_machine(world, record->in_sync[i])->is_there)
            placement->holders[placement->holders_count++] = record->in_sync[i];
}

static struct placement wish_choose(struct world *world, uint32_t range) {
    struct placement placement = {.range = range};
    size_t most = nodes_there(world) < HOLDERS_MAX ? nodes_there(world) : HOLDERS_MAX;
    size_t least = world->is_calm || chance_below(&world->chance, 10) > 0 ? world->min_in_sync : 1;
    size_t count = (size_t)chance_between(&world->chance, (int64_t)least, (int64_t)most);
    if (chance_below(&world->chance, 2) == 0)
        replace_one(world, &placement);
    holders_fill(world, &placement, count);
    primary_choose(world, &placement);
    return placement;
}

/* As somebody does who stops a move: where it is now it shall stay. */
static struct placement wish_to_stay(const struct world *world, uint32_t range) {
    const struct range_record *record = &world->coordinator.records[range];
    struct placement placement = {.range = range, .primary = record->primary, .holders_count = record->in_sync_count};
    memcpy(placement.holders, record->in_sync, sizeof(placement.holders));
    return placement;
}

/* And as somebody does who is not sure: what was wished before, again. */
static struct placement wish_again(struct world *world, uint32_t range) {
    const struct wishes *wishes = wishes_of(world, range);
    return wishes->count < 2 ? wish_choose(world, range) : wishes->items[wishes->count - 2];
}

static void plan(struct world *world) {
    int64_t most_us = world->coordinator.wish_us_max;
    if (most_us > 0 && chance_below(&world->chance, 4) == 0)
        most_us = SECOND_US;
    if (most_us > 0)
        world_plan(world, chance_between(&world->chance, 10000, most_us), &(struct happening){.kind = HAPPEN_WISH});
}

void wishes_on_turn(struct world *world) {
    uint32_t range = (uint32_t)chance_below(&world->chance, world->range_count);
    struct placement placement = {.range = range};
    if (world->is_calm)
        return;
    plan(world);
    if (!world->coordinator.is_up || world->coordinator.records[range].epoch == 0)
        return;
    uint64_t what = chance_below(&world->chance, 10);
    if (what == 0 && world->coordinator.records[range].in_sync_count >= world->min_in_sync)
        placement = wish_to_stay(world, range);
    else if (what < 4)
        placement = wish_again(world, range);
    else if (what > 4)
        placement = wish_choose(world, range);
    wish(world, &placement);
}

/* In some worlds nobody wishes anything, in some often, before it was ever reached. */
void wishes_begin(struct world *world) {
    if (chance_below(&world->chance, 4) > 0)
        world->coordinator.wish_us_max = chance_between(&world->chance, 1, 16) * SECOND_US / 2;
    /* A balancer has to come to an end now and then, and puts right what else is wished. */
    if (world->balancing != NULL)
        world->coordinator.wish_us_max *= chance_below(&world->chance, 2) == 0 ? 0 : 4;
    plan(world);
}

void wishes_free(struct world *world) {
    for (uint32_t i = 0; i < RANGES_MAX; i++)
        free(world->coordinator.wishes[i].items);
}

static bool can_be_had(struct world *world, const struct placement *placement) {
    for (size_t i = 0; i < placement->holders_count; i++)
        if (!world_machine(world, placement->holders[i])->is_there)
            return false;
    return placement->holders_count >= world->min_in_sync;
}

void wishes_settle(struct world *world) {
    for (uint32_t i = 0; world->balancing == NULL && i < world->range_count; i++) {
        struct placement placement = *wishes_last(world, i);
        if (world->coordinator.records[i].epoch == 0 || placement.holders_count == 0 ||
            (can_be_had(world, &placement) && chance_below(&world->chance, 2) == 0))
            continue;
        placement = wish_choose(world, i);
        wish(world, &placement);
    }
}

static size_t without_lost(struct world *world, uint64_t *nodes, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (world_machine(world, nodes[i])->is_there)
            nodes[kept++] = nodes[i];
    return kept;
}

bool wishes_are_reached(struct world *world, uint32_t range) {
    struct placement placement = *wishes_last(world, range);
    struct range_record record = world->coordinator.records[range];
    if (placement.holders_count == 0)
        return true;
    placement.holders_count = without_lost(world, placement.holders, placement.holders_count);
    record.learners_count = without_lost(world, record.learners, record.learners_count);
    return placement_is_reached(&placement, &record);
}

/* ---- what may become of the record ---- */

static bool is_named(const struct range_record *record, uint64_t node) {
    return range_record_has_in_sync(record, node) || range_record_has_learner(record, node);
}

static bool all_are_in_sync(const struct placement *placement, const struct range_record *record) {
    for (size_t i = 0; i < placement->holders_count; i++)
        if (!range_record_has_in_sync(record, placement->holders[i]))
            return false;
    return placement->holders_count > 0;
}

/* Whichever it was that the node knew. */
static bool a_wish_is_in_sync(struct world *world, const struct range_record *record) {
    const struct wishes *wishes = wishes_of(world, record->range);
    for (size_t i = 0; i < wishes->count; i++)
        if (all_are_in_sync(&wishes->items[i], record))
            return true;
    return record->in_sync_count == RANGE_REPLICAS_MAX - 1;
}

void wishes_check_record(struct world *world, const struct range_record *before, const struct range_record *after) {
    bool has_gone = false;
    for (size_t i = 0; i < before->in_sync_count; i++)
        has_gone = has_gone || !is_named(after, before->in_sync[i]);
    if (!has_gone)
        return;
    if (after->in_sync_count < world->min_in_sync)
        world_fail(world, "a copy of range %u is given up, and %zu are left of at least %zu", after->range,
                   after->in_sync_count, world->min_in_sync);
    if (!a_wish_is_in_sync(world, after))
        world_fail(world, "a copy of range %u is given up before all are in sync that were wished in its place",
                   after->range);
}
