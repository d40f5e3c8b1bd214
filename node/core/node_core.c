#include "node/core/node_core.h"

#include <stdlib.h>

#include "node/core/coalesce.h"
#include "node/core/follow_up.h"
#include "node/core/range.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

#define FOLLOW_UP_RETRY_MS 1000

/* Entries in the order they were proposed. */
struct entry_queue {
    struct entry *first;
    struct entry **end;
    size_t count;
};

struct follow_up_queue {
    struct follow_up *first;
    struct follow_up *last;
};

struct node_core {
    struct node_core_options options;
    struct cluster_map map;
    struct range *ranges;
    struct entry_queue waiting; /* of clients */
    struct follow_up_queue queues[FOLLOW_UP_QUEUES];
    size_t entries_ready;   /* what the ready ones have to give; an entry is made when a batch takes it */
    struct batch *lent;     /* the batch that is on disk, if any */
    struct batch *returned; /* what the last step's actions borrow */
    struct coalescer *coalescer;
    struct arena tick_arena;
    struct follow_up *follow_ups;
    size_t follow_ups_count;
    size_t tellings; /* follow-ups that are no purges */
    size_t retries;  /* follow-ups with a retry_ms */
    bool is_full;    /* the last batch that added something found no room */
    uint64_t applied;
    uint64_t batches;
};

/*          propose              ACTION_WRITE              EVENT_BATCH_DONE
 *  entry ───────────▶ waiting ───────────────▶ lent to disk ──────────────▶ answered, told, followed up ──┐
 *                                  ▲               │ disk refused: places taken back                      │
 *                     ready ───────┘               └────────▶ author gets 503                             │
 *                       ▲ ▲                                   follow-up waits for a retry ──┐             │
 *                       │ └────────────────────────── EVENT_TICK ───────────────────────────┘             │
 *                       └─────────────────────────────────────────────────────────────────────────────────┘
 */

static void queue_add(struct entry_queue *queue, struct entry *entry) {
    entry->next = NULL;
    *queue->end = entry;
    queue->end = &entry->next;
    queue->count++;
}

static struct entry *queue_pop(struct entry_queue *queue) {
    struct entry *entry = queue->first;
    queue->first = entry->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    queue->count--;
    entry->next = NULL;
    return entry;
}

static void follow_up_queue_add(struct node_core *core, enum follow_up_queue_kind kind, struct follow_up *follow_up) {
    struct follow_up_queue *queue = &core->queues[kind];
    follow_up->next_in[kind] = NULL;
    if (queue->first == NULL)
        queue->first = follow_up;
    else
        queue->last->next_in[kind] = follow_up;
    queue->last = follow_up;
}

static void follow_up_queue_pop(struct node_core *core, enum follow_up_queue_kind kind) {
    struct follow_up_queue *queue = &core->queues[kind];
    queue->first = queue->first->next_in[kind];
}

struct node_core *node_core_new(const struct node_core_options *options) {
    struct node_core *core = calloc(1, sizeof(*core));
    check(core != NULL);
    core->options = *options;
    cluster_map_init(&core->map, options->range_count);
    core->ranges = calloc(options->range_count, sizeof(*core->ranges));
    check(core->ranges != NULL);
    core->waiting.end = &core->waiting.first;
    core->coalescer = coalescer_new();
    arena_init(&core->tick_arena);
    return core;
}

static void batch_free(struct batch *batch) {
    if (batch == NULL)
        return;
    arena_close(&batch->arena);
    free(batch);
}

static void batch_entries_free(struct batch *batch) {
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        entry_free(batch->items[i].entry);
    batch_free(batch);
}

/* One change may have several follow-ups, which share who waits for them. True: this was the last. */
static bool pending_answer_let_go(struct follow_up *follow_up) {
    struct pending_answer *pending = follow_up->pending;
    follow_up->pending = NULL;
    return pending != NULL && --pending->follow_ups_left == 0;
}

void node_core_free(struct node_core *core) {
    while (core->waiting.first != NULL)
        entry_free(queue_pop(&core->waiting));
    batch_entries_free(core->lent);
    batch_entries_free(core->returned);
    while (core->follow_ups != NULL) {
        struct follow_up *next = core->follow_ups->next;
        struct pending_answer *pending = core->follow_ups->pending;
        if (pending_answer_let_go(core->follow_ups))
            free(pending);
        follow_up_free(core->follow_ups);
        core->follow_ups = next;
    }
    coalescer_free(core->coalescer);
    arena_close(&core->tick_arena);
    free(core->ranges);
    free(core);
}

