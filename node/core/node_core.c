#include "node/core/node_core.h"

#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

/* Of one life; so that no two lives of a node promise the same. */
#define PROMISES_BITS 20

#define OUTBOX_RETRY_MS 1000

/* ---- life ---- */

struct node_core *node_core_new(const struct node_core_options *options) {
    struct node_core *core = calloc(1, sizeof(*core));
    check(core != NULL);
    core->options = *options;
    if (core->options.ranges_max == 0)
        core->options.ranges_max = options->range_count;
    core->parts = options->range_count;
    cluster_map_init(&core->map);
    core->ranges = calloc(core->options.ranges_max, sizeof(*core->ranges));
    check(core->ranges != NULL);
    core->waiting.end = &core->waiting.first;
    core->coalescer = coalescer_new();
    chunk_budget_init(&core->chunk_budget, options->snapshot_bytes_per_s);
    arena_init(&core->step_arena);
    if (!options->is_alone) {
        questions_open(core, options->start);
        listeners_open(core, options->start);
    }
    return core;
}

static void entries_free(struct entry *entries) {
    for (struct entry *next; entries != NULL; entries = next) {
        next = entries->next;
        entry_free(entries);
    }
}

/* Lent entries that are still in their range's log are freed with it. */
static void lent_free(struct batch *batch) {
    for (size_t i = 0; batch != NULL && i < batch->count; i++)
        if (batch->items[i].entry->is_dropped)
            entry_free(batch->items[i].entry);
    pipeline_batch_free(batch);
}

void node_core_free(struct node_core *core) {
    entries_free(core->waiting.first);
    entries_free(core->done);
    lent_free(core->lent);
    pipeline_batch_free(core->returned);
    for (uint32_t i = 0; i < core->options.range_count; i++)
        range_close(&core->ranges[i]);
    questions_close(core);
    listeners_close(core);
    follow_ups_close(core);
    coalescer_free(core->coalescer);
    arena_close(&core->step_arena);
    cluster_map_close(&core->map);
    free(core->live);
    free(core->ranges);
    free(core);
}

/* ---- what the parts need ---- */

struct range *core_range_of(struct node_core *core, const struct id_hash *subject) {
    uint32_t range = cluster_map_range_of(&core->map, subject);
    return range == CLUSTER_MAP_NOBODY ? &core->nowhere : &core->ranges[range];
}

struct replication_step core_replication_step(struct node_core *core, const struct step *step) {
    return (struct replication_step){.actions = step->actions,
                                     .arena = &core->step_arena,
                                     .mono_ms = step->mono_ms,
                                     .chunk_budget = &core->chunk_budget};
}

void core_touch(struct node_core *core, struct range *range) {
    if (range->is_busy)
        return;
    range->is_busy = true;
    range->next_busy = core->busy;
    core->busy = range;
}

void core_answer(const struct step *step, void *reply_to, unsigned worker, const struct command_result *result,
                 unsigned copies) {
    struct action *action = action_add(step->actions, ACTION_ANSWER);
    action->reply_to = reply_to;
    action->worker = worker;
    action->result = *result;
    action->copies = copies;
}

void core_answer_refusal(const struct step *step, const struct entry *entry, int rc) {
    struct command_result result = {.rc = rc};
    if (!entry->is_let_go)
        core_answer(step, entry->reply_to, entry->worker, &result, 0);
}

void core_entry_done(struct node_core *core, struct entry *entry) {
    entry->next = core->done;
    core->done = entry;
}

void core_entries_refuse(struct node_core *core, const struct step *step, struct entry *entries, int rc) {
    for (struct entry *entry = entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->origin == ENTRY_OF_CLIENT)
            core_answer_refusal(step, entry, rc);
        else if (entry->origin == ENTRY_OF_PEER)
            questions_command_done(core, step, entry, rc);
        else if (entry->follow_up != NULL)
            follow_ups_on_refused(core, step, entry);
        entry->origin = ENTRY_OF_LOG;
        entry->follow_up = NULL;
        entry->is_dropped = entry->is_lent; /* the disk worker gives it back first */
        if (!entry->is_lent)
            core_entry_done(core, entry);
    }
}

/* ---- events ---- */

static void outbox_ask(const struct step *step, struct range *range) {
    range->outbox_retry_ms = 0;
    struct action *action = action_add(step->actions, ACTION_READ_OUTBOX);
    action->range = range->replication.range;
    action->bounds = range->replication.record.bounds;
}

