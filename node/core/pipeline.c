/* What goes to the disk in one batch and comes back: entries to append, entries to apply, log ends to take off. */
#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

/* clang-format off */
/*            propose        ACTION_WRITE              EVENT_BATCH_DONE          on all that are in sync
 *  waiting ───────────▶ placed ───────▶ lent: append ──────────────▶ durable ─────────────────────────▶ committed
 *                         ▲                │                                                              │
 *    an APPEND packet ────┘                └─ disk refused: places taken back ─▶ refused                   │ ACTION_WRITE
 *                                                                                                         ▼
 *                                                       answered, told ◀───────────────────────────── lent: apply
 *                                                                           EVENT_BATCH_DONE
 *
 * With one replica an entry is committed as soon as it is durable, so one and the same batch appends and applies it. */
/* clang-format on */

void pipeline_batch_free(struct batch *batch) {
    if (batch == NULL)
        return;
    arena_close(&batch->arena);
    free(batch);
}

static struct entry *waiting_pop(struct node_core *core) {
    struct entry_queue *queue = &core->waiting;
    struct entry *entry = queue->first;
    queue->first = entry->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    queue->count--;
    entry->next = NULL;
    return entry;
}

static void waiting_add(struct node_core *core, struct entry *entry) {
    entry->next = NULL;
    *core->waiting.end = entry;
    core->waiting.end = &entry->next;
    core->waiting.count++;
}

/* ---- filling a batch ---- */

static void item_add(struct batch *batch, struct entry *entry, bool is_append, bool is_apply) {
    entry->is_lent = true;
    batch->items[batch->count++] = (struct batch_item){.entry = entry, .is_append = is_append, .is_apply = is_apply};
}

/* What is wiped is all that lies here, also when the record says less since: what becomes of the rest is not decided
 * yet then, and to write the record's bounds down would be to forget it. */
static struct bounds taking_bounds(const struct range *range) {
    bool is_wipe = !range->taking.is_wiped;
    return is_wipe && bounds_are_said(&range->disk) ? range->disk : range->replication.record.bounds;
}

static void taking_add(struct range *range, struct batch *batch) {
    struct range_taking *taking = &range->taking;
    taking->is_lent = true;
    batch->takings[batch->takings_count++] =
        (struct batch_taking){.range = range->replication.range,
                              .bounds = taking_bounds(range),
                              .chunk = taking->is_wiped ? taking->chunk.rows : BYTES_ABSENT};
}

static bool taking_is_due(const struct node_core *core, const struct range *range) {
    return range->taking.is_wanted && (!range->taking.is_drop || core->may_drop) &&
           !chunk_budget_rests(&core->chunk_budget, core->step->mono_ms);
}

/* What is in the log already: entries from the primary, and what has been committed meanwhile. */
static void log_work_add(struct node_core *core, struct range *range, struct batch *batch, size_t count_max) {
    if (taking_is_due(core, range)) {
        taking_add(range, batch);
        core->may_drop = core->may_drop && !range->taking.is_drop;
    }
    if (range->taking.is_wanted || disk_state_spares(range))
        return;
    if (range->truncate_from != 0) {
        batch->truncations[batch->truncations_count++] =
            (struct log_truncation){.range = range->replication.range, .from = range->truncate_from};
        range->truncate_from = 0;
    }
    for (struct entry *entry = range_next_append(range); entry != NULL && batch->count < count_max;
         entry = entry->next_in_range) {
        item_add(batch, entry, true, false);
        range->append_given = entry->place.index;
    }
    uint64_t committed = range->replication.committed;
    for (struct entry *entry = range_next_apply(range);
         entry != NULL && entry->place.index <= committed && entry->place.index <= range->replication.durable &&
         batch->count < count_max;
         entry = entry->next_in_range) {
        item_add(batch, entry, false, true);
        range->apply_given = entry->place.index;
    }
}