static struct range *range_of(struct node_core *core, const struct id_hash *subject) {
    return &core->ranges[cluster_map_range_of(&core->map, subject)];
}

static void fan_out(struct action_list *actions, const struct change *change, unsigned copies) {
    struct action *action = action_add(actions, ACTION_FAN_OUT);
    action->change = change;
    action->copies = copies;
}

static void answer(struct action_list *actions, void *reply_to, unsigned worker, const struct command_result *result,
                   unsigned copies) {
    struct action *action = action_add(actions, ACTION_ANSWER);
    action->reply_to = reply_to;
    action->worker = worker;
    action->result = *result;
    action->copies = copies;
}

static void answer_refusal(struct action_list *actions, const struct entry *entry, int rc) {
    struct command_result result = {.rc = rc};
    answer(actions, entry->reply_to, entry->worker, &result, 0);
}

static size_t on_disk(const struct node_core *core) {
    return core->lent == NULL ? 0 : core->lent->count;
}

/* Follow-ups count one each, however many users they tell: a few large threads must not lock everybody out. */
static bool is_overloaded(const struct node_core *core) {
    return core->waiting.count + on_disk(core) >= core->options.queue_max || core->tellings >= core->options.queue_max;
}

static void on_propose(struct node_core *core, struct entry *entry, struct action_list *actions) {
    if (is_overloaded(core)) {
        answer_refusal(actions, entry, STATUS_OVERLOADED);
        entry_free(entry);
        return;
    }
    queue_add(&core->waiting, entry);
}

static struct entry *ready_pop(struct node_core *core) {
    struct follow_up *follow_up = core->queues[FOLLOW_UPS_READY].first;
    struct entry *entry = follow_up_next_entry(follow_up);
    core->entries_ready--;
    if (follow_up->entries_ready == 0)
        follow_up_queue_pop(core, FOLLOW_UPS_READY);
    return entry;
}

/* Its time is given here, where the order is: times rise within a range. */
static void batch_add(struct node_core *core, struct batch *batch, struct entry *entry, int64_t now_ms) {
    struct range *range = range_of(core, &entry->command.subject);
    range_stamp(range, entry, now_ms);
    range_place(range, entry);
    batch->items[batch->count++] =
        (struct batch_item){.entry = entry, .is_append = true, .is_apply = range_commits_alone(range)};
}

/* Commands after which the store holds less, or will when they are followed up. */
static bool is_removal(const struct entry *entry) {
    switch (entry->command.kind) {
    case COMMAND_THREAD_DELETE:
    case COMMAND_MESSAGE_DELETE:
    case COMMAND_THREAD_PURGE:
    case COMMAND_OUTBOX_DONE:
    case COMMAND_USER_DELETE:
        return true;
    default:
        return false;
    }
}