/* What threads still have to tell must not wait for the next primary. */
static void outbox_ask_again(const struct step *step, struct range *range) {
    bool is_due = range->outbox_retry_ms != 0 && step->mono_ms >= range->outbox_retry_ms;
    if (is_due && range->replication.role == REPLICATION_PRIMARY)
        outbox_ask(step, range);
}

void core_role_changed(struct node_core *core, const struct step *step, struct range *range) {
    core_touch(core, range);
    core->has_map_changed = true;
    if (range->replication.role == REPLICATION_PRIMARY) {
        range->led_ms = step->mono_ms;
        outbox_ask(step, range);
    } else {
        listeners_range_lost(core, step, range);
        pipeline_range_lost(core, step, range);
    }
}

/* Follow-ups count one each, however many users they tell: a few large threads must not lock everybody out. */
static bool is_overloaded(const struct node_core *core) {
    size_t on_disk = core->lent == NULL ? 0 : core->lent->count;
    return core->waiting.count + on_disk >= core->options.queue_max || core->tellings >= core->options.queue_max;
}

static void on_propose(struct node_core *core, const struct step *step, struct entry *entry) {
    entry->next = NULL;
    if (is_overloaded(core)) {
        core_entries_refuse(core, step, entry, STATUS_OVERLOADED);
        return;
    }
    *core->waiting.end = entry;
    core->waiting.end = &entry->next;
    core->waiting.count++;
}

/* An entry as it lies in the window, which may let go of it before it is applied. */
static struct entry *entry_of_log(const struct range *range, uint64_t index) {
    const struct window_entry *found = window_find(&range->replication.window, index);
    struct entry *entry = entry_new(ENTRY_OF_LOG);
    check(found != NULL);
    struct bytes command = arena_copy(&entry->arena, bytes_of(found->command, found->size));
    entry->place = (struct log_place){.range = range->replication.range, .epoch = found->epoch, .index = index};
    entry->encoded = command;
    check(command_decode(command, &entry->arena, &entry->command) == STATUS_OK);
    return entry;
}

static void entries_of_log_take(struct range *range, uint64_t first, uint64_t last) {
    for (uint64_t index = first; index != 0 && index <= last; index++)
        range_take(range, entry_of_log(range, index));
}

void core_range_start(struct node_core *core, const struct step *step, uint32_t id, const struct start_range *found) {
    struct range *range = &core->ranges[id];
    window_init(&range->replication.window, found->base_index, found->base_epoch);
    for (size_t i = 0; i < found->entries_count; i++)
        window_append(&range->replication.window, found->entries[i].epoch, found->entries[i].command);
    /* One that has come by a split does not begin with nothing: only rows can be the beginning. */
    bool is_nothing = id >= core->parts && !bounds_are_said(&found->bounds);
    range->disk = found->bounds;
    if (!bounds_are_said(&range->disk) && id < core->parts)
        range->disk = bounds_of_part(id, core->parts);
    range_init(range, id, core->options.self, core->options.is_alone, &found->marks, found->is_void || is_nothing,
               step->mono_ms);
    range->is_wiped = is_nothing;
    range->replication.min_in_sync = core->options.min_in_sync;
    range->replication.is_leaving = core->is_leaving;
    disk_state_tell(core, range);
    range->replication.promise = core->options.start << PROMISES_BITS;
    entries_of_log_take(range, range->applied + 1, window_last_index(&range->replication.window));
}

/* Alone, a node leads every range, in the epoch it has. */
static void lead_alone(struct node_core *core, const struct step *step, struct range *range, uint64_t epoch) {
    struct replication_step replication_step = core_replication_step(core, step);
    uint32_t id = range->replication.range;
    struct range_record record = {.range = id,
                                  .bounds = range->disk,
                                  .epoch = epoch == 0 ? 1 : epoch,
                                  .primary = core->options.self,
                                  .in_sync = {core->options.self},
                                  .in_sync_count = 1};
    replication_on_record(&range->replication, &replication_step, &record, 1);
    replication_commit(&range->replication);
    cluster_map_set(&core->map, id, &record.bounds);
}

