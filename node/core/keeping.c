#include "node/core/keeping.h"

#include "node/core/retention.h"
#include "node/core/thread_events.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/thread_store.h"

int keeping_find(const struct apply_context *context, const struct id_hash *thread, struct tombstone_row *tombstone) {
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, thread, tombstone);
    return rc == STATUS_OK && !bytes_is_present(tombstone->wrapped_key) ? STATUS_STORE_MISSING : rc;
}

static int hold_get(const struct apply_context *context, const struct id_hash *thread, struct hold_row *hold) {
    return subject_hold_get(context->transaction, context->arena, context->master, thread, hold);
}

/* STATUS_STORE_MISSING: not there, or not a thread. */
static int live_thread_find(const struct apply_context *context, const struct id_hash *thread) {
    struct thread_store store;
    struct thread_properties properties;
    int rc = thread_store_open(&store, context->transaction, context->arena, context->master, thread);
    return rc == STATUS_OK ? thread_properties_get(&store, &properties) : rc;
}

static int missing_means_not_found(int rc) {
    return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
}

/* ---- hold ---- */

static int hold_begin(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct hold_row hold = {.since_ms = command->time_ms};
    struct tombstone_row tombstone;
    int rc = live_thread_find(context, &command->subject);
    if (rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING)
        rc = missing_means_not_found(keeping_find(context, &command->subject, &tombstone));
    if (rc == STATUS_OK)
        rc = hold_get(context, &command->subject, &hold);
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    hold.reason = command->reason;
    outcome->result.time_ms = hold.since_ms;
    return subject_hold_put(context->transaction, context->master, &command->subject, &hold);
}

/* What was deleted meanwhile the sweep shreds. */
static int hold_end(const struct apply_context *context, const struct command *command) {
    int rc = subject_hold_remove(context->transaction, &command->subject);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

/* ---- undeletion ---- */

struct undeletion {
    const struct apply_context *context;
    const struct command *command;
    struct outcome *outcome;
    struct tombstone_row tombstone;
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    struct participant_list everyone;
};

/* Everything that refuses does so before the first write, which the store's opening needs: the key of the tombstone is
 * tried before it is put in its place. */
static int undeletion_read(struct undeletion *self) {
    const struct apply_context *context = self->context;
    self->store = (struct thread_store){.transaction = context->transaction,
                                        .arena = context->arena,
                                        .master = context->master,
                                        .thread = self->command->subject};
    int rc = seal_key_unwrap(context->master, &self->command->subject, self->tombstone.wrapped_key, &self->store.key);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&self->store, &self->properties);
    if (rc == STATUS_OK)
        rc = thread_counters_get(&self->store, &self->counters);
    if (rc == STATUS_OK)
        rc = thread_participants_list(&self->store, &self->everyone);
    return rc == STATUS_STORE_MISSING ? STATUS_RECORD_CORRUPT : rc;
}

/* Behind what the deletion still has to tell, there are the numbers of what those who had left are told, and then the
 * change itself. */
static void change_begin(struct undeletion *self) {
    uint64_t now = self->command->time_ms < 0 ? 0 : (uint64_t)self->command->time_ms;
    uint64_t deleted = self->tombstone.deleted_ms < 0 ? 0 : (uint64_t)self->tombstone.deleted_ms;
    self->counters.offset = self->tombstone.offset + 2 * outcome_list_rows(self->everyone.count);
    if (deleted > self->counters.version)
        self->counters.version = deleted;
    self->counters.version = now > self->counters.version ? now : self->counters.version + 1;
}

static void change_tell(struct undeletion *self) {
    struct participant *active = ARENA_NEW_ARRAY(self->context->arena, struct participant, self->everyone.count);
    size_t count = 0;
    for (; count < self->everyone.count && self->everyone.rows[count].removed_offset == 0; count++)
        active[count] = self->everyone.rows[count].participant;
    struct change change = {.kind = CHANGE_THREAD_CREATED,
                            .subject = self->command->subject,
                            .thread_id = self->properties.id,
                            .offset = self->counters.offset,
                            .version = self->counters.version,
                            .time_ms = (int64_t)self->counters.version,
                            .actor_id = self->properties.creator_id,
                            .properties = self->properties,
                            .participants = {active, count}};
    outcome_add_change(self->outcome, self->context->arena, &change);
    self->outcome->result.offset = change.offset;
    self->outcome->result.version = change.version;
    self->outcome->result.time_ms = change.time_ms;
}

