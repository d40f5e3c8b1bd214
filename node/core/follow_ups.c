#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"

#define FOLLOW_UP_RETRY_MS 1000

/*              EVENT_START, a change that was applied, EVENT_OUTBOX
 *                          │
 *                          ▼            given to a batch                     applied
 *                        ready ─────────────────────────────▶ in flight ───────────────▶ ready again, or ended
 *                          ▲                                      │ refused
 *                          └──────── the tick, after a while ─────┘
 *
 *   forgotten: its range is led elsewhere; it is freed when the last of its entries has come back
 */

static void queue_add(struct node_core *core, enum follow_up_queue_kind kind, struct follow_up *follow_up) {
    struct follow_up_queue *queue = &core->queues[kind];
    follow_up->next_in[kind] = NULL;
    if (queue->first == NULL)
        queue->first = follow_up;
    else
        queue->last->next_in[kind] = follow_up;
    queue->last = follow_up;
}

static void queue_pop(struct node_core *core, enum follow_up_queue_kind kind) {
    struct follow_up_queue *queue = &core->queues[kind];
    queue->first = queue->first->next_in[kind];
}

/* One change may have several follow-ups, which share who waits for them. True: this was the last. */
static bool pending_answer_let_go(struct follow_up *follow_up) {
    struct pending_answer *pending = follow_up->pending;
    follow_up->pending = NULL;
    return pending != NULL && --pending->follow_ups_left == 0;
}

/* A replica may have been given up since the change was committed: then its copy does not count any more. */
static void pending_answer_release(struct node_core *core, const struct step *step, struct follow_up *follow_up) {
    struct pending_answer *pending = follow_up->pending;
    unsigned copies_now = replication_copies(&core_range_of(core, &follow_up->subject)->replication);
    if (!pending_answer_let_go(follow_up))
        return;
    core_answer(step, pending->reply_to, pending->worker, &pending->result,
                copies_now < pending->copies ? copies_now : pending->copies);
    free(pending);
}

static void make_ready(struct node_core *core, struct follow_up *follow_up) {
    if (follow_up->retry_ms != 0)
        core->retries--;
    follow_up_round_begin(follow_up);
    core->entries_ready += follow_up->entries_ready;
    queue_add(core, FOLLOW_UPS_READY, follow_up);
}

struct follow_up *follow_ups_start(struct node_core *core, const struct id_hash *subject, uint64_t number,
                                   const struct outbox_row *row) {
    struct follow_up *follow_up = follow_up_new(subject, number, row);
    follow_up->next = core->follow_ups;
    if (core->follow_ups != NULL)
        core->follow_ups->previous = follow_up;
    core->follow_ups = follow_up;
    core->follow_ups_count++;
    core->tellings += row->is_purge ? 0 : 1;
    if (row->is_purge)
        queue_add(core, FOLLOW_UPS_PURGE, follow_up);
    /* Purges go one after the other, so that one transaction never removes the rows of many threads. */
    if (!row->is_purge || core->queues[FOLLOW_UPS_PURGE].first == follow_up)
        make_ready(core, follow_up);
    return follow_up;
}

static void list_remove(struct node_core *core, struct follow_up *follow_up) {
    if (follow_up->previous != NULL)
        follow_up->previous->next = follow_up->next;
    else
        core->follow_ups = follow_up->next;
    if (follow_up->next != NULL)
        follow_up->next->previous = follow_up->previous;
}

static void uncount(struct node_core *core, const struct follow_up *follow_up) {
    core->follow_ups_count--;
    core->tellings -= follow_up->row.is_purge ? 0 : 1;
}

static void end(struct node_core *core, struct follow_up *follow_up) {
    bool is_purge = follow_up->row.is_purge;
    list_remove(core, follow_up);
    uncount(core, follow_up);
    if (is_purge)
        queue_pop(core, FOLLOW_UPS_PURGE);
    follow_up_free(follow_up);
    if (is_purge && core->queues[FOLLOW_UPS_PURGE].first != NULL)
        make_ready(core, core->queues[FOLLOW_UPS_PURGE].first);
}

struct entry *follow_ups_pop(struct node_core *core) {
    struct follow_up *follow_up = core->queues[FOLLOW_UPS_READY].first;
    struct entry *entry = follow_up_next_entry(follow_up);
    core->entries_ready--;
    if (follow_up->entries_ready == 0)
        queue_pop(core, FOLLOW_UPS_READY);
    return entry;
}

bool follow_ups_next_is_purge(const struct node_core *core) {
    const struct follow_up *purge = core->queues[FOLLOW_UPS_PURGE].first;
    return purge != NULL && core->queues[FOLLOW_UPS_READY].first == purge;
}

