#include "node/core/balancer.h"

#include "node/core/balancer_parts.h"
#include "proto/check.h"

/* ---- what to write next ---- */

/* What ranges are like without a wish becomes their wish, a few at a time: then a node that is silent for a moment
 * keeps its place, and gets the lead back. */
#define PINS_MAX 64

static bool is_as_it_should_be(const struct draft *draft, const struct draft_range *range) {
    size_t wanted = draft->settings.factor < draft->staying_count ? draft->settings.factor : draft->staying_count;
    return !range->is_kept && !range->is_under_way && range->wish.holders_count == wanted;
}

static bool is_to_be_written(const struct draft *draft, const struct draft_range *range, size_t *pins) {
    if (range->is_changed)
        return true;
    if (range->given->placement.holders_count > 0 || *pins == PINS_MAX || !is_as_it_should_be(draft, range))
        return false;
    ++*pins;
    return true;
}

/* Returns how many of them only write down what is. */
static size_t decision_take(const struct draft *draft, struct arena *arena, struct balancer_decision *decision) {
    size_t pins = 0;
    decision->placements = ARENA_NEW_ARRAY(arena, struct placement, draft->ranges_count);
    for (size_t i = 0; i < draft->ranges_count; i++)
        if (is_to_be_written(draft, &draft->ranges[i], &pins))
            decision->placements[decision->placements_count++] = draft->ranges[i].wish;
    return pins;
}

void balancer_next(const struct balancer_input *input, struct arena *arena, struct balancer_decision *decision) {
    struct draft draft;
    draft_init(&draft, input, arena);
    if (input->settings.moves_max > draft.under_way_count)
        draft.slots = input->settings.moves_max - draft.under_way_count;
    repair(&draft);
    /* Where nothing may move at all, it is still to be known whether something would. */
    while ((draft.slots > 0 || input->settings.moves_max == 0) && even_step(&draft) != NULL)
        ;
    *decision =
        (struct balancer_decision){.under_way_count = draft.under_way_count, .blocked_count = draft.blocked_count};
    size_t pins = decision_take(&draft, arena, decision);
    bool moves_nothing = decision->placements_count == pins && decision->under_way_count == 0;
    decision->is_balanced = moves_nothing && !draft.is_held_up;
}

/* ---- a forecast ---- */

static bool is_full(const struct balancer_forecast *forecast) {
    /* A range may need a copy and a drop for each of its holders, and one hand-over. */
    return forecast->moves_count + 2 * RANGE_REPLICAS_MAX + 1 > BALANCER_PLAN_MOVES_MAX;
}

static void move_add(struct balancer_forecast *forecast, const struct balancer_move *move) {
    check(forecast->moves_count < BALANCER_PLAN_MOVES_MAX);
    forecast->moves[forecast->moves_count++] = *move;
    forecast->bytes += move->bytes;
}

/* The next of `from` on that is not in the other; its count: there is none. */
static size_t next_not_in(const struct placement *placement, size_t from, const struct placement *other) {
    while (from < placement->holders_count && placement_has(other, placement->holders[from]))
        from++;
    return from;
}

static void copies_add(struct balancer_forecast *forecast, const struct draft_range *range) {
    size_t left = next_not_in(&range->now, 0, &range->wish);
    for (size_t i = next_not_in(&range->wish, 0, &range->now); i < range->wish.holders_count;
         i = next_not_in(&range->wish, i + 1, &range->now)) {
        move_add(forecast,
                 &(struct balancer_move){.range = range->wish.range,
                                         .kind = BALANCER_COPY,
                                         .from = left < range->now.holders_count ? range->now.holders[left] : 0,
                                         .to = range->wish.holders[i],
                                         .bytes = range->given->bytes});
        if (left < range->now.holders_count)
            left = next_not_in(&range->now, left + 1, &range->wish);
    }
}

static void drops_add(struct balancer_forecast *forecast, const struct draft_range *range) {
    for (size_t i = next_not_in(&range->now, 0, &range->wish); i < range->now.holders_count;
         i = next_not_in(&range->now, i + 1, &range->wish))
        move_add(forecast, &(struct balancer_move){
                               .range = range->wish.range, .kind = BALANCER_DROP, .from = range->now.holders[i]});
}

/* From what is to what is wished, which then is. */
static void range_move(struct balancer_forecast *forecast, struct draft_range *range) {
    copies_add(forecast, range);
    if (range->now.primary != range->wish.primary)
        move_add(forecast, &(struct balancer_move){.range = range->wish.range,
                                                   .kind = BALANCER_PRIMARY,
                                                   .from = range->now.primary,
                                                   .to = range->wish.primary});
    drops_add(forecast, range);
    draft_settle(range);
}

/* Returns whether anything moved. */
static bool all_move(const struct draft *draft, struct balancer_forecast *forecast) {
    size_t before = forecast->moves_count;
    for (size_t i = 0; i < draft->ranges_count && !is_full(forecast); i++)
        if (draft->ranges[i].is_under_way || draft->ranges[i].is_changed)
            range_move(forecast, &draft->ranges[i]);
    return forecast->moves_count > before;
}

/* A record has room for so many copies on their way, so the rest of a repair may come after the first. */
static void repairs_forecast(struct draft *draft, struct balancer_forecast *forecast) {
    do {
        draft->blocked_count = 0;
        draft->slots = draft->ranges_count;
        repair(draft);
    } while (all_move(draft, forecast));
    forecast->is_blocked = draft->blocked_count > 0;
}

static void even_forecast(struct draft *draft, struct balancer_forecast *forecast) {
    struct draft_range *range = NULL;
    forecast->is_complete = false;
    while (!is_full(forecast)) {
        draft->slots = 1;
        draft->is_held_up = false;
        range = even_step(draft);
        if (range == NULL) {
            forecast->is_complete = true;
            return;
        }
        range_move(forecast, range);
    }
}

/* ---- shares ---- */

static double share_of(int64_t load, int64_t all) {
    return all == 0 ? 0 : (double)load / (double)all / 2;
}

/* What is held and what is led count half each. */
static void shares_find(const struct draft *draft, double *shares) {
    int64_t held = 0, led = 0;
    for (uint32_t i = 0; i + 1 < draft->nodes_count; i++) {
        held += draft->nodes[i].held;
        led += draft->nodes[i].led;
    }
    for (uint32_t i = 0; i + 1 < draft->nodes_count; i++)
        shares[i] = share_of(draft->nodes[i].held, held) + share_of(draft->nodes[i].led, led);
}

void balancer_shares(const struct balancer_input *input, struct arena *arena, double *shares) {
    struct draft draft;
    draft_init(&draft, input, arena);
    draft_go_back(&draft);
    shares_find(&draft, shares);
}

void balancer_plan(const struct balancer_input *input, struct arena *arena, struct balancer_forecast *forecast) {
    struct draft draft;
    draft_init(&draft, input, arena);
    *forecast = (struct balancer_forecast){
        .moves = ARENA_NEW_ARRAY(arena, struct balancer_move, BALANCER_PLAN_MOVES_MAX),
        .shares = ARENA_NEW_ARRAY(arena, double, input->nodes_count),
    };
    repairs_forecast(&draft, forecast);
    even_forecast(&draft, forecast);
    shares_find(&draft, forecast->shares);
}