/* Its place and time are given here, where the order is. */
static void proposal_add(struct node_core *core, const struct step *step, struct batch *batch, struct entry *entry) {
    struct range *range = core_range_of(core, &entry->command.subject);
    int rc = replication_may_write(&range->replication, step->mono_ms, core->options.min_in_sync);
    if (entry->is_malformed)
        rc = STATUS_MALFORMED;
    if (rc == STATUS_NOT_PRIMARY && questions_carry(core, step, entry))
        return;
    if (rc == STATUS_OK)
        rc = disk_state_refusal(core, range, entry);
    if (rc != STATUS_OK) {
        core_entries_refuse(core, step, entry, rc);
        return;
    }
    range_place(range, entry, step->now_ms);
    /* Not before what the disk has refused to apply so far. */
    bool commits_alone = range_commits_alone(range) && range->apply_given + 1 == entry->place.index;
    item_add(batch, entry, true, commits_alone);
    range->append_given = entry->place.index;
    if (commits_alone) {
        range->apply_given = entry->place.index;
        replication_lend_alone(&range->replication, entry->place.index);
    }
    core_touch(core, range);
}

/* Takes the removals out of those who wait; the order of the others stays. */
static void removals_add(struct node_core *core, const struct step *step, struct batch *batch, size_t count_max) {
    struct entry_queue waiting = core->waiting;
    core->waiting = (struct entry_queue){.end = &core->waiting.first};
    for (struct entry *entry = waiting.first, *next; entry != NULL; entry = next) {
        next = entry->next;
        entry->next = NULL;
        if (batch->count < count_max && disk_state_is_removal(entry))
            proposal_add(core, step, batch, entry);
        else
            waiting_add(core, entry);
    }
    if (follow_ups_next_is_purge(core) && batch->count < count_max)
        proposal_add(core, step, batch, follow_ups_pop(core));
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Follow-ups have half of a batch, or more if clients leave it: neither a storm of new threads nor a storm of messages
 * makes the other wait for ever. */
static void proposals_add(struct node_core *core, const struct step *step, struct batch *batch, size_t count_max) {
    size_t room = count_max - batch->count;
    size_t count = smaller(core->waiting.count + core->entries_ready, room);
    size_t of_clients = batch->count + count - smaller(core->entries_ready, count / 2);
    size_t end = batch->count + count;
    while (core->waiting.count > 0 && batch->count < of_clients)
        proposal_add(core, step, batch, waiting_pop(core));
    while (core->entries_ready > 0 && batch->count < end)
        proposal_add(core, step, batch, follow_ups_pop(core));
}

struct log_work {
    size_t items, truncations, takings, births;
};

static struct log_work log_work(const struct node_core *core) {
    struct log_work work = {0};
    for (uint32_t i = 0; !core->options.is_alone && i < core->options.range_count; i++) {
        const struct range *range = &core->ranges[i];
        work.items += range_work(range);
        work.truncations += range->truncate_from != 0 ? 1 : 0;
        work.births += range->birth.is_wanted ? 1 : 0;
        work.takings += taking_is_due(core, range) ? 1 : 0;
    }
    return work;
}

static bool is_empty(const struct batch *batch) {
    return batch->count == 0 && batch->truncations_count == 0 && batch->takings_count == 0 && batch->births_count == 0;
}

static struct batch *batch_new(const struct node_core *core) {
    struct batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    arena_init(&batch->arena);
    batch->may_use_reserve = !core->options.is_alone;
    return batch;
}

static void batch_lend(struct node_core *core, const struct step *step, struct batch *batch) {
    core->lent = batch;
    action_add(step->actions, ACTION_WRITE)->batch = batch;
}

/* Alone, what removes goes by itself in a full store, because it may use the reserve and the others may not. */
static void proposals_of_all_add(struct node_core *core, const struct step *step, struct batch *batch, size_t count) {
    if (core->options.is_alone && core->disk == NODE_CORE_DISK_IS_FULL && is_empty(batch)) {
        removals_add(core, step, batch, count);
        batch->is_removal = batch->count > 0;
    }
    if (!batch->is_removal)
        proposals_add(core, step, batch, count);
}

/* While the disk is busy the next batch gathers: group commit across all ranges. */
void pipeline_write_next(struct node_core *core, const struct step *step) {
    if (core->lent != NULL)
        return;
    if (disk_state_wants_probe(core, step)) {
        struct batch *probe = batch_new(core);
        probe->is_probe = true;
        batch_lend(core, step, probe);
        return;
    }
    struct log_work work = log_work(core);
    size_t count = smaller(work.items + core->waiting.count + core->entries_ready, LIMIT_DISK_BATCH_MAX);
    if (count + work.truncations + work.takings + work.births == 0)
        return;
    if (disk_state_is_closed(core))
        work = (struct log_work){0}; /* but who proposes is refused by name */
    struct batch *batch = batch_new(core);
    batch->items = ARENA_NEW_ARRAY(&batch->arena, struct batch_item, count);
    batch->truncations = ARENA_NEW_ARRAY(&batch->arena, struct log_truncation, work.truncations);
    batch->takings = ARENA_NEW_ARRAY(&batch->arena, struct batch_taking, work.takings);
    batch->births = ARENA_NEW_ARRAY(&batch->arena, struct batch_birth, work.births);
    for (uint32_t i = 0; work.births > 0 && i < core->options.range_count; i++)
        splits_births_add(&core->ranges[i], batch);
    for (uint32_t i = 0; work.items + work.truncations + work.takings > 0 && i < core->options.range_count; i++)
        log_work_add(core, &core->ranges[i], batch, count);
    proposals_of_all_add(core, step, batch, count);
    if (is_empty(batch))
        pipeline_batch_free(batch);
    else
        batch_lend(core, step, batch);
}

/* ---- what came back ---- */

static void changes_tell(struct node_core *core, const struct step *step, struct range *range,
                         const struct entry *entry, unsigned copies) {
    range->entries_led++;
    for (const struct outcome_change *told = entry->outcome.changes; told != NULL; told = told->next) {
        range->changes_told++;
        if (told->change.kind != CHANGE_RECEIPTS || coalescer_offer(core->coalescer, &told->change, step->now_ms))
            listeners_tell(core, step, &told->change, copies);
    }
}

static void primary_tell(struct node_core *core, const struct step *step, struct range *range,
                         const struct entry *entry, unsigned copies) {
    changes_tell(core, step, range, entry, copies);
    if (entry->outcome.has_events)
        eventful_add(core, &entry->command.subject);
}

/* What the last primary has not told any more. Whoever listens finds in the store what has an offset. */
static void receipts_tell(struct node_core *core, const struct step *step, const struct entry *entry, unsigned copies) {
    for (const struct outcome_change *told = entry->outcome.changes; told != NULL; told = told->next)
        if (told->change.kind == CHANGE_RECEIPTS && coalescer_offer(core->coalescer, &told->change, step->now_ms))
            listeners_tell(core, step, &told->change, copies);
}

/* Only the primary tells and answers. */
static void entry_applied(struct node_core *core, const struct step *step, struct range *range, struct entry *entry) {
    unsigned copies = replication_copies(&range->replication);
    check(range_pop(range) == entry);
    core->applied++;
    range->entries_applied++;
    if (range->replication.role == REPLICATION_PRIMARY)
        primary_tell(core, step, range, entry, copies);
    else if (range->replication.role == REPLICATION_TAKING_OVER)
        receipts_tell(core, step, entry, copies);
    if (entry->origin == ENTRY_OF_CLIENT)
        follow_ups_of_client(core, step, entry, copies);
    else if (entry->origin == ENTRY_OF_PEER)
        questions_command_done(core, step, entry, STATUS_OK);
    else if (entry->follow_up != NULL)
        follow_ups_on_applied(core, step, entry);
    core_entry_done(core, entry);
}

static void items_take_back(struct node_core *core, struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        entry->is_lent = false;
        if (entry->is_dropped) {
            core_entry_done(core, entry);
            batch->items[i].entry = NULL;
        }
    }
}

