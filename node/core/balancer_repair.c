#include "node/core/balancer_parts.h"

/* ---- who may come, and who leads ---- */

struct candidate {
    bool has_own_zone;
    unsigned has_data; /* 2: in sync, 1: learning */
    int64_t held;
};

static struct candidate candidate_look(const struct draft *draft, const struct draft_range *range, uint32_t node,
                                       size_t instead_of) {
    uint64_t id = draft->nodes[node].id;
    return (struct candidate){.has_own_zone = !draft_shares_zone(draft, range, node, instead_of),
                              .has_data = placement_has(&range->now, id)                        ? 2
                                          : range_record_has_learner(&range->given->record, id) ? 1
                                                                                                : 0,
                              .held = draft->nodes[node].held};
}

static bool is_better(const struct candidate *a, const struct candidate *b) {
    if (a->has_own_zone != b->has_own_zone)
        return a->has_own_zone;
    if (a->has_data != b->has_data)
        return a->has_data > b->has_data;
    return a->held < b->held;
}

/* A node for one more copy, or for the one of the holder at `instead_of`. */
static uint32_t candidate_find(const struct draft *draft, const struct draft_range *range, size_t instead_of) {
    uint32_t found = DRAFT_NOBODY;
    struct candidate best = {0};
    bool has_room = draft_has_room(range, instead_of);
    for (uint32_t i = 0; i < draft->nodes_count; i++) {
        if (!draft->nodes[i].may_hold || draft_holds(range, i))
            continue;
        struct candidate candidate = candidate_look(draft, range, i, instead_of);
        if ((!has_room && candidate.has_data < 2) || (found != DRAFT_NOBODY && !is_better(&candidate, &best)))
            continue;
        found = i;
        best = candidate;
    }
    return found;
}

static bool leads_better(const struct draft *draft, const struct draft_range *range, uint32_t a, uint32_t b) {
    bool a_has_it = placement_has(&range->now, draft->nodes[a].id);
    bool b_has_it = placement_has(&range->now, draft->nodes[b].id);
    return a_has_it != b_has_it ? a_has_it : draft->nodes[a].led < draft->nodes[b].led;
}

/* Of the holders; who has the range already can lead it at once. 0: nobody. */
static uint64_t leader_choose(const struct draft *draft, const struct draft_range *range, size_t but) {
    uint32_t found = DRAFT_NOBODY;
    for (size_t i = 0; i < range->wish.holders_count; i++)
        if (i != but && draft->nodes[range->nodes[i]].may_hold &&
            (found == DRAFT_NOBODY || leads_better(draft, range, range->nodes[i], found)))
            found = range->nodes[i];
    return found == DRAFT_NOBODY ? 0 : draft->nodes[found].id;
}

/* ---- changing a wish ---- */

static void holder_replace(struct draft *draft, struct draft_range *range, size_t at, uint32_t by) {
    struct placement wish = range->wish;
    uint64_t leader = leader_choose(draft, range, at);
    if (wish.primary == wish.holders[at])
        wish.primary = leader != 0 ? leader : draft->nodes[by].id;
    wish.holders[at] = draft->nodes[by].id;
    draft_wish(draft, range, &wish);
}

static void holder_add(struct draft *draft, struct draft_range *range, uint32_t node) {
    struct placement wish = range->wish;
    wish.holders[wish.holders_count++] = draft->nodes[node].id;
    draft_wish(draft, range, &wish);
}

/* False when nobody else could lead. */
static bool holder_drop(struct draft *draft, struct draft_range *range, size_t at) {
    struct placement wish = range->wish;
    if (wish.primary == wish.holders[at])
        wish.primary = leader_choose(draft, range, at);
    if (wish.primary == 0 || !draft_take_slot(draft, range))
        return false;
    wish.holders_count--;
    memmove(wish.holders + at, wish.holders + at + 1, (wish.holders_count - at) * sizeof(wish.holders[0]));
    wish.holders[wish.holders_count] = 0;
    draft_wish(draft, range, &wish);
    return true;
}

/* ---- nodes that are gone or to be emptied ---- */

static size_t copies_wanted(const struct draft *draft) {
    return draft->settings.factor < draft->staying_count ? draft->settings.factor : draft->staying_count;
}

static size_t staying_holders(const struct draft *draft, const struct draft_range *range) {
    size_t count = 0;
    for (size_t i = 0; i < range->wish.holders_count; i++)
        count += draft->nodes[range->nodes[i]].may_stay;
    return count;
}

/* Copies on nodes that are gone are none. */
static size_t remaining_holders(const struct draft *draft, const struct draft_range *range) {
    size_t count = 0;
    for (size_t i = 0; i < range->wish.holders_count; i++)
        count += !draft->nodes[range->nodes[i]].is_gone;
    return count;
}

/* Not even when there is room in the record again. */
static bool nobody_could_come(const struct draft *draft, const struct draft_range *range) {
    for (uint32_t i = 0; i < draft->nodes_count; i++)
        if (draft->nodes[i].may_hold && !draft_holds(range, i))
            return false;
    return true;
}

/* When all nodes are to be emptied, nobody has thought of where to. */
static bool may_do_without(const struct draft *draft, const struct draft_range *range) {
    size_t left = remaining_holders(draft, range) - 1;
    return draft->staying_count > 0 && left > 0 && left >= draft->settings.min_in_sync &&
           nobody_could_come(draft, range) && staying_holders(draft, range) >= copies_wanted(draft);
}

