#include "node/trace_points.h"

#include "node/gateway/gateway.h"

/* What participants of a thread may ask for; what a node does by itself would only crowd it out. */
static bool is_traced(const struct entry *entry) {
    return entry->command.kind <= COMMAND_PARTICIPANT_REMOVE;
}

static void entry_note(struct trace_ring *ring, const struct entry *entry, enum trace_stage stage, int64_t time_us) {
    trace_note(ring, &entry->command.subject,
               &(struct trace_event){.stage = stage, .time_us = time_us, .number = entry->place.index});
}

/* An author who was let go is not there any more. */
static int64_t received_us(const struct entry *entry, int64_t now_us) {
    bool has_author = entry->origin == ENTRY_OF_CLIENT && !entry->is_let_go && entry->reply_to != NULL;
    return has_author ? ((const struct reply *)entry->reply_to)->proposed_us : now_us;
}

void trace_batch_lent(struct trace_ring *ring, const struct batch *batch) {
    int64_t now_us = ring == NULL ? 0 : trace_now_us();
    for (size_t i = 0; ring != NULL && i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (!is_traced(item->entry) || item->entry->origin == ENTRY_OF_LOG)
            continue;
        if (item->is_append)
            entry_note(ring, item->entry, TRACE_RECEIVED, received_us(item->entry, now_us));
        else if (item->is_apply)
            entry_note(ring, item->entry, TRACE_COMMITTED, now_us);
    }
}

static void change_note(struct trace_ring *ring, const struct change *change, struct trace_event event) {
    event.number = change->offset;
    event.detail = (uint8_t)change->kind;
    if (change->offset != 0 && change->offset <= TRACE_NUMBER_MAX)
        trace_note(ring, &change->subject, &event);
}

static void applied_note(struct trace_ring *ring, const struct entry *entry, int64_t now_us) {
    for (const struct outcome_change *told = entry->outcome.changes; told != NULL; told = told->next) {
        struct trace_event event = {.stage = TRACE_APPLIED, .time_us = now_us, .about = entry->place.index};
        change_note(ring, &told->change, event);
        if (told->change.message.id == 0)
            continue;
        event.stage = TRACE_MESSAGE;
        event.about = told->change.message.id;
        change_note(ring, &told->change, event);
    }
}

void trace_batch_written(struct trace_ring *ring, const struct batch *batch) {
    if (ring == NULL || batch->rc != STATUS_OK)
        return;
    int64_t now_us = trace_now_us();
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (!is_traced(item->entry))
            continue;
        if (item->is_append)
            entry_note(ring, item->entry, TRACE_WRITTEN, now_us);
        if (item->is_append && item->is_apply) /* there is no other replica */
            entry_note(ring, item->entry, TRACE_COMMITTED, now_us);
        if (item->is_apply)
            applied_note(ring, item->entry, now_us);
    }
}

void trace_fanned_out(struct trace_ring *ring, const struct change *change) {
    if (ring != NULL && change->kind <= CHANGE_PARTICIPANTS_REMOVED)
        change_note(ring, change, (struct trace_event){.stage = TRACE_ARRIVED, .time_us = trace_now_us()});
}