/* Takes the removals out of those who wait; the order of the others stays. */
static void removals_take(struct node_core *core, struct batch *batch, size_t count_max, int64_t now_ms) {
    struct entry_queue waiting = core->waiting;
    core->waiting = (struct entry_queue){.end = &core->waiting.first};
    while (waiting.count > 0) {
        struct entry *entry = queue_pop(&waiting);
        if (batch->count < count_max && is_removal(entry))
            batch_add(core, batch, entry, now_ms);
        else
            queue_add(&core->waiting, entry);
    }
    struct follow_up *purge = core->queues[FOLLOW_UPS_PURGE].first;
    bool is_purge_next = purge != NULL && core->queues[FOLLOW_UPS_READY].first == purge;
    if (is_purge_next && batch->count < count_max)
        batch_add(core, batch, ready_pop(core), now_ms);
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* While the disk is busy the next batch gathers: group commit across all ranges. Follow-ups have half of a batch, or
 * more if clients leave it: neither a storm of new threads nor a storm of messages makes the other wait for ever. */
static void write_next(struct node_core *core, int64_t now_ms, struct action_list *actions) {
    size_t count = smaller(core->waiting.count + core->entries_ready, LIMIT_DISK_BATCH_MAX);
    if (core->lent != NULL || count == 0)
        return;
    struct batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    arena_init(&batch->arena);
    batch->items = ARENA_NEW_ARRAY(&batch->arena, struct batch_item, count);
    /* In a full store what removes goes alone, because it may use the reserve and the others may not. */
    if (core->is_full)
        removals_take(core, batch, count, now_ms);
    batch->is_removal = batch->count > 0;
    if (batch->is_removal)
        count = batch->count;
    size_t of_clients = count - smaller(core->entries_ready, count / 2);
    while (core->waiting.count > 0 && batch->count < of_clients)
        batch_add(core, batch, queue_pop(&core->waiting), now_ms);
    while (core->entries_ready > 0 && batch->count < count)
        batch_add(core, batch, ready_pop(core), now_ms);
    core->lent = batch;
    action_add(actions, ACTION_WRITE)->batch = batch;
}

static void follow_up_make_ready(struct node_core *core, struct follow_up *follow_up) {
    if (follow_up->retry_ms != 0)
        core->retries--;
    follow_up_round_begin(follow_up);
    core->entries_ready += follow_up->entries_ready;
    follow_up_queue_add(core, FOLLOW_UPS_READY, follow_up);
}

static struct follow_up *follow_up_start(struct node_core *core, const struct id_hash *subject, uint64_t number,
                                         const struct outbox_row *row) {
    struct follow_up *follow_up = follow_up_new(subject, number, row);
    follow_up->next = core->follow_ups;
    if (core->follow_ups != NULL)
        core->follow_ups->previous = follow_up;
    core->follow_ups = follow_up;
    core->follow_ups_count++;
    core->tellings += row->is_purge ? 0 : 1;
    if (row->is_purge)
        follow_up_queue_add(core, FOLLOW_UPS_PURGE, follow_up);
    /* Purges go one after the other, so that one transaction never removes the rows of many threads. */
    if (!row->is_purge || core->queues[FOLLOW_UPS_PURGE].first == follow_up)
        follow_up_make_ready(core, follow_up);
    return follow_up;
}

static void follow_up_end(struct node_core *core, struct follow_up *follow_up) {
    bool is_purge = follow_up->row.is_purge;
    if (follow_up->previous != NULL)
        follow_up->previous->next = follow_up->next;
    else
        core->follow_ups = follow_up->next;
    if (follow_up->next != NULL)
        follow_up->next->previous = follow_up->previous;
    core->follow_ups_count--;
    core->tellings -= is_purge ? 0 : 1;
    if (is_purge)
        follow_up_queue_pop(core, FOLLOW_UPS_PURGE);
    follow_up_free(follow_up);
    if (is_purge && core->queues[FOLLOW_UPS_PURGE].first != NULL)
        follow_up_make_ready(core, core->queues[FOLLOW_UPS_PURGE].first);
}

static void pending_answer_release(struct follow_up *follow_up, struct action_list *actions) {
    struct pending_answer *pending = follow_up->pending;
    if (!pending_answer_let_go(follow_up))
        return;
    answer(actions, pending->reply_to, pending->worker, &pending->result, pending->copies);
    free(pending);
}

static void client_entry_done(struct node_core *core, struct entry *entry, struct action_list *actions) {
    struct pending_answer *pending = NULL;
    unsigned copies = range_of(core, &entry->command.subject)->copies;
    for (struct outcome_follow_up *wanted = entry->outcome.follow_ups; wanted != NULL; wanted = wanted->next) {
        struct follow_up *follow_up = follow_up_start(core, &wanted->subject, wanted->number, &wanted->row);
        if (wanted->row.is_purge)
            continue; /* nobody waits for the sweeping */
        if (pending == NULL) {
            pending = calloc(1, sizeof(*pending));
            check(pending != NULL);
            *pending = (struct pending_answer){.reply_to = entry->reply_to,
                                               .worker = entry->worker,
                                               .result = entry->outcome.result,
                                               .copies = copies};
        }
        pending->follow_ups_left++;
        follow_up->pending = pending;
    }
    if (pending == NULL)
        answer(actions, entry->reply_to, entry->worker, &entry->outcome.result, copies);
}

static void changes_tell(struct node_core *core, const struct entry *entry, int64_t now_ms,
                         struct action_list *actions) {
    unsigned copies = range_of(core, &entry->command.subject)->copies;
    for (const struct outcome_change *told = entry->outcome.changes; told != NULL; told = told->next)
        if (told->change.kind != CHANGE_RECEIPTS || coalescer_offer(core->coalescer, &told->change, now_ms))
            fan_out(actions, &told->change, copies);
}

static void entry_done(struct node_core *core, struct entry *entry, int64_t now_ms, struct action_list *actions) {
    struct follow_up *follow_up = entry->follow_up;
    changes_tell(core, entry, now_ms, actions);
    if (follow_up != NULL)
        follow_up->in_flight--;
    switch (entry->origin) {
    case ENTRY_OF_CLIENT:
        client_entry_done(core, entry, actions);
        break;
    case ENTRY_OF_FOLLOW_UP:
        follow_up->users_done[entry->command.number] = true;
        if (--follow_up->users_left == 0) {
            pending_answer_release(follow_up, actions);
            follow_up_make_ready(core, follow_up);
        }
        break;
    case ENTRY_OF_PURGE:
        if (entry->outcome.is_purge_done)
            follow_up_end(core, follow_up);
        else
            follow_up_make_ready(core, follow_up);
        break;
    case ENTRY_OF_OUTBOX:
        follow_up_end(core, follow_up);
        break;
    }
}

static void entry_refused(struct node_core *core, struct entry *entry, int rc, int64_t now_ms,
                          struct action_list *actions) {
    struct follow_up *follow_up = entry->follow_up;
    if (entry->origin == ENTRY_OF_CLIENT) {
        answer_refusal(actions, entry, rc);
        return;
    }
    /* The change itself is committed, so its author waits no longer. */
    pending_answer_release(follow_up, actions);
    follow_up->in_flight--;
    core->retries += follow_up->retry_ms == 0 ? 1 : 0;
    follow_up->retry_ms = now_ms + FOLLOW_UP_RETRY_MS;
}

static void on_batch_done(struct node_core *core, struct batch *batch, int64_t now_ms, struct action_list *actions) {
    check(batch == core->lent);
    core->lent = NULL;
    core->returned = batch;
    core->batches++;
    if (batch->rc == STATUS_STORAGE_FULL)
        core->is_full = true;
    else if (batch->rc == STATUS_OK && !batch->is_removal)
        core->is_full = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        struct range *range = range_of(core, &entry->command.subject);
        if (batch->rc != STATUS_OK) {
            range_take_back(range, entry);
            entry_refused(core, entry, batch->rc, now_ms, actions);
            continue;
        }
        range_applied(range, entry);
        core->applied++;
        entry_done(core, entry, now_ms, actions);
    }
}

