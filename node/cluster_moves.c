#include "node/cluster_moves.h"

#define MOVES_PER_RANGE_MAX (2 * RANGE_REPLICAS_MAX + 1) /* holders that come and go, and a primary */

/* ---- for the balancer ---- */

static struct balancer_node node_of(const struct cluster_facts *facts, const struct cluster_node *node,
                                    const struct cluster_moves_options *options) {
    bool is_stuck = options->stuck != NULL && stuck_learners_have(options->stuck, node->id, facts->mono_ms);
    return (struct balancer_node){.id = node->id,
                                  .zone = bytes_of_text(node->zone),
                                  .is_alive = node->is_alive,
                                  .is_draining = node->is_draining,
                                  .is_gone = !node->is_alive &&
                                             facts->mono_ms - node->silent_since_ms > options->replace_after_ms,
                                  .is_stuck = is_stuck};
}

static struct balancer_range range_of(const struct cluster_facts *facts, const struct cluster_range *range) {
    return (struct balancer_range){.record = range->record,
                                   .placement = range->placement,
                                   .is_manual = range->placement.is_manual,
                                   .bytes = cluster_facts_bytes(facts, range),
                                   .writes_per_s = cluster_facts_writes(facts, range->record.range).mean,
                                   .deliveries_per_s = cluster_facts_deliveries(facts, range->record.range).mean};
}

void cluster_moves_input(const struct cluster_facts *facts, const struct cluster_moves_options *options,
                         struct arena *arena, struct balancer_input *input) {
    struct balancer_node *nodes = ARENA_NEW_ARRAY(arena, struct balancer_node, facts->nodes_count);
    struct balancer_range *ranges = ARENA_NEW_ARRAY(arena, struct balancer_range, facts->ranges_count);
    *input = (struct balancer_input){.nodes = nodes, .ranges = ranges, .settings = options->settings};
    for (size_t i = 0; i < facts->nodes_count; i++)
        if (facts->nodes[i].has_record)
            nodes[input->nodes_count++] = node_of(facts, &facts->nodes[i], options);
    for (size_t i = 0; i < facts->ranges_count; i++)
        if (facts->ranges[i].record.epoch > 0)
            ranges[input->ranges_count++] = range_of(facts, &facts->ranges[i]);
}

/* ---- under way ---- */

const char *cluster_move_state_name(enum cluster_move_state state) {
    static const char *const names[] = {"learning", "catching up", "handing over", "dropping"};
    return names[state];
}

const char *cluster_move_kind_name(enum balancer_move_kind kind) {
    static const char *const names[] = {"copy", "primary", "drop"};
    return names[kind];
}

struct listing {
    const struct cluster_facts *facts;
    const struct cluster_range *range;
    struct arena *arena;
    struct cluster_move *moves;
    size_t count;
};

static struct cluster_move *move_add(struct listing *list, enum balancer_move_kind kind, uint64_t from, uint64_t to) {
    struct cluster_move *move = &list->moves[list->count++];
    *move = (struct cluster_move){.range = list->range->record.range,
                                  .kind = kind,
                                  .from = from,
                                  .to = to,
                                  .state = kind == BALANCER_PRIMARY ? CLUSTER_HANDING_OVER
                                           : kind == BALANCER_DROP  ? CLUSTER_DROPPING
                                                                    : CLUSTER_LEARNING,
                                  .started_ms = list->range->since_ms};
    return move;
}

static bool is_wished(const struct cluster_range *range, uint64_t node) {
    return range->placement.holders_count == 0 || placement_has(&range->placement, node);
}

/* The `number`th of those that hold the range and are to give it up; after them, who sends. */
static uint64_t giver(const struct cluster_range *range, size_t number) {
    const struct range_record *record = &range->record;
    for (size_t i = 0; i < record->in_sync_count; i++)
        if (!is_wished(range, record->in_sync[i]) && number-- == 0)
            return record->in_sync[i];
    return record->primary;
}