static void taking_done(struct node_core *core, const struct step *step, const struct batch_taking *done) {
    struct replication_step replication_step = core_replication_step(core, step);
    struct range *range = &core->ranges[done->range];
    struct range_taking *taking = &range->taking;
    core_touch(core, range);
    if (taking->is_drop) {
        holdings_dropped(range, done->is_done);
    } else if (done->rc != STATUS_OK) {
        taking->is_wanted = false;
        replication_on_chunk_refused(&range->replication);
    } else if (!taking->is_wiped) {
        taking->is_wiped = done->is_done;
    } else {
        taking->is_wanted = false;
        if (taking->chunk.is_last)
            range_made_whole(range, taking->chunk.index);
        replication_on_chunk_durable(&range->replication, &replication_step, &taking->chunk);
    }
}

static void takings_take_back(struct node_core *core, const struct step *step, struct batch *batch) {
    for (size_t i = 0; i < batch->takings_count; i++) {
        core->ranges[batch->takings[i].range].taking.is_lent = false;
        if (batch->rc == STATUS_OK)
            taking_done(core, step, &batch->takings[i]);
    }
}

static void batch_succeeded(struct node_core *core, const struct step *step, struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        if (entry == NULL)
            continue;
        struct range *range = &core->ranges[entry->place.range];
        bool is_last_of_range = i + 1 == batch->count || batch->items[i + 1].entry == NULL ||
                                batch->items[i + 1].entry->place.range != entry->place.range;
        if (batch->items[i].is_append) {
            struct replication_step replication_step = core_replication_step(core, step);
            /* One acknowledgement for all of them. */
            if (is_last_of_range || !batch->items[i + 1].is_append || batch->items[i].is_apply)
                replication_on_durable(&range->replication, &replication_step, entry->place.index);
            replication_commit(&range->replication);
        }
        core_touch(core, range);
        if (batch->items[i].is_apply)
            entry_applied(core, step, range, entry);
    }
}

