#include "node/core/thread_events.h"

#include "proto/limits.h"
#include "proto/status.h"
#include "storage/event_store.h"
#include "storage/range_log.h"

static struct event_store events_of(const struct apply_context *context, const struct command *command) {
    return (struct event_store){.transaction = context->transaction,
                                .arena = context->arena,
                                .master = context->master,
                                .thread = command->subject};
}

/* ---- what a command leaves ---- */

static int event_write(const struct event_store *events, const struct command *command, int64_t thread_created_ms,
                       const struct change *change) {
    struct buffer encoded;
    buffer_init(&encoded);
    change_encode(change, &encoded);
    struct event_row row = {
        .time_ms = command->time_ms, .thread_created_ms = thread_created_ms, .change = buffer_bytes(&encoded)};
    int rc = event_put(events, change->offset, &row);
    buffer_close(&encoded);
    return rc;
}

/* Whom neither this deletion nor an event that is still here concerns is left out. */
static int members_keep(const struct event_store *events, const struct command *command,
                        const struct participant_list *everyone) {
    uint64_t oldest = UINT64_MAX;
    int rc = event_oldest(events, &oldest);
    if (rc == STATUS_STORE_MISSING && !command->is_watched)
        return STATUS_OK;
    if (rc == STATUS_STORE_MISSING)
        rc = STATUS_OK;
    for (size_t i = 0; rc == STATUS_OK && i < everyone->count; i++) {
        struct participant_row row = everyone->rows[i];
        row.topic = BYTES_ABSENT;
        bool may_concern = row.removed_offset == 0 || row.removed_offset >= oldest;
        rc = may_concern ? event_member_put(events, &everyone->users[i], &row)
                         : event_member_remove(events, &everyone->users[i]);
    }
    return rc;
}

int thread_events_write(const struct apply_context *context, const struct command *command, struct outcome *outcome,
                        int64_t thread_created_ms, const struct participant_list *everyone) {
    struct event_store events = events_of(context, command);
    bool is_marked = false;
    int rc = STATUS_OK;
    if (!command->is_watched && command->kind != COMMAND_THREAD_DELETE)
        return STATUS_OK;
    rc = event_mark_get(&events, &is_marked);
    if (rc == STATUS_OK && command->kind == COMMAND_THREAD_DELETE)
        rc = members_keep(&events, command, everyone);
    for (const struct outcome_change *told = outcome->changes; told != NULL; told = told->next) {
        if (rc != STATUS_OK || !command->is_watched || told->change.offset == 0)
            continue;
        rc = event_write(&events, command, thread_created_ms, &told->change);
        outcome->has_events = true;
    }
    return rc == STATUS_OK && outcome->has_events && !is_marked ? event_mark_put(&events, command->time_ms) : rc;
}

/* ---- what becomes of it ---- */

/* The thread was deleted, and only its events have been spared. */
static int purge_begin(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct outbox_row purge = {.is_purge = true, .time_ms = command->time_ms};
    struct seal_key key;
    bool is_begun = false;
    int rc = subject_key_get(context->transaction, context->master, &command->subject, &key);
    if (rc != STATUS_STORE_MISSING)
        return rc == STATUS_RECORD_CORRUPT ? STATUS_OK : rc;
    rc = outbox_has(context->transaction, &command->subject, OUTBOX_PURGE_NUMBER, &is_begun);
    if (rc != STATUS_OK || is_begun)
        return rc;
    return outcome_add_follow_up(outcome, context, &command->subject, OUTBOX_PURGE_NUMBER, &purge);
}

static int mark_end(const struct apply_context *context, const struct event_store *events,
                    const struct command *command, struct outcome *outcome) {
    bool was_marked;
    int rc = event_mark_get(events, &was_marked);
    if (rc != STATUS_OK || !was_marked)
        return rc;
    rc = event_mark_remove(events);
    return rc == STATUS_OK ? purge_begin(context, command, outcome) : rc;
}

static int mark_begin(const struct event_store *events, const struct command *command, struct outcome *outcome) {
    bool is_marked;
    int rc = event_mark_get(events, &is_marked);
    if (rc != STATUS_OK || is_marked)
        return rc;
    outcome->has_events = true;
    return event_mark_put(events, command->time_ms);
}

static bool is_given(const struct command *command, const struct id_hash *consumer) {
    for (size_t i = 0; i < command->cursors_count; i++)
        if (id_hash_equal(&command->cursors[i].consumer, consumer))
            return true;
    return false;
}

/* Of those that are not given as many as have room. */
static struct event_cursors_row cursors_merge(struct arena *arena, const struct event_cursors_row *stored,
                                              const struct command *command) {
    struct event_cursors_row merged = {
        ARENA_NEW_ARRAY(arena, struct event_cursor, stored->cursors_count + command->cursors_count), 0};
    for (size_t i = 0; i < command->cursors_count; i++)
        merged.cursors[merged.cursors_count++] = command->cursors[i];
    for (size_t i = 0; i < stored->cursors_count && merged.cursors_count < LIMIT_LIST_ITEMS_MAX; i++)
        if (!is_given(command, &stored->cursors[i].consumer))
            merged.cursors[merged.cursors_count++] = stored->cursors[i];
    return merged;
}

static bool is_behind(const struct command *command, uint64_t newest) {
    for (size_t i = 0; i < command->cursors_count; i++)
        if (command->cursors[i].offset < newest)
            return true;
    return false;
}

static int nothing_is_left(const struct apply_context *context, const struct event_store *events,
                           const struct command *command, struct outcome *outcome) {
    int rc = event_cursors_put(events, &(struct event_cursors_row){0});
    return rc == STATUS_OK ? mark_end(context, events, command, outcome) : rc;
}

int thread_events_done_apply(const struct apply_context *context, const struct command *command,
                             struct outcome *outcome) {
    struct event_store events = events_of(context, command);
    struct event_cursors_row stored;
    uint64_t newest;
    *outcome = (struct outcome){0};
    int rc = event_cursors_get(&events, &stored);
    if (rc == STATUS_RECORD_CORRUPT) {
        outcome->result.rc = rc;
        return STATUS_OK;
    }
    if (rc == STATUS_OK)
        rc = event_newest(&events, &newest);
    if (rc == STATUS_STORE_MISSING)
        return nothing_is_left(context, &events, command, outcome);
    if (rc != STATUS_OK)
        return rc;
    struct event_cursors_row merged = cursors_merge(context->arena, &stored, command);
    rc = event_cursors_put(&events, &merged);
    if (rc != STATUS_OK)
        return rc;
    return is_behind(command, newest) ? mark_begin(&events, command, outcome)
                                      : mark_end(context, &events, command, outcome);
}

int thread_events_expire_apply(const struct apply_context *context, const struct command *command,
                               struct outcome *outcome) {
    struct event_store events = events_of(context, command);
    uint64_t oldest;
    *outcome = (struct outcome){0};
    int rc = events_remove(&events, command->offset, LIMIT_PURGE_ROWS_PER_COMMAND);
    if (rc == STATUS_OK)
        rc = event_oldest(&events, &oldest);
    return rc == STATUS_STORE_MISSING ? nothing_is_left(context, &events, command, outcome) : rc;
}