static void outbox_row_take(struct node_core *core, const struct start_outbox_row *row) {
    if (row->number == OUTBOX_EVENTS_NUMBER)
        eventful_add(core, &row->subject);
    else
        follow_ups_start(core, &row->subject, row->number, &row->row);
}

static void on_start(struct node_core *core, const struct step *step, const struct event *event) {
    check(event->ranges_count <= core->options.ranges_max);
    if (event->ranges_count > core->options.range_count)
        core->options.range_count = event->ranges_count;
    for (uint32_t i = 0; i < core->options.range_count; i++) {
        core_range_start(core, step, i, &event->ranges[i]);
        if (core->options.is_alone && bounds_are_said(&core->ranges[i].disk))
            lead_alone(core, step, &core->ranges[i], event->ranges[i].marks.epoch);
    }
    for (size_t i = 0; i < event->outbox_count; i++)
        outbox_row_take(core, &event->outbox[i]);
}

static void on_nodes(struct node_core *core, const struct event *event) {
    core->live = realloc(core->live, (event->nodes_count + 1) * sizeof(*core->live));
    check(core->live != NULL);
    for (size_t i = 0; i < event->nodes_count; i++)
        core->live[i] = event->nodes[i];
    core->live_count = event->nodes_count;
}

/* A command that this version cannot read would end every life of this node that finds it in its log. And the range may
 * have been split behind what is of others, while what is here of it stands before that: then only its rows can bring
 * it further, from when its upper part is let go on, which the disk may yet have to write down. */
static bool entries_are_readable(struct node_core *core, const struct range *range, const struct packet *packet,
                                 bool *are_of_others) {
    const struct bounds *here = bounds_are_said(&range->disk) ? &range->disk : &range->replication.record.bounds;
    uint64_t last = window_last_index(&range->replication.window);
    struct command command;
    *are_of_others = false;
    for (size_t i = 0; i < packet->entries_count; i++) {
        if (command_decode(packet->entries[i].command, &core->step_arena, &command) != STATUS_OK)
            return false;
        if (packet->previous_index + 1 + i > last && !bounds_have(here, id_hash_position(&command.subject)))
            *are_of_others = true;
    }
    return true;
}

static void on_append(struct node_core *core, const struct step *step, struct range *range, const struct event *event) {
    struct replication_step replication_step = core_replication_step(core, step);
    bool are_of_others;
    if (!entries_are_readable(core, range, event->packet, &are_of_others))
        return;
    if (are_of_others) {
        replication_ask_rows(&range->replication, &replication_step, event->from, event->packet);
        return;
    }
    struct replication_intake intake =
        replication_on_append(&range->replication, &replication_step, event->from, event->packet);
    if (intake.truncate_from != 0) {
        core_entries_refuse(core, step, range_cut(range, intake.truncate_from), STATUS_NOT_PRIMARY);
        if (range->truncate_from == 0 || intake.truncate_from < range->truncate_from)
            range->truncate_from = intake.truncate_from;
    }
    entries_of_log_take(range, intake.first, intake.last);
}

static void on_snapshot(struct node_core *core, const struct step *step, struct range *range,
                        const struct event *event) {
    struct replication_step replication_step = core_replication_step(core, step);
    struct range_taking *taking = &range->taking;
    if (range_is_lent(range) || taking->is_wanted || !splits_are_settled(range) ||
        !replication_on_snapshot(&range->replication, &replication_step, event->from, event->packet, &taking->chunk))
        return; /* it comes again */
    taking->rows.size = 0;
    buffer_append_bytes(&taking->rows, taking->chunk.rows);
    taking->chunk.rows = buffer_bytes(&taking->rows);
    taking->is_wanted = true;
    taking->is_wiped = taking->chunk.chunk > 0;
    range->disk = range->replication.record.bounds;
    range->is_wiped = false;
    if (!taking->is_wiped)
        core_entries_refuse(core, step, range_void(range), STATUS_NOT_PRIMARY);
}