/* Nothing of it happened. What is not durable leaves the log, and what was to be applied is so later. */
void pipeline_range_refused(struct node_core *core, const struct step *step, struct range *range, int rc) {
    struct replication_step replication_step = core_replication_step(core, step);
    range->apply_given = range->applied;
    bool has_changed = replication_on_refused(&range->replication, &replication_step);
    core_entries_refuse(core, step, range_cut(range, window_last_index(&range->replication.window) + 1), rc);
    if (has_changed) { /* when another leads next, what waits for us would do so for ever */
        core->has_map_changed = true;
        pipeline_range_lost(core, step, range);
    }
    core_touch(core, range);
}

static void batch_failed(struct node_core *core, const struct step *step, struct batch *batch) {
    for (size_t i = 0; i < batch->truncations_count; i++) {
        struct range *range = &core->ranges[batch->truncations[i].range];
        uint64_t from = batch->truncations[i].from;
        if (range->truncate_from == 0 || from < range->truncate_from)
            range->truncate_from = from;
        pipeline_range_refused(core, step, range, batch->rc);
    }
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].entry == NULL)
            continue;
        uint32_t id = batch->items[i].entry->place.range;
        if (id != last)
            core->ranges[id].is_refused = true;
        last = id;
    }
    for (uint32_t id = 0; id < core->options.range_count; id++) {
        if (!core->ranges[id].is_refused)
            continue;
        core->ranges[id].is_refused = false;
        pipeline_range_refused(core, step, &core->ranges[id], batch->rc);
    }
}

void pipeline_on_batch_done(struct node_core *core, const struct step *step, struct batch *batch) {
    check(batch == core->lent);
    core->lent = NULL;
    core->returned = batch;
    core->batches++;
    disk_state_on_batch(core, step, batch);
    items_take_back(core, batch);
    takings_take_back(core, step, batch);
    splits_births_take_back(core, step, batch);
    if (batch->rc == STATUS_OK)
        batch_succeeded(core, step, batch);
    else
        batch_failed(core, step, batch);
}

/* ---- a range that is led elsewhere ---- */

void pipeline_authors_let_go(struct node_core *core, const struct step *step, struct range *range) {
    const struct replication *replication = &range->replication;
    if (replication->role != REPLICATION_PRIMARY ||
        step->mono_ms - replication_lease_until(replication) < REPLICATION_LET_GO_MS)
        return;
    for (struct entry *entry = range->first; entry != NULL; entry = entry->next_in_range) {
        if (entry->origin == ENTRY_OF_FOLLOW_UP)
            follow_ups_author_let_go(core, step, entry);
        if (entry->origin != ENTRY_OF_CLIENT)
            continue;
        core_answer_refusal(step, entry, STATUS_NOT_PRIMARY);
        entry->is_let_go = true;
    }
}

void pipeline_range_lost(struct node_core *core, const struct step *step, struct range *range) {
    for (struct entry *entry = range->first; entry != NULL; entry = entry->next_in_range) {
        if (entry->origin == ENTRY_OF_CLIENT)
            core_answer_refusal(step, entry, STATUS_NOT_PRIMARY);
        else if (entry->origin == ENTRY_OF_PEER)
            questions_command_done(core, step, entry, STATUS_SERVICE_UNAVAILABLE); /* it may be committed yet */
        else if (entry->follow_up != NULL)
            follow_ups_on_refused(core, step, entry);
        entry->origin = ENTRY_OF_LOG;
        entry->follow_up = NULL;
    }
    follow_ups_forget(core, step, range);
}