/* What the primary says of it. */
static const struct cluster_learner *progress_of(const struct listing *list, uint64_t learner) {
    const struct cluster_node *primary = cluster_facts_node(list->facts, list->range->record.primary);
    for (size_t i = 0; primary != NULL && i < primary->learners_count; i++)
        if (primary->learners[i].at.range == list->range->record.range && primary->learners[i].at.node == learner)
            return &primary->learners[i];
    return NULL;
}

static void copy_add(struct listing *list, uint64_t to, size_t number, bool has_begun) {
    struct cluster_move *move = move_add(list, BALANCER_COPY, giver(list->range, number), to);
    const struct cluster_learner *progress = progress_of(list, to);
    move->bytes_total = cluster_facts_bytes(list->facts, list->range);
    if (!has_begun || progress == NULL)
        return;
    bool needs_rows = progress->at.chunks > 0 && progress->at.chunk < progress->at.chunks;
    move->state = needs_rows ? CLUSTER_LEARNING : CLUSTER_CATCHING_UP;
    move->bytes_done = progress->at.bytes_done;
    move->bytes_total = progress->at.bytes_total;
    move->bytes_per_s = progress->bytes_per_s;
    move->started_ms = move->started_ms == 0 ? progress->since_ms : move->started_ms;
}

/* Nothing goes to a silent node until it is back or replaced: its ranges lack a copy, and do not move. */
static bool is_alive(const struct listing *list, uint64_t id) {
    const struct cluster_node *node = cluster_facts_node(list->facts, id);
    return node != NULL && node->is_alive;
}

static void copies_list(struct listing *list) {
    const struct range_record *record = &list->range->record;
    const struct placement *wish = &list->range->placement;
    size_t number = 0;
    for (size_t i = 0; i < record->learners_count; i++)
        if (is_wished(list->range, record->learners[i]) && is_alive(list, record->learners[i]))
            copy_add(list, record->learners[i], number++, true);
    for (size_t i = 0; i < wish->holders_count; i++)
        if (!range_record_has_in_sync(record, wish->holders[i]) &&
            !range_record_has_learner(record, wish->holders[i]) && is_alive(list, wish->holders[i]))
            copy_add(list, wish->holders[i], number++, false);
}

/* Holders that it does not have yet, alive or not. */
static bool is_copied(const struct cluster_range *range) {
    for (size_t i = 0; i < range->record.learners_count; i++)
        if (is_wished(range, range->record.learners[i]))
            return false;
    for (size_t i = 0; i < range->placement.holders_count; i++)
        if (!range_record_has_in_sync(&range->record, range->placement.holders[i]))
            return false;
    return true;
}

static void range_list(struct listing *list) {
    const struct range_record *record = &list->range->record;
    const struct placement *wish = &list->range->placement;
    copies_list(list);
    if (wish->primary != record->primary && range_record_has_in_sync(record, wish->primary) &&
        is_alive(list, wish->primary))
        move_add(list, BALANCER_PRIMARY, record->primary, wish->primary);
    for (size_t i = 0; is_copied(list->range) && i < record->in_sync_count; i++)
        if (!is_wished(list->range, record->in_sync[i]))
            move_add(list, BALANCER_DROP, record->in_sync[i], 0);
    for (size_t i = 0; i < record->learners_count; i++)
        if (!is_wished(list->range, record->learners[i]))
            move_add(list, BALANCER_DROP, record->learners[i], 0);
}

static bool is_at_rest(const struct cluster_range *range) {
    return range->record.epoch == 0 || (range->record.learners_count == 0 && !cluster_range_is_under_way(range));
}

void cluster_moves_list(const struct cluster_facts *facts, struct arena *arena, struct cluster_move **moves,
                        size_t *count) {
    struct listing list = {.facts = facts, .arena = arena};
    size_t busy = 0;
    for (size_t i = 0; i < facts->ranges_count; i++)
        busy += !is_at_rest(&facts->ranges[i]);
    list.moves = ARENA_NEW_ARRAY(arena, struct cluster_move, busy * MOVES_PER_RANGE_MAX + 1);
    for (size_t i = 0; i < facts->ranges_count; i++) {
        list.range = &facts->ranges[i];
        if (!is_at_rest(list.range))
            range_list(&list);
    }
    *moves = list.moves;
    *count = list.count;
}
