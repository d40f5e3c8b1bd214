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

struct node_core {
    struct node_core_options options;
    struct cluster_map map;
    struct range *ranges;
    struct entry_queue waiting;
    struct batch *lent;     /* the batch that is on disk, if any */
    struct batch *returned; /* what the last step's actions borrow */
    struct coalescer *coalescer;
    struct arena tick_arena;
    struct follow_up *follow_ups;
    size_t follow_ups_count;
    uint64_t applied;
    uint64_t batches;
};

/*          propose              ACTION_WRITE              EVENT_BATCH_DONE
 *  entry ───────────▶ waiting ───────────────▶ lent to disk ──────────────▶ answered, told, followed up
 *                                                  │ disk refused: places taken back
 *                                                  └────────────▶ author gets 503; follow-ups are tried again later
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

void node_core_free(struct node_core *core) {
    while (core->waiting.first != NULL)
        entry_free(queue_pop(&core->waiting));
    batch_entries_free(core->lent);
    batch_entries_free(core->returned);
    while (core->follow_ups != NULL) {
        struct follow_up *next = core->follow_ups->next;
        free(core->follow_ups->pending);
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

static void propose(struct node_core *core, struct entry *entry, int64_t now_ms) {
    range_stamp(range_of(core, &entry->command.subject), entry, now_ms);
    queue_add(&core->waiting, entry);
}

static void on_propose(struct node_core *core, struct entry *entry, int64_t now_ms, struct action_list *actions) {
    size_t on_disk = core->lent == NULL ? 0 : core->lent->count;
    if (core->waiting.count + on_disk >= core->options.queue_max) {
        answer_refusal(actions, entry, STATUS_OVERLOADED);
        entry_free(entry);
        return;
    }
    propose(core, entry, now_ms);
}

/* While the disk is busy the next batch gathers: group commit across all ranges. */
static void write_next(struct node_core *core, struct action_list *actions) {
    if (core->lent != NULL || core->waiting.count == 0)
        return;
    struct batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    arena_init(&batch->arena);
    size_t count = core->waiting.count < LIMIT_DISK_BATCH_MAX ? core->waiting.count : LIMIT_DISK_BATCH_MAX;
    batch->items = ARENA_NEW_ARRAY(&batch->arena, struct batch_item, count);
    for (; batch->count < count; batch->count++) {
        struct entry *entry = queue_pop(&core->waiting);
        struct range *range = range_of(core, &entry->command.subject);
        range_place(range, entry);
        batch->items[batch->count] =
            (struct batch_item){.entry = entry, .is_append = true, .is_apply = range_commits_alone(range)};
    }
    core->lent = batch;
    action_add(actions, ACTION_WRITE)->batch = batch;
}

static void follow_up_unlink(struct node_core *core, struct follow_up *follow_up) {
    struct follow_up **link = &core->follow_ups;
    while (*link != follow_up)
        link = &(*link)->next;
    *link = follow_up->next;
    core->follow_ups_count--;
}

static void follow_up_entry_propose(struct node_core *core, struct entry *entry, int64_t now_ms) {
    entry->follow_up->in_flight++;
    propose(core, entry, now_ms);
}

static void follow_up_propose(struct node_core *core, struct follow_up *follow_up, int64_t now_ms) {
    follow_up->retry_ms = 0;
    if (follow_up->row.is_purge) {
        follow_up_entry_propose(core, follow_up_purge_entry(follow_up), now_ms);
        return;
    }
    for (size_t i = 0; i < follow_up->row.users_count; i++)
        if (!follow_up->users_done[i])
            follow_up_entry_propose(core, follow_up_user_entry(follow_up, i, &follow_up->subject), now_ms);
    if (follow_up->users_left == 0)
        follow_up_entry_propose(core, follow_up_done_entry(follow_up), now_ms);
}

static struct follow_up *follow_up_start(struct node_core *core, const struct id_hash *subject, uint64_t number,
                                         const struct outbox_row *row, int64_t now_ms) {
    struct follow_up *follow_up = follow_up_new(subject, number, row);
    follow_up->next = core->follow_ups;
    core->follow_ups = follow_up;
    core->follow_ups_count++;
    follow_up_propose(core, follow_up, now_ms);
    return follow_up;
}