/* Copies that are not wished any more are dropped when all the wished ones are there. */
static bool has_to_drop(const struct draft_range *range) {
    for (size_t i = 0; i < range->now.holders_count; i++)
        if (!placement_has(&range->wish, range->now.holders[i]))
            return true;
    return false;
}

/* One that is gone and that nobody can take the place of stays wished, for it may come back and has much of it; unless
 * others wait for it. */
static void gone_leave_for_nobody(struct draft *draft, struct draft_range *range, size_t at) {
    size_t left = remaining_holders(draft, range);
    if (!has_to_drop(range))
        return;
    if (left > 0 && left >= draft->settings.min_in_sync)
        holder_drop(draft, range, at);
    else
        draft->blocked_count++;
}

static void holder_leave(struct draft *draft, struct draft_range *range, size_t at) {
    uint32_t candidate = candidate_find(draft, range, at);
    if (candidate != DRAFT_NOBODY) {
        if (draft_take_slot(draft, range))
            holder_replace(draft, range, at, candidate);
    } else if (draft_is_stuck(draft, range, at)) {
        draft->blocked_count += has_to_drop(range);
    } else if (draft->nodes[range->nodes[at]].is_gone) {
        gone_leave_for_nobody(draft, range, at);
    } else if (may_do_without(draft, range)) {
        holder_drop(draft, range, at);
    } else {
        draft->blocked_count++;
    }
}

/* Those with whom a copy is lost come first. */
static bool is_leaver(const struct draft *draft, const struct draft_range *range, size_t at, bool are_gone) {
    const struct draft_node *node = &draft->nodes[range->nodes[at]];
    bool is_lost = node->is_gone || draft_is_stuck(draft, range, at);
    return are_gone ? is_lost : !is_lost && !node->may_stay;
}

static void leavers_leave(struct draft *draft, bool are_gone) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        for (size_t at = range->wish.holders_count; !range->is_stranded && at-- > 0;)
            if (is_leaver(draft, range, at, are_gone))
                holder_leave(draft, range, at);
    }
}

/* Whoever cannot be replaced as a holder need not lead. */
static void leaders_leave(struct draft *draft) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        struct placement wish = range->wish;
        if (range->is_stranded || draft->nodes[range->primary].may_stay)
            continue;
        wish.primary = leader_choose(draft, range, RANGE_REPLICAS_MAX);
        if (wish.primary != 0 && draft_take_slot(draft, range))
            draft_wish(draft, range, &wish);
    }
}

/* ---- numbers of copies ---- */

/* Who is the least use: one that cannot stay, then one of two in a zone, then the most loaded; who leads comes last. */
static bool is_less_use(const struct draft *draft, const struct draft_range *range, size_t a, size_t b) {
    const struct draft_node *nodes[] = {&draft->nodes[range->nodes[a]], &draft->nodes[range->nodes[b]]};
    bool shares[] = {draft_shares_zone(draft, range, range->nodes[a], a),
                     draft_shares_zone(draft, range, range->nodes[b], b)};
    if (nodes[0]->may_stay != nodes[1]->may_stay)
        return !nodes[0]->may_stay;
    if (shares[0] != shares[1])
        return shares[0];
    if ((range->nodes[a] == range->primary) != (range->nodes[b] == range->primary))
        return range->nodes[b] == range->primary;
    return nodes[0]->held > nodes[1]->held;
}

static size_t least_use_find(const struct draft *draft, const struct draft_range *range) {
    size_t found = 0;
    for (size_t i = 1; i < range->wish.holders_count; i++)
        if (is_less_use(draft, range, i, found))
            found = i;
    return found;
}

static void copies_drop(struct draft *draft, struct draft_range *range) {
    while (range->wish.holders_count > draft->settings.factor &&
           range->wish.holders_count > draft->settings.min_in_sync)
        if (!holder_drop(draft, range, least_use_find(draft, range)))
            return;
}

static void copies_add(struct draft *draft, struct draft_range *range) {
    while (range->wish.holders_count < RANGE_REPLICAS_MAX && staying_holders(draft, range) < copies_wanted(draft)) {
        uint32_t candidate = candidate_find(draft, range, RANGE_REPLICAS_MAX);
        if (candidate == DRAFT_NOBODY || !draft_take_slot(draft, range))
            return;
        holder_add(draft, range, candidate);
    }
}

static void copies_count(struct draft *draft) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        if (draft->ranges[i].is_kept)
            continue;
        copies_add(draft, &draft->ranges[i]);
        copies_drop(draft, &draft->ranges[i]);
    }
}

/* ---- zones ---- */

static void zones_spread(struct draft *draft, struct draft_range *range) {
    size_t at = least_use_find(draft, range);
    if (!draft_shares_zone(draft, range, range->nodes[at], at))
        return;
    uint32_t candidate = candidate_find(draft, range, at);
    if (candidate == DRAFT_NOBODY || draft_shares_zone(draft, range, candidate, at) || !draft_take_slot(draft, range))
        return;
    holder_replace(draft, range, at, candidate);
}

void repair(struct draft *draft) {
    leavers_leave(draft, true);
    leavers_leave(draft, false);
    leaders_leave(draft);
    copies_count(draft);
    for (size_t i = 0; i < draft->ranges_count; i++)
        if (!draft->ranges[i].is_kept)
            zones_spread(draft, &draft->ranges[i]);
}
