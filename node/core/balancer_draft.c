#include "node/core/balancer_parts.h"

#include "proto/check.h"

/* ---- nodes ---- */

static size_t slot_of(const struct draft *draft, uint64_t id) {
    size_t slot = (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & (draft->table_size - 1);
    while (draft->table[slot] != 0 && draft->nodes[draft->table[slot] - 1].id != id)
        slot = (slot + 1) & (draft->table_size - 1);
    return slot;
}

/* Whoever is unknown is the last one. */
static uint32_t node_find(const struct draft *draft, uint64_t id) {
    uint32_t found = draft->table[slot_of(draft, id)];
    return found == 0 ? draft->nodes_count - 1 : found - 1;
}

static uint32_t zone_number(const struct balancer_input *input, uint32_t node) {
    struct bytes zone = input->nodes[node].zone;
    for (uint32_t i = 0; zone.size > 0 && i < node; i++)
        if (bytes_equal(input->nodes[i].zone, zone))
            return i;
    return node;
}

/* One without an id, or with the id of another, holds nothing. */
static void node_take(struct draft *draft, const struct balancer_input *input, uint32_t at) {
    const struct balancer_node *given = &input->nodes[at];
    struct draft_node *node = &draft->nodes[at];
    size_t slot = slot_of(draft, given->id);
    bool is_usable = given->id != 0 && draft->table[slot] == 0;
    *node = (struct draft_node){.id = given->id,
                                .zone = zone_number(input, at),
                                .is_alive = is_usable && given->is_alive,
                                .is_draining = given->is_draining,
                                .is_gone = !is_usable || given->is_gone,
                                .is_stuck = given->is_stuck};
    node->may_stay = !node->is_gone && !node->is_draining;
    node->may_hold = node->may_stay && node->is_alive && !node->is_stuck;
    draft->staying_count += node->may_stay;
    draft->is_somebody_silent |= !node->is_alive && !node->is_gone;
    if (is_usable)
        draft->table[slot] = at + 1;
}

static void nodes_take(struct draft *draft, const struct balancer_input *input, struct arena *arena) {
    check(input->nodes_count < UINT32_MAX / 4);
    draft->nodes_count = (uint32_t)input->nodes_count + 1;
    draft->nodes = ARENA_NEW_ARRAY(arena, struct draft_node, draft->nodes_count);
    for (draft->table_size = 4; draft->table_size < 2 * (size_t)draft->nodes_count;)
        draft->table_size *= 2;
    draft->table = ARENA_NEW_ARRAY(arena, uint32_t, draft->table_size);
    for (uint32_t i = 0; i + 1 < draft->nodes_count; i++)
        node_take(draft, input, i);
    draft->nodes[draft->nodes_count - 1] = (struct draft_node){.zone = draft->nodes_count - 1, .is_gone = true};
}

/* ---- what is wished of a range ---- */

static void loads_add(struct draft *draft, const struct draft_range *range, int sign) {
    for (size_t i = 0; i < range->wish.holders_count; i++) {
        draft->nodes[range->nodes[i]].held += sign * range->copy;
        draft->nodes[range->nodes[i]].held_squares += sign * range->copy * range->copy;
    }
    draft->nodes[range->primary].led += sign * range->lead;
    draft->nodes[range->primary].led_squares += sign * range->lead * range->lead;
}

static void wish_set(struct draft *draft, struct draft_range *range, const struct placement *wish) {
    range->wish = *wish;
    for (size_t i = 0; i < wish->holders_count; i++)
        range->nodes[i] = node_find(draft, wish->holders[i]);
    range->primary = node_find(draft, wish->primary);
    loads_add(draft, range, 1);
}

void draft_wish(struct draft *draft, struct draft_range *range, const struct placement *wish) {
    check(wish->holders_count > 0 && wish->holders_count <= RANGE_REPLICAS_MAX);
    check(placement_has(wish, wish->primary));
    loads_add(draft, range, -1);
    wish_set(draft, range, wish);
    range->is_changed = true;
    range->is_kept = true;
    draft->is_busy = true;
}

bool draft_take_slot(struct draft *draft, const struct draft_range *range) {
    if (range->is_under_way || range->is_changed)
        return true;
    if (draft->slots == 0) {
        draft->is_held_up = true;
        return false;
    }
    draft->slots--;
    return true;
}

bool draft_is_stuck(const struct draft *draft, const struct draft_range *range, size_t at) {
    const struct draft_node *node = &draft->nodes[range->nodes[at]];
    return node->is_alive && node->is_stuck && !placement_has(&range->now, node->id);
}

bool draft_holds(const struct draft_range *range, uint32_t node) {
    for (size_t i = 0; i < range->wish.holders_count; i++)
        if (range->nodes[i] == node)
            return true;
    return false;
}

bool draft_shares_zone(const struct draft *draft, const struct draft_range *range, uint32_t node, size_t but) {
    for (size_t i = 0; i < range->wish.holders_count; i++)
        if (i != but && draft->nodes[range->nodes[i]].zone == draft->nodes[node].zone)
            return true;
    return false;
}

bool draft_has_room(const struct draft_range *range, size_t but) {
    size_t count = range->now.holders_count;
    for (size_t i = 0; i < range->wish.holders_count; i++)
        count += i != but && !placement_has(&range->now, range->wish.holders[i]);
    /* A full record gives up a copy before it takes one more. */
    return count < RANGE_REPLICAS_MAX || (count == range->now.holders_count && count == RANGE_REPLICAS_MAX);
}

/* ---- what is going on with a range ---- */

/* Nobody has wished anything: the range finds itself enough learners, and that is what it is on the way to. */
static struct placement wish_of_itself(const struct draft *draft, const struct draft_range *range) {
    const struct range_record *record = &range->given->record;
    struct placement wish = range->now;
    for (size_t i = 0; i < record->learners_count && wish.holders_count < draft->settings.factor; i++)
        if (!draft->nodes[node_find(draft, record->learners[i])].is_gone)
            wish.holders[wish.holders_count++] = record->learners[i];
    return wish;
}

/* Whoever leads goes on where nobody was named. */
static struct placement wish_given(const struct draft *draft, const struct draft_range *range) {
    struct placement wish = range->given->placement;
    if (wish.holders_count == 0)
        wish = wish_of_itself(draft, range);
    if (!placement_has(&wish, wish.primary))
        wish.primary = placement_has(&wish, range->now.primary) ? range->now.primary : wish.holders[0];
    return wish;
}

/* Holders who lack it: how many of them are alive, and how many silent but not gone. Who is stuck will not have it
 * either. */
static void lacking_count(const struct draft *draft, const struct draft_range *range, size_t *alive, size_t *silent,
                          size_t *gone) {
    for (size_t i = 0; i < range->wish.holders_count; i++) {
        const struct draft_node *node = &draft->nodes[range->nodes[i]];
        if (placement_has(&range->now, range->wish.holders[i]))
            continue;
        bool is_stuck = draft_is_stuck(draft, range, i);
        *alive += node->is_alive && !is_stuck;
        *silent += !node->is_alive && !node->is_gone;
        *gone += node->is_gone || is_stuck;
    }
}

static bool has_living_holder(const struct draft *draft, const struct draft_range *range) {
    for (size_t i = 0; i < range->now.holders_count; i++)
        if (draft->nodes[node_find(draft, range->now.holders[i])].is_alive)
            return true;
    return false;
}

/* Without a wish a learner that is lost stays in the record, and nothing comes of it. */
static bool is_as_wished(const struct draft_range *range) {
    return range->given->placement.holders_count == 0 || placement_is_reached(&range->wish, &range->given->record);
}

/* With fewer holders a wish is never reached. */
static bool has_enough(const struct draft *draft, const struct draft_range *range) {
    return range->wish.holders_count >= draft->settings.min_in_sync;
}

/* A range that only waits for somebody silent is not under way, but is left alone. One that waits for a node that is
 * gone waits for nothing. */
static void progress_find(struct draft *draft, struct draft_range *range) {
    size_t alive = 0, silent = 0, gone = 0;
    lacking_count(draft, range, &alive, &silent, &gone);
    bool is_there = alive + silent + gone == 0 && is_as_wished(range);
    bool is_waiting = alive == 0 && silent + gone > 0;
    range->is_stranded = !has_living_holder(draft, range);
    range->is_under_way = !is_there && !is_waiting && !range->is_stranded;
    bool is_manual = range->given->is_manual && !is_there && gone == 0;
    range->is_kept =
        range->is_stranded || (has_enough(draft, range) && (range->is_under_way || silent > 0 || is_manual));
    draft->under_way_count += range->is_under_way;
}

static void range_take(struct draft *draft, const struct balancer_range *given, struct draft_range *range) {
    const struct range_record *record = &given->record;
    check(record->in_sync_count <= RANGE_REPLICAS_MAX && record->learners_count <= RANGE_REPLICAS_MAX);
    check(given->placement.holders_count <= RANGE_REPLICAS_MAX);
    range->given = given;
    range->now =
        (struct placement){.range = record->range, .holders_count = record->in_sync_count, .primary = record->primary};
    memcpy(range->now.holders, record->in_sync, sizeof(range->now.holders));
    struct placement wish = wish_given(draft, range);
    wish_set(draft, range, &wish);
    progress_find(draft, range);
}

void draft_init(struct draft *draft, const struct balancer_input *input, struct arena *arena) {
    *draft = (struct draft){.settings = input->settings, .ranges_count = input->ranges_count};
    if (draft->settings.factor < 1)
        draft->settings.factor = 1;
    if (draft->settings.factor > RANGE_REPLICAS_MAX)
        draft->settings.factor = RANGE_REPLICAS_MAX;
    nodes_take(draft, input, arena);
    draft->ranges = ARENA_NEW_ARRAY(arena, struct draft_range, draft->ranges_count);
    for (size_t i = 0; i < draft->ranges_count; i++)
        draft->ranges[i].given = &input->ranges[i];
    load_weigh(draft);
    for (size_t i = 0; i < draft->ranges_count; i++)
        range_take(draft, &input->ranges[i], &draft->ranges[i]);
    draft->is_busy = draft->under_way_count > 0;
}

void draft_settle(struct draft_range *range) {
    range->now = range->wish;
    range->is_under_way = false;
    range->is_changed = false;
    range->is_kept = range->is_stranded;
}

void draft_go_back(struct draft *draft) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        struct placement now = range->now;
        loads_add(draft, range, -1);
        wish_set(draft, range, &now);
    }
}