static void on_start(struct node_core *core, const struct event *event) {
    for (uint32_t i = 0; i < core->options.range_count; i++)
        range_init(&core->ranges[i], i, &event->marks[i]);
    for (size_t i = 0; i < event->outbox_count; i++) {
        const struct start_outbox_row *found = &event->outbox[i];
        follow_up_start(core, &found->subject, found->number, &found->row);
    }
}

/* Not before everything of its last round has come back; and at once when the clock has been set back. */
static bool is_due_for_retry(const struct follow_up *follow_up, int64_t now_ms) {
    bool is_idle = follow_up->in_flight == 0 && follow_up->entries_ready == 0;
    bool is_time = follow_up->retry_ms <= now_ms || follow_up->retry_ms > now_ms + FOLLOW_UP_RETRY_MS;
    return follow_up->retry_ms != 0 && is_idle && is_time;
}

static void on_tick(struct node_core *core, int64_t now_ms, struct action_list *actions) {
    struct change due;
    while (coalescer_due(core->coalescer, now_ms, &core->tick_arena, &due)) {
        struct change *kept = ARENA_NEW(&core->tick_arena, struct change);
        *kept = due;
        fan_out(actions, kept, 0);
    }
    for (struct follow_up *follow_up = core->follow_ups; follow_up != NULL && core->retries > 0;
         follow_up = follow_up->next)
        if (is_due_for_retry(follow_up, now_ms))
            follow_up_make_ready(core, follow_up);
}

void node_core_step(struct node_core *core, const struct event *event, struct action_list *actions) {
    switch (event->kind) {
    case EVENT_START:
        on_start(core, event);
        break;
    case EVENT_PROPOSE:
        on_propose(core, event->entry, actions);
        break;
    case EVENT_NOTICE:
        if (coalescer_offer(core->coalescer, event->notice, event->now_ms))
            fan_out(actions, event->notice, 0);
        break;
    case EVENT_BATCH_DONE:
        on_batch_done(core, event->batch, event->now_ms, actions);
        break;
    case EVENT_TICK:
        on_tick(core, event->now_ms, actions);
        break;
    }
    write_next(core, event->now_ms, actions);
}

void node_core_done(struct node_core *core) {
    batch_entries_free(core->returned);
    core->returned = NULL;
    arena_reset(&core->tick_arena);
}

struct node_core_statistics node_core_statistics(const struct node_core *core) {
    return (struct node_core_statistics){.waiting = core->waiting.count + core->entries_ready,
                                         .on_disk = on_disk(core),
                                         .follow_ups = core->follow_ups_count,
                                         .applied = core->applied,
                                         .batches = core->batches};
}
