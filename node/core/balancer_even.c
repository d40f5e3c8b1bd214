#include "node/core/balancer_parts.h"

/* How even it is, is the sum of the squares of the nodes' distances from an even share, of what they hold and of what
 * they lead. Every step makes it smaller by more than loads waver, so steps come to an end and do not go in circles. */

#define WAVER_PERCENT 20

struct even {
    int64_t held, led; /* a node's even share */
    unsigned percent;  /* further away is outside */
};

struct step {
    struct draft_range *range;
    size_t from;     /* the holder whose copy moves; RANGE_REPLICAS_MAX: none does */
    uint32_t to;     /* where to, or who leads from now on */
    bool is_leading; /* `to` leads from now on */
    int64_t gain;
};

/* How a load stands to its even share: -1 below what is tolerated, 1 above it. */
static int side_of(int64_t load, int64_t share, unsigned percent) {
    if (load * 100 > share * (100 + (int64_t)percent))
        return 1;
    return load * 100 < share * (100 - (int64_t)percent) ? -1 : 0;
}

/* Begun at the tolerance, it goes on until half of it: so it does not begin anew with every change of the loads. */
static struct even even_find(const struct draft *draft) {
    struct even even = {.percent = draft->settings.tolerance_percent};
    int64_t count = 0;
    for (uint32_t i = 0; i < draft->nodes_count; i++) {
        if (!draft->nodes[i].may_hold)
            continue;
        even.held += draft->nodes[i].held;
        even.led += draft->nodes[i].led;
        count++;
    }
    if (even.percent > 100)
        even.percent = 100;
    if (draft->is_busy)
        even.percent /= 2;
    if (count > 0) {
        even.held /= count;
        even.led /= count;
    }
    return even;
}

/* ---- what a move is worth ---- */

/* The largest whole number whose square is no larger (Newton's method from above). */
static int64_t root_of(int64_t square) {
    int64_t root = square > 1 ? square / 2 : square;
    if (square > INT32_MAX)
        root = (int64_t)1 << 32;
    while (root > 0 && root > square / root)
        root = (root + square / root) / 2;
    return root;
}

/* Loads of ranges waver by a fifth and more, each for itself; so those of nodes waver by a part of the root of the sum
 * of squares. A gap between two nodes has to be wider than that: then it is no chance, and is not the other way round a
 * moment later. */
static void wavers_find(struct draft *draft) {
    for (uint32_t i = 0; i < draft->nodes_count; i++) {
        struct draft_node *node = &draft->nodes[i];
        node->held_wavers = root_of(node->held_squares) * WAVER_PERCENT / 100;
        node->led_wavers = root_of(node->led_squares) * WAVER_PERCENT / 100;
    }
}

/* By how much, halved, the sum of squares falls when a load goes from one to the other, less what may be chance. */
static int64_t held_gain(const struct draft_node *from, const struct draft_node *to, int64_t load) {
    return load * (from->held - to->held - load - from->held_wavers - to->held_wavers);
}

static int64_t led_gain(const struct draft_node *from, const struct draft_node *to, int64_t load) {
    return load * (from->led - to->led - load - from->led_wavers - to->led_wavers);
}

/* Nobody gives what brings it outside below, or takes what brings it outside above: it would have to be moved again. */
static bool may_give(int64_t from, int64_t load, int64_t share, unsigned percent) {
    return from > share || side_of(from - load, share, percent) == 0;
}

static bool may_take(int64_t to, int64_t load, int64_t share, unsigned percent) {
    return to < share || side_of(to + load, share, percent) == 0;
}

static void step_offer(struct step *best, const struct step *step) {
    if (best->range == NULL || step->gain > best->gain)
        *best = *step;
}

/* ---- who leads ---- */

static void hand_over_look(const struct draft *draft, const struct even *even, struct draft_range *range, uint32_t to,
                           struct step *best) {
    const struct draft_node *from = &draft->nodes[range->primary];
    const struct draft_node *taker = &draft->nodes[to];
    bool helps = side_of(from->led, even->led, even->percent) > 0 || side_of(taker->led, even->led, even->percent) < 0;
    struct step step = {.range = range,
                        .from = RANGE_REPLICAS_MAX,
                        .to = to,
                        .is_leading = true,
                        .gain = led_gain(from, taker, range->lead)};
    if (helps && taker->may_hold && step.gain > 0 && may_give(from->led, range->lead, even->led, even->percent) &&
        may_take(taker->led, range->lead, even->led, even->percent))
        step_offer(best, &step);
}