static void pending_answer_release(struct follow_up *follow_up, struct action_list *actions) {
    struct pending_answer *pending = follow_up->pending;
    follow_up->pending = NULL;
    if (pending == NULL || --pending->follow_ups_left > 0)
        return;
    answer(actions, pending->reply_to, pending->worker, &pending->result, pending->copies);
    free(pending);
}

static void client_entry_done(struct node_core *core, struct entry *entry, int64_t now_ms,
                              struct action_list *actions) {
    struct pending_answer *pending = NULL;
    unsigned copies = range_of(core, &entry->command.subject)->copies;
    for (struct outcome_follow_up *wanted = entry->outcome.follow_ups; wanted != NULL; wanted = wanted->next) {
        struct follow_up *follow_up = follow_up_start(core, &wanted->subject, wanted->number, &wanted->row, now_ms);
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
        client_entry_done(core, entry, now_ms, actions);
        break;
    case ENTRY_OF_FOLLOW_UP:
        follow_up->users_done[entry->command.number] = true;
        if (--follow_up->users_left == 0) {
            pending_answer_release(follow_up, actions);
            follow_up_entry_propose(core, follow_up_done_entry(follow_up), now_ms);
        }
        break;
    case ENTRY_OF_PURGE:
        if (!entry->outcome.is_purge_done) {
            follow_up_entry_propose(core, follow_up_purge_entry(follow_up), now_ms);
            break;
        }
        /* fall through */
    case ENTRY_OF_OUTBOX:
        follow_up_unlink(core, follow_up);
        follow_up_free(follow_up);
        break;
    }
}

static void entry_refused(struct entry *entry, int rc, int64_t now_ms, struct action_list *actions) {
    if (entry->origin == ENTRY_OF_CLIENT) {
        answer_refusal(actions, entry, rc);
        return;
    }
    /* The change itself is committed, so its author waits no longer. */
    pending_answer_release(entry->follow_up, actions);
    entry->follow_up->in_flight--;
    entry->follow_up->retry_ms = now_ms + FOLLOW_UP_RETRY_MS;
}

static void on_batch_done(struct node_core *core, struct batch *batch, int64_t now_ms, struct action_list *actions) {
    check(batch == core->lent);
    core->lent = NULL;
    core->returned = batch;
    core->batches++;
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = batch->items[i].entry;
        struct range *range = range_of(core, &entry->command.subject);
        if (batch->rc != STATUS_OK) {
            range_take_back(range, entry);
            entry_refused(entry, batch->rc, now_ms, actions);
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
        follow_up_start(core, &found->subject, found->number, &found->row, event->now_ms);
    }
}

static void on_tick(struct node_core *core, int64_t now_ms, struct action_list *actions) {
    struct change due;
    while (coalescer_due(core->coalescer, now_ms, &core->tick_arena, &due)) {
        struct change *kept = ARENA_NEW(&core->tick_arena, struct change);
        *kept = due;
        fan_out(actions, kept, 0);
    }
    for (struct follow_up *follow_up = core->follow_ups; follow_up != NULL; follow_up = follow_up->next)
        if (follow_up->in_flight == 0 && follow_up->retry_ms != 0 && follow_up->retry_ms <= now_ms)
            follow_up_propose(core, follow_up, now_ms);
}

void node_core_step(struct node_core *core, const struct event *event, struct action_list *actions) {
    switch (event->kind) {
    case EVENT_START:
        on_start(core, event);
        break;
    case EVENT_PROPOSE:
        on_propose(core, event->entry, event->now_ms, actions);
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
    write_next(core, actions);
}

void node_core_done(struct node_core *core) {
    batch_entries_free(core->returned);
    core->returned = NULL;
    arena_reset(&core->tick_arena);
}

struct node_core_statistics node_core_statistics(const struct node_core *core) {
    return (struct node_core_statistics){.waiting = core->waiting.count,
                                         .on_disk = core->lent == NULL ? 0 : core->lent->count,
                                         .follow_ups = core->follow_ups_count,
                                         .applied = core->applied,
                                         .batches = core->batches};
}
