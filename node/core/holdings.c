/* What this node holds: ranges are handed over, a few at a time, and copies dropped. What is on the way of each range
 * is told to who looks on. */
#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/status.h"

#define HAND_OVERS_MAX 4

/* ---- hand-overs ---- */

static uint64_t heir_of(const struct node_core *core, uint32_t range, int64_t mono_ms) {
    const struct replication *replication = &core->ranges[range].replication;
    if (replication->handing_to != 0)
        return 0;
    return core->is_leaving ? replication_heir(replication, range, mono_ms)
                            : replication_wished_heir(replication, mono_ms);
}

/* A few ranges at a time, so that none waits for the coordinator's answers about others; of a node that leaves to each
 * heir in turn. What comes to nothing is tried again. */
void holdings_hand_over(struct node_core *core, const struct step *step) {
    size_t handing = 0;
    for (uint32_t i = 0; i < core->options.range_count; i++)
        handing += core->ranges[i].replication.handing_to != 0;
    for (uint32_t i = 0; i < core->options.range_count && handing < HAND_OVERS_MAX; i++) {
        uint64_t heir = heir_of(core, i, step->mono_ms);
        if (heir == 0 || !replication_hand_over(&core->ranges[i].replication, heir, step->mono_ms))
            continue;
        core_touch(core, &core->ranges[i]);
        chunk_budget_rest(&core->chunk_budget, step->mono_ms);
        handing++;
    }
}

static void held_measure(struct node_core *core, const struct step *step, struct range *range) {
    bool is_held = range->replication.handing_to != 0;
    if (is_held && range->held_since_ms == 0)
        range->held_since_ms = step->mono_ms;
    if (is_held || range->held_since_ms == 0)
        return;
    durations_add(&core->held, step->mono_ms - range->held_since_ms);
    range->held_since_ms = 0;
}

/* Once both are known, of the same hand-over. */
static void stall_measure(struct node_core *core, const struct range *range) {
    if (range->held_epoch != 0 && range->held_epoch == range->taken_epoch)
        durations_add(&core->stalled, range->held_for_ms + range->taken_for_ms);
}

/* To take writes it has to lead, and to have the lease. */
static void given_measure(struct node_core *core, const struct step *step, struct range *range) {
    const struct replication *replication = &range->replication;
    uint64_t epoch = replication->record.epoch;
    bool is_leading = replication->role == REPLICATION_TAKING_OVER || replication->role == REPLICATION_PRIMARY;
    if (!is_leading || !replication->record.is_handed_over || epoch == range->taken_epoch) {
        range->given_since_ms = 0;
        return;
    }
    if (range->given_since_ms == 0)
        range->given_since_ms = step->mono_ms;
    if (!replication_may_read(replication, step->mono_ms))
        return;
    range->taken_for_ms = step->mono_ms - range->given_since_ms;
    range->taken_epoch = epoch;
    durations_add(&core->given, range->taken_for_ms);
    stall_measure(core, range);
}

void holdings_held_elsewhere(struct node_core *core, struct range *range, uint64_t epoch, int64_t held_ms) {
    if (epoch <= range->held_epoch)
        return; /* it has come twice */
    range->held_epoch = epoch;
    range->held_for_ms = held_ms;
    stall_measure(core, range);
}

void holdings_measure(struct node_core *core, const struct step *step, struct range *range) {
    held_measure(core, step, range);
    given_measure(core, step, range);
}

void holdings_hear(struct node_core *core, const struct step *step, const struct range_record *record) {
    if (record->is_handed_over)
        chunk_budget_rest(&core->chunk_budget, step->mono_ms);
}

/* ---- drops ---- */

/* What comes for it from now on finds it void; when it is to be here again, it comes as a snapshot. */
void holdings_drop(struct node_core *core, const struct step *step, struct range *range) {
    struct range_taking *taking = &range->taking;
    if (!replication_may_drop(&range->replication) || range_is_empty(range) || taking->is_drop ||
        range_is_lent(range) || !splits_are_settled(range))
        return;
    replication_on_chunk_refused(&range->replication); /* one that waits for the disk is for nothing now */
    replication_make_void(&range->replication);
    core_entries_refuse(core, step, range_void(range), STATUS_NOT_PRIMARY);
    range->is_wiped = false;
    *taking = (struct range_taking){.rows = taking->rows, .is_wanted = true, .is_drop = true};
}

void holdings_dropped(struct range *range, bool is_done) {
    range->taking.is_wanted = !is_done;
    range->taking.is_drop = !is_done;
    range->is_wiped = is_done;
}

/* ---- what is under way ---- */

static struct node_core_replica_status replica_status(const struct replica *replica) {
    bool has_snapshot = replica->snapshot != 0;
    return (struct node_core_replica_status){.node = replica->node,
                                             .durable = replica->durable,
                                             .chunk = has_snapshot ? replica->chunk : 0,
                                             .chunks = has_snapshot ? replica->chunks_all : 0,
                                             .snapshot_bytes = has_snapshot ? replica->bytes_all : 0};
}

struct node_core_range_status node_core_range_status(const struct node_core *core, uint32_t id) {
    check(id < core->options.range_count);
    const struct range *range = &core->ranges[id];
    const struct replication *replication = &range->replication;
    struct node_core_range_status status = {.record = replication->record,
                                            .version = replication->version,
                                            .placement = replication->placement,
                                            .role = replication->role,
                                            .is_handing_over = replication->handing_to != 0,
                                            .is_dropping = range->taking.is_drop,
                                            .is_empty = range_is_empty(range),
                                            .last_index = window_last_index(&replication->window),
                                            .committed = replication->committed,
                                            .entries_applied = range->entries_applied,
                                            .entries_led = range->entries_led,
                                            .changes_told = range->changes_told};
    for (size_t i = 0; i < replication->replicas_count; i++)
        status.replicas[status.replicas_count++] = replica_status(&replication->replicas[i]);
    return status;
}