static void hand_overs_look(const struct draft *draft, const struct even *even, struct step *best) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        for (size_t at = 0; !range->is_kept && at < range->wish.holders_count; at++)
            if (range->nodes[at] != range->primary)
                hand_over_look(draft, even, range, range->nodes[at], best);
    }
}

/* ---- copies ---- */

/* The node that a copy is moved for, and in what it is outside: below or above. */
struct outsider {
    uint32_t node;
    int side; /* -1: it should get more, 1: less */
    bool in_held, in_led;
};

static bool helps(const struct outsider *outsider, const struct draft_range *range, const struct step *step) {
    if (outsider->side < 0)
        return outsider->in_held || (outsider->in_led && step->is_leading);
    return (outsider->in_held && range->nodes[step->from] == outsider->node) ||
           (outsider->in_led && step->is_leading && range->primary == outsider->node);
}

static void copy_look(const struct draft *draft, const struct even *even, const struct outsider *outsider,
                      struct step *step, struct step *best) {
    struct draft_range *range = step->range;
    const struct draft_node *from = &draft->nodes[range->nodes[step->from]];
    const struct draft_node *to = &draft->nodes[step->to];
    const struct draft_node *primary = &draft->nodes[range->primary];
    int64_t lead = step->is_leading ? range->lead : 0;
    step->gain = held_gain(from, to, range->copy) + led_gain(primary, to, lead);
    if (step->gain <= 0 || !helps(outsider, range, step))
        return;
    if (lead == 0 ||
        (may_give(primary->led, lead, even->led, even->percent) && may_take(to->led, lead, even->led, even->percent)))
        step_offer(best, step);
}

/* Not where a zone would have more copies than before. */
static bool may_take_place(const struct draft *draft, const struct draft_range *range, size_t from, uint32_t to) {
    return draft->nodes[to].may_hold && !draft_holds(range, to) &&
           (!draft_shares_zone(draft, range, to, from) || draft_shares_zone(draft, range, range->nodes[from], from));
}

static void place_look(const struct draft *draft, const struct even *even, const struct outsider *outsider,
                       struct draft_range *range, uint32_t to, struct step *best) {
    const struct draft_node *taker = &draft->nodes[to];
    if (taker->held + taker->held_wavers >= range->held_offer && taker->led + taker->led_wavers >= range->led_offer)
        return;
    if (!may_take(taker->held, range->copy, even->held, even->percent))
        return;
    for (size_t from = 0; from < range->wish.holders_count; from++) {
        struct step step = {.range = range, .from = from, .to = to};
        if ((range->givers >> from & 1) == 0 || !may_take_place(draft, range, from, to))
            continue;
        if (range->nodes[from] != range->primary)
            copy_look(draft, even, outsider, &step, best);
        /* Where a full record has to give up a copy first, it cannot be the one of who leads. */
        step.is_leading = range->now.holders_count < RANGE_REPLICAS_MAX;
        if (step.is_leading)
            copy_look(draft, even, outsider, &step, best);
    }
}

static void giver_find(const struct draft *draft, const struct even *even, struct draft_range *range) {
    const struct draft_node *primary = &draft->nodes[range->primary];
    range->givers = 0;
    range->held_offer = 0;
    range->led_offer = primary->led - primary->led_wavers - range->lead;
    for (size_t at = 0; at < range->wish.holders_count; at++) {
        const struct draft_node *node = &draft->nodes[range->nodes[at]];
        int64_t offer = node->held - node->held_wavers - range->copy;
        if (!may_give(node->held, range->copy, even->held, even->percent))
            continue;
        range->givers |= 1u << at;
        if (offer > range->held_offer)
            range->held_offer = offer;
    }
}