/* Active ones come first. */
static int lists_tell(struct undeletion *self) {
    struct outbox_user *users = ARENA_NEW_ARRAY(self->context->arena, struct outbox_user, self->everyone.count);
    size_t active = 0;
    for (size_t i = 0; i < self->everyone.count; i++) {
        users[i].hash = self->everyone.users[i];
        active += self->everyone.rows[i].removed_offset == 0;
    }
    struct outbox_row row = {.thread_id = self->properties.id,
                             .membership = MEMBERSHIP_JOINED,
                             .offset = self->counters.offset,
                             .time_ms = (int64_t)self->counters.version};
    const struct id_hash *thread = &self->command->subject;
    int rc = outcome_tell_lists(self->outcome, self->context, thread, row.offset, &row, users, active);
    if (rc != STATUS_OK)
        return rc;
    row.membership = MEMBERSHIP_LEFT;
    return outcome_tell_lists(self->outcome, self->context, thread,
                              self->tombstone.offset + outcome_list_rows(self->everyone.count), &row, users + active,
                              self->everyone.count - active);
}

/* A policy that is over would delete it again. */
static void policy_reset(struct undeletion *self) {
    if (retention_is_over(&self->properties, self->command->time_ms))
        self->properties.retention = (struct retention){.kind = RETENTION_NONE};
}

static int mark_put(struct undeletion *self) {
    int rc = STATUS_OK;
    if (self->counters.properties_offset != 0)
        rc = thread_change_remove(&self->store, self->counters.properties_offset);
    self->counters.properties_offset = self->counters.offset;
    return rc == STATUS_OK || rc == STATUS_STORE_MISSING
               ? thread_undeletion_put(&self->store, self->counters.offset, self->counters.version)
               : rc;
}

static int undeletion_write(struct undeletion *self) {
    struct store_transaction *transaction = self->context->transaction;
    int rc;
    policy_reset(self);
    change_begin(self);
    change_tell(self);
    if ((rc = subject_tombstone_remove(transaction, &self->command->subject)) != STATUS_OK ||
        (rc = subject_key_put(transaction, &self->command->subject, self->tombstone.wrapped_key)) != STATUS_OK ||
        (rc = mark_put(self)) != STATUS_OK || (rc = lists_tell(self)) != STATUS_OK ||
        (rc = thread_properties_put(&self->store, &self->properties)) != STATUS_OK)
        return rc;
    return thread_counters_put(&self->store, &self->counters);
}

static int undelete(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct undeletion undeletion = {.context = context, .command = command, .outcome = outcome};
    int rc = live_thread_find(context, &command->subject);
    if (rc != STATUS_THREAD_NOT_FOUND) {
        outcome->result.is_duplicate = rc == STATUS_OK;
        return missing_means_not_found(rc);
    }
    rc = missing_means_not_found(keeping_find(context, &command->subject, &undeletion.tombstone));
    if (rc == STATUS_OK)
        rc = undeletion_read(&undeletion);
    if (rc != STATUS_OK)
        return rc;
    rc = undeletion_write(&undeletion);
    if (rc == STATUS_OK)
        rc = thread_events_write(context, command, outcome, undeletion.properties.created_ms, &undeletion.everyone);
    return rc == STATUS_OK || rc == STATUS_STORAGE_FULL ? rc : STATUS_STORAGE_FAILED;
}

/* ---- shredding ---- */

static int shred(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct outbox_row purge = {.is_purge = true, .time_ms = command->time_ms};
    struct tombstone_row tombstone;
    struct hold_row hold;
    int rc = missing_means_not_found(keeping_find(context, &command->subject, &tombstone));
    if (rc != STATUS_OK)
        return rc;
    rc = hold_get(context, &command->subject, &hold);
    if (rc != STATUS_STORE_MISSING)
        return rc == STATUS_OK ? STATUS_CONFLICT : rc;
    if (tombstone.kept_until_ms > command->time_ms)
        return STATUS_CONFLICT;
    tombstone.wrapped_key = BYTES_ABSENT;
    tombstone.kept_until_ms = 0;
    rc = subject_tombstone_put(context->transaction, context->master, &command->subject, &tombstone);
    return rc == STATUS_OK ? outcome_add_follow_up(outcome, context, &command->subject, OUTBOX_PURGE_NUMBER, &purge)
                           : rc;
}

int keeping_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    int rc;
    *outcome = (struct outcome){0};
    if (command->kind == COMMAND_THREAD_UNDELETE)
        rc = undelete(context, command, outcome);
    else if (command->kind == COMMAND_THREAD_SHRED)
        rc = shred(context, command, outcome);
    else
        rc = bytes_is_present(command->reason) ? hold_begin(context, command, outcome) : hold_end(context, command);
    if (rc == STATUS_STORAGE_FULL || rc == STATUS_STORAGE_FAILED)
        return rc;
    outcome->result.rc = rc;
    return STATUS_OK;
}