static void on_packet(struct node_core *core, const struct step *step, const struct event *event) {
    struct replication_step replication_step = core_replication_step(core, step);
    const struct packet *packet = event->packet;
    if (packet->kind == PACKET_REQUEST || packet->kind == PACKET_REPLY) {
        requests_on_packet(core->requests, event->from, packet, step->mono_ms);
        return;
    }
    if (packet->kind == PACKET_LISTEN || packet->kind == PACKET_CHANGES || packet->kind == PACKET_CHANGES_SEEN) {
        interest_on_packet(core->interest, event->from, packet, step->mono_ms);
        return;
    }
    if (packet->range >= core->options.range_count)
        return;
    struct range *range = &core->ranges[packet->range];
    core_touch(core, range);
    switch (packet->kind) {
    case PACKET_APPEND:
        on_append(core, step, range, event);
        break;
    case PACKET_APPENDED:
        if (replication_on_appended(&range->replication, &replication_step, event->from, packet))
            core_role_changed(core, step, range);
        break;
    case PACKET_SNAPSHOT:
        on_snapshot(core, step, range, event);
        break;
    case PACKET_SNAPSHOT_TAKEN:
        replication_on_snapshot_taken(&range->replication, &replication_step, event->from, packet);
        break;
    case PACKET_RECORD:
        records_on_packet(core, step, event);
        break;
    default:
        break;
    }
}

static void on_chunk(struct node_core *core, const struct step *step, const struct event *event) {
    struct replication_step replication_step = core_replication_step(core, step);
    struct replication *replication = &core->ranges[event->range].replication;
    if (event->kind == EVENT_CHUNK_READ)
        replication_on_chunk_read(replication, &replication_step, event->to, event->chunk);
    else
        replication_on_chunk_gone(replication, &replication_step, event->to, event->chunk);
}

static void on_leave(struct node_core *core) {
    core->is_leaving = true;
    for (uint32_t i = 0; i < core->options.range_count; i++)
        core->ranges[i].replication.is_leaving = true;
}

static void on_tick(struct node_core *core, const struct step *step) {
    struct replication_step replication_step = core_replication_step(core, step);
    listeners_tell_due(core, step);
    follow_ups_tick(core, step);
    if (core->requests != NULL)
        requests_tick(core->requests, step->mono_ms);
    if (core->interest != NULL)
        interest_tick(core->interest, step->mono_ms);
    uint32_t first = chunk_budget_begin_round(&core->chunk_budget);
    for (uint32_t i = 0; !core->options.is_alone && i < core->options.range_count; i++) {
        struct range *range = &core->ranges[(first + i) % core->options.range_count];
        replication_tick(&range->replication, &replication_step, core->live, core->live_count,
                         core->options.replication_factor);
        pipeline_authors_let_go(core, step, range);
        holdings_drop(core, step, range);
        outbox_ask_again(step, range);
        core_touch(core, range);
    }
    splits_begin(core, step);
    disk_state_tick(core, step);
    core->may_drop = true;
}

/* What the step has changed of each range: commits, packets, the memory of its log. */
static void ranges_settle(struct node_core *core, const struct step *step) {
    struct replication_step replication_step = core_replication_step(core, step);
    while (core->busy != NULL) {
        struct range *range = core->busy;
        struct replication *replication = &range->replication;
        core->busy = range->next_busy;
        range->is_busy = false;
        splits_settle(core, step, range);
        bool was_primary = replication->role == REPLICATION_PRIMARY;
        replication_commit(replication);
        if (!was_primary && replication->role == REPLICATION_PRIMARY)
            core_role_changed(core, step, range);
        range->is_busy = false;
        replication_trim(replication, range->applied, core->options.is_alone ? 0 : REPLICATION_WINDOW_BYTES_MAX);
        replication_send(replication, &replication_step);
        holdings_measure(core, step, range);
    }
}

/* It may have been read before the range was split: then the new range's primary reads its part. */
static void on_outbox(struct node_core *core, const struct step *step, const struct event *event) {
    struct range *range = &core->ranges[event->range];
    if (event->rc != STATUS_OK) {
        range->outbox_retry_ms = step->mono_ms + OUTBOX_RETRY_MS;
        return;
    }
    for (size_t i = 0; i < event->outbox_count && range->replication.role == REPLICATION_PRIMARY; i++) {
        const struct start_outbox_row *row = &event->outbox[i];
        if (core_range_of(core, &row->subject) == range)
            outbox_row_take(core, row);
    }
}