static void givers_find(struct draft *draft, const struct even *even) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        range->givers = 0;
        if (!range->is_kept && draft_has_room(range, RANGE_REPLICAS_MAX))
            giver_find(draft, even, range);
    }
}

static void copies_look(const struct draft *draft, const struct even *even, const struct outsider *outsider,
                        struct step *best) {
    for (size_t i = 0; i < draft->ranges_count; i++) {
        struct draft_range *range = &draft->ranges[i];
        if (range->givers == 0 || draft_holds(range, outsider->node) != (outsider->side > 0))
            continue;
        if (outsider->side < 0)
            place_look(draft, even, outsider, range, outsider->node, best);
        for (uint32_t to = 0; outsider->side > 0 && to < draft->nodes_count; to++)
            place_look(draft, even, outsider, range, to, best);
    }
}

static int64_t distance(const struct draft_node *node, const struct even *even) {
    int64_t held = node->held > even->held ? node->held - even->held : even->held - node->held;
    int64_t led = node->led > even->led ? node->led - even->led : even->led - node->led;
    return held > led ? held : led;
}

static bool is_outside(const struct draft_node *node, const struct even *even) {
    return node->may_hold &&
           (side_of(node->held, even->held, even->percent) != 0 || side_of(node->led, even->led, even->percent) != 0);
}

static uint32_t furthest_outsider(const struct draft *draft, const struct even *even) {
    uint32_t found = DRAFT_NOBODY;
    for (uint32_t i = 0; i < draft->nodes_count; i++)
        if (!draft->nodes[i].is_passed_over && is_outside(&draft->nodes[i], even) &&
            (found == DRAFT_NOBODY || distance(&draft->nodes[i], even) > distance(&draft->nodes[found], even)))
            found = i;
    return found;
}

static void passed_over_forget(struct draft *draft) {
    for (uint32_t i = 0; i < draft->nodes_count; i++)
        draft->nodes[i].is_passed_over = false;
    draft->is_somebody_passed_over = false;
}

/* Whoever was passed over at an earlier step comes last, as it is most likely to be so again. */
static uint32_t outsider_next(struct draft *draft, const struct even *even) {
    uint32_t found = furthest_outsider(draft, even);
    if (found != DRAFT_NOBODY || !draft->is_somebody_passed_over)
        return found;
    passed_over_forget(draft);
    return furthest_outsider(draft, even);
}

static void outsider_look(const struct draft *draft, const struct even *even, uint32_t node, int side,
                          struct step *best) {
    struct outsider outsider = {
        .node = node,
        .side = side,
        .in_held = side_of(draft->nodes[node].held, even->held, even->percent) == side,
        .in_led = side_of(draft->nodes[node].led, even->led, even->percent) == side,
    };
    if (outsider.in_held || outsider.in_led)
        copies_look(draft, even, &outsider, best);
}

/* ---- one step ---- */

static struct draft_range *step_take(struct draft *draft, const struct step *step) {
    struct placement wish = step->range->wish;
    uint64_t to = draft->nodes[step->to].id;
    if (!draft_take_slot(draft, step->range))
        return NULL;
    if (step->from < RANGE_REPLICAS_MAX)
        wish.holders[step->from] = to;
    if (step->is_leading)
        wish.primary = to;
    draft_wish(draft, step->range, &wish);
    return step->range;
}

static void copy_find(struct draft *draft, const struct even *even, struct step *best) {
    givers_find(draft, even);
    for (;;) {
        uint32_t node = outsider_next(draft, even);
        if (node == DRAFT_NOBODY)
            return;
        outsider_look(draft, even, node, 1, best);
        outsider_look(draft, even, node, -1, best);
        if (best->range != NULL)
            break;
        draft->nodes[node].is_passed_over = true;
    }
    draft->is_somebody_passed_over = true;
}

struct draft_range *even_step(struct draft *draft) {
    struct even even = even_find(draft);
    struct step best = {0};
    if (draft->is_held_up || draft->is_somebody_silent)
        return NULL;
    wavers_find(draft);
    hand_overs_look(draft, &even, &best);
    if (best.range == NULL)
        copy_find(draft, &even, &best);
    return best.range == NULL ? NULL : step_take(draft, &best);
}