void follow_ups_of_client(struct node_core *core, const struct step *step, struct entry *entry, unsigned copies) {
    struct pending_answer *pending = NULL;
    for (struct outcome_follow_up *wanted = entry->outcome.follow_ups; wanted != NULL; wanted = wanted->next) {
        struct follow_up *follow_up = follow_ups_start(core, &wanted->subject, wanted->number, &wanted->row);
        if (wanted->row.is_purge || entry->is_let_go)
            continue; /* nobody waits for it */
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
    if (pending == NULL && !entry->is_let_go)
        core_answer(step, entry->reply_to, entry->worker, &entry->outcome.result, copies);
}

/* True: the follow-up was forgotten; with its last entry it is gone. */
static bool forgotten_let_go(struct node_core *core, struct follow_up *follow_up) {
    if (!follow_up->is_forgotten)
        return false;
    if (follow_up->in_flight == 0) {
        list_remove(core, follow_up);
        follow_up_free(follow_up);
    }
    return true;
}

void follow_ups_on_applied(struct node_core *core, const struct step *step, struct entry *entry) {
    struct follow_up *follow_up = entry->follow_up;
    follow_up->in_flight--;
    if (forgotten_let_go(core, follow_up))
        return;
    switch (entry->origin) {
    case ENTRY_OF_FOLLOW_UP:
        follow_up->users_done[entry->command.number] = true;
        if (--follow_up->users_left == 0) {
            pending_answer_release(core, step, follow_up);
            make_ready(core, follow_up);
        }
        break;
    case ENTRY_OF_PURGE:
        if (entry->outcome.is_purge_done)
            end(core, follow_up);
        else
            make_ready(core, follow_up);
        break;
    case ENTRY_OF_OUTBOX:
        end(core, follow_up);
        break;
    case ENTRY_OF_CLIENT:
    case ENTRY_OF_PEER:
    case ENTRY_OF_LOG:
        check(false);
    }
}

void follow_ups_author_let_go(struct node_core *core, const struct step *step, struct entry *entry) {
    pending_answer_release(core, step, entry->follow_up);
}

void follow_ups_on_refused(struct node_core *core, const struct step *step, struct entry *entry) {
    struct follow_up *follow_up = entry->follow_up;
    follow_up->in_flight--;
    if (forgotten_let_go(core, follow_up))
        return;
    /* The change itself is committed, so its author waits no longer. */
    pending_answer_release(core, step, follow_up);
    core->retries += follow_up->retry_ms == 0 ? 1 : 0;
    follow_up->retry_ms = step->now_ms + FOLLOW_UP_RETRY_MS;
}

/* Not before everything of its last round has come back; and at once when the clock has been set back. */
static bool is_due_for_retry(const struct follow_up *follow_up, int64_t now_ms) {
    bool is_idle = follow_up->in_flight == 0 && follow_up->entries_ready == 0;
    bool is_time = follow_up->retry_ms <= now_ms || follow_up->retry_ms > now_ms + FOLLOW_UP_RETRY_MS;
    return follow_up->retry_ms != 0 && is_idle && is_time;
}

void follow_ups_tick(struct node_core *core, const struct step *step) {
    for (struct follow_up *follow_up = core->follow_ups; follow_up != NULL && core->retries > 0;
         follow_up = follow_up->next)
        if (is_due_for_retry(follow_up, step->now_ms))
            make_ready(core, follow_up);
}

static void queue_without(struct node_core *core, enum follow_up_queue_kind kind, const struct range *range) {
    struct follow_up *follow_up = core->queues[kind].first;
    core->queues[kind] = (struct follow_up_queue){NULL, NULL};
    for (struct follow_up *next; follow_up != NULL; follow_up = next) {
        next = follow_up->next_in[kind];
        if (core_range_of(core, &follow_up->subject) != range)
            queue_add(core, kind, follow_up);
        else if (kind == FOLLOW_UPS_READY)
            core->entries_ready -= follow_up->entries_ready;
    }
}

void follow_ups_forget(struct node_core *core, const struct step *step, const struct range *range) {
    bool was_purging = core->queues[FOLLOW_UPS_PURGE].first != NULL &&
                       core_range_of(core, &core->queues[FOLLOW_UPS_PURGE].first->subject) == range;
    queue_without(core, FOLLOW_UPS_READY, range);
    queue_without(core, FOLLOW_UPS_PURGE, range);
    for (struct follow_up *follow_up = core->follow_ups, *next; follow_up != NULL; follow_up = next) {
        next = follow_up->next;
        if (follow_up->is_forgotten || core_range_of(core, &follow_up->subject) != range)
            continue;
        pending_answer_release(core, step, follow_up);
        core->retries -= follow_up->retry_ms != 0 ? 1 : 0;
        follow_up->retry_ms = 0;
        uncount(core, follow_up);
        follow_up->is_forgotten = true;
        forgotten_let_go(core, follow_up);
    }
    if (was_purging && core->queues[FOLLOW_UPS_PURGE].first != NULL)
        make_ready(core, core->queues[FOLLOW_UPS_PURGE].first);
}

void follow_ups_close(struct node_core *core) {
    while (core->follow_ups != NULL) {
        struct follow_up *next = core->follow_ups->next;
        struct pending_answer *pending = core->follow_ups->pending;
        if (pending_answer_let_go(core->follow_ups))
            free(pending);
        follow_up_free(core->follow_ups);
        core->follow_ups = next;
    }
}
