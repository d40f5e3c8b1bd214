#include "bench/movements.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define RANGES_MAX 1048576U
#define SAMPLE_STEP_S 1.0

/* Room for one more item. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return items;
    *capacity = *capacity * 2 + 64;
    items = realloc(items, *capacity * size);
    check(items != NULL);
    return items;
}

void movements_close(struct movements *movements) {
    free(movements->hand_overs);
    free(movements->moves);
    free(movements->samples);
    free(movements->leads);
    *movements = (struct movements){0};
}

static size_t node_find(const struct movements *movements, const char *id) {
    for (size_t i = 0; i < movements->nodes_count; i++)
        if (strcmp(movements->nodes[i].id, id) == 0)
            return i;
    return MOVEMENTS_NOBODY;
}

const char *movements_node_name(const struct movements *movements, size_t node) {
    if (node >= movements->nodes_count)
        return "nobody";
    return movements->nodes[node].name[0] != 0 ? movements->nodes[node].name : movements->nodes[node].id;
}

static void nodes_note(struct movements *movements, const struct cluster_state *state) {
    for (size_t i = 0; i < movements->nodes_count; i++)
        movements->nodes[i].is_there_after = false;
    for (size_t i = 0; i < state->nodes_count; i++) {
        const struct cluster_node *node = &state->nodes[i];
        size_t at = node_find(movements, node->id);
        if (at == MOVEMENTS_NOBODY && movements->nodes_count == MOVEMENTS_NODES_MAX)
            continue;
        if (at == MOVEMENTS_NOBODY)
            at = movements->nodes_count++;
        struct node_track *track = &movements->nodes[at];
        memcpy(track->id, node->id, sizeof track->id);
        memcpy(track->name, node->name, sizeof track->name);
        if (movements->states == 0) {
            track->was_there_before = node->is_alive;
            track->share_before = node->share;
            track->primaries_before = node->primaries;
            track->stored_before = node->stored_bytes;
        }
        track->is_there_after = node->is_alive;
        track->is_leaving = node->is_draining;
        track->share_after = node->share;
        track->primaries_after = node->primaries;
        track->stored_after = node->stored_bytes;
    }
}

static double share_now(const struct movements *movements, size_t node) {
    const struct node_track *track = &movements->nodes[node];
    bool counts = node < movements->nodes_count && track->is_there_after && !track->is_leaving;
    return counts ? track->share_after : -1;
}

static void sample_take(struct movements *movements, double at_s) {
    if (movements->samples_count > 0 && at_s - movements->samples[movements->samples_count - 1].at_s < SAMPLE_STEP_S)
        return;
    movements->samples =
        grown(movements->samples, movements->samples_count, &movements->samples_capacity, sizeof *movements->samples);
    struct share_sample *sample = &movements->samples[movements->samples_count++];
    sample->at_s = at_s;
    for (size_t i = 0; i < MOVEMENTS_NODES_MAX; i++)
        sample->shares[i] = share_now(movements, i);
}

const struct share_sample *movements_shares_before(const struct movements *movements, double at_s) {
    const struct share_sample *found = NULL;
    for (size_t i = 0; i < movements->samples_count && movements->samples[i].at_s <= at_s; i++)
        found = &movements->samples[i];
    return found;
}

double share_sample_furthest(const struct share_sample *sample) {
    double count = 0, furthest = 0;
    for (size_t i = 0; i < MOVEMENTS_NODES_MAX; i++)
        count += sample->shares[i] >= 0;
    for (size_t i = 0; i < MOVEMENTS_NODES_MAX; i++)
        if (sample->shares[i] >= 0 && fabs(sample->shares[i] * count - 1) > furthest)
            furthest = fabs(sample->shares[i] * count - 1);
    return furthest;
}

static struct cluster_range *lead_of(struct movements *movements, uint32_t range) {
    if (range >= movements->leads_count) {
        size_t count = (size_t)range + 64;
        movements->leads = realloc(movements->leads, count * sizeof *movements->leads);
        check(movements->leads != NULL);
        memset(movements->leads + movements->leads_count, 0,
               (count - movements->leads_count) * sizeof *movements->leads);
        movements->leads_count = count;
    }
    return &movements->leads[range];
}

static void range_note(struct movements *movements, const struct cluster_range *range, double after_s, double until_s) {
    if (range->range >= RANGES_MAX)
        return;
    struct cluster_range *known = lead_of(movements, range->range);
    if (range->epoch < known->epoch)
        return;
    if (known->primary[0] != 0 && strcmp(known->primary, range->primary) != 0) {
        movements->hand_overs = grown(movements->hand_overs, movements->hand_overs_count,
                                      &movements->hand_overs_capacity, sizeof *movements->hand_overs);
        movements->hand_overs[movements->hand_overs_count++] = (struct hand_over){
            .range = range->range,
            .epoch = range->epoch,
            .first = range->first,
            .last = range->last,
            .from = node_find(movements, known->primary),
            .to = node_find(movements, range->primary),
            .after_s = after_s,
            .until_s = until_s,
        };
    }
    *known = *range;
}

static struct move *move_find(struct movements *movements, const struct cluster_move *wanted, size_t from, size_t to) {
    for (size_t i = movements->moves_count; i > 0; i--) {
        struct move *move = &movements->moves[i - 1];
        if (move->is_under_way && move->range == wanted->range && move->from == from && move->to == to &&
            strcmp(move->kind, wanted->kind) == 0)
            return move;
    }
    return NULL;
}

static void move_note(struct movements *movements, const struct cluster_move *seen, double after_s, double now_s) {
    size_t from = node_find(movements, seen->from), to = node_find(movements, seen->to);
    struct move *move = move_find(movements, seen, from, to);
    if (move == NULL) {
        movements->moves =
            grown(movements->moves, movements->moves_count, &movements->moves_capacity, sizeof *movements->moves);
        move = &movements->moves[movements->moves_count++];
        *move = (struct move){.range = seen->range, .from = from, .to = to, .from_s = after_s, .is_under_way = true};
        memcpy(move->kind, seen->kind, sizeof move->kind);
    }
    move->until_s = now_s;
    if (seen->bytes_done > move->bytes)
        move->bytes = seen->bytes_done;
}

static void moves_note(struct movements *movements, const struct cluster_state *state, double after_s, double now_s) {
    for (size_t i = 0; i < state->moves_count; i++)
        move_note(movements, &state->moves[i], after_s, now_s);
    for (size_t i = 0; i < movements->moves_count; i++)
        if (movements->moves[i].until_s < now_s)
            movements->moves[i].is_under_way = false;
}

void movements_note(struct movements *movements, const struct cluster_state *state, double asked_before_s,
                    double answered_s) {
    nodes_note(movements, state);
    sample_take(movements, answered_s);
    for (size_t i = 0; i < state->ranges_count; i++)
        range_note(movements, &state->ranges[i], asked_before_s, answered_s);
    moves_note(movements, state, asked_before_s, answered_s);
    movements->states++;
}