static void event_take(struct node_core *core, const struct step *step, const struct event *event) {
    switch (event->kind) {
    case EVENT_START:
        on_start(core, step, event);
        break;
    case EVENT_PROPOSE:
        on_propose(core, step, event->entry);
        break;
    case EVENT_NOTICE:
        listeners_on_notice(core, step, event->notice);
        break;
    case EVENT_BATCH_DONE:
        pipeline_on_batch_done(core, step, event->batch);
        break;
    case EVENT_TICK:
        on_tick(core, step);
        break;
    case EVENT_RECORD:
    case EVENT_SWAPPED:
        records_on_event(core, step, event);
        break;
    case EVENT_PLACEMENT:
        records_on_placement(core, step, event);
        break;
    case EVENT_RANGES:
        core->ranges_wished = event->ranges_count;
        break;
    case EVENT_NODES:
        on_nodes(core, event);
        break;
    case EVENT_PACKET:
        on_packet(core, step, event);
        break;
    case EVENT_CHUNK_READ:
    case EVENT_CHUNK_GONE:
        on_chunk(core, step, event);
        break;
    case EVENT_LEAVE:
        on_leave(core);
        break;
    case EVENT_ASK:
        questions_ask(core, step, event);
        break;
    case EVENT_SERVED:
        requests_served(core->requests, event->token, event->rc, event->body, step->mono_ms);
        break;
    case EVENT_LISTEN:
        listeners_on_listen(core, step, event);
        break;
    case EVENT_UNLISTEN:
        listeners_on_unlisten(core, event->subject);
        break;
    case EVENT_REPEATED:
        listeners_on_repeated(core, step, event->repeated);
        break;
    case EVENT_OUTBOX:
        on_outbox(core, step, event);
        break;
    }
}

void node_core_step(struct node_core *core, const struct event *event, struct action_list *actions) {
    struct step step = {.actions = actions, .now_ms = event->now_ms, .mono_ms = event->mono_ms};
    core->step = &step;
    event_take(core, &step, event);
    if (!core->options.is_alone && (core->has_map_changed || event->kind == EVENT_TICK || event->kind == EVENT_LEAVE ||
                                    event->kind == EVENT_PLACEMENT))
        holdings_hand_over(core, &step);
    ranges_settle(core, &step);
    if (core->has_map_changed && core->requests != NULL) {
        requests_map_changed(core->requests, step.mono_ms);
        interest_map_changed(core->interest, step.mono_ms);
    }
    core->has_map_changed = false;
    pipeline_write_next(core, &step);
    ranges_settle(core, &step);
    eventful_tell(core, &step);
    if (core->options.is_alone)
        return;
    questions_notices_take(core, &step);
    interest_flush(core->interest, step.mono_ms);
}

void node_core_done(struct node_core *core) {
    pipeline_batch_free(core->returned);
    core->returned = NULL;
    entries_free(core->done);
    core->done = NULL;
    if (core->requests != NULL)
        requests_done(core->requests);
    if (core->interest != NULL)
        interest_done(core->interest);
    arena_reset(&core->step_arena);
}

const struct cluster_map *node_core_map(const struct node_core *core) {
    return &core->map;
}

uint32_t node_core_range_count(const struct node_core *core) {
    return core->options.range_count;
}

struct node_core_lead node_core_lead(const struct node_core *core, uint32_t range) {
    const struct replication *replication = &core->ranges[range].replication;
    return (struct node_core_lead){.primary = replication->record.primary,
                                   .lease_until_ms = replication_lease_until(replication),
                                   .in_sync = replication->record.in_sync_count,
                                   .epoch = replication->record.epoch};
}

bool node_core_may_leave(const struct node_core *core, int64_t mono_ms) {
    for (uint32_t i = 0; !core->options.is_alone && i < core->options.range_count; i++)
        if (!replication_may_leave(&core->ranges[i].replication, mono_ms))
            return false;
    return core->interest == NULL || interest_has_told_all(core->interest, mono_ms);
}

struct node_core_statistics node_core_statistics(const struct node_core *core) {
    return (struct node_core_statistics){.disk = core->disk,
                                         .disk_rc = core->disk_rc,
                                         .waiting = core->waiting.count + core->entries_ready,
                                         .on_disk = core->lent == NULL ? 0 : core->lent->count,
                                         .follow_ups = core->follow_ups_count,
                                         .applied = core->applied,
                                         .batches = core->batches,
                                         .held = core->held,
                                         .given = core->given,
                                         .stalled = core->stalled,
                                         .interest = core->interest == NULL ? (struct interest_statistics){0}
                                                                            : interest_statistics(core->interest)};
}
