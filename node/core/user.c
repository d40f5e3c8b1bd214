#include "node/core/user.h"

#include "node/core/user_push.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"

/* Who was deleted does not come back: a creation may be told to several primaries, one of which acts on it late. */
static int creation_check(const struct apply_context *context, const struct command *command) {
    struct tombstone_row tombstone;
    int rc =
        subject_tombstone_get(context->transaction, context->arena, context->master, &command->subject, &tombstone);
    return rc == STATUS_OK ? STATUS_CONFLICT : rc;
}

static int create_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct user_store store;
    struct user_row row;
    int rc = creation_check(context, command);
    if (rc != STATUS_STORE_MISSING)
        return rc;
    rc = user_store_open_new(&store, context->transaction, context->arena, context->master, &command->subject,
                             command->wrapped_key);
    if (rc != STATUS_OK)
        return rc;
    rc = user_row_get(&store, &row);
    if (rc != STATUS_STORE_MISSING) {
        outcome->result.rc = rc == STATUS_OK ? STATUS_CONFLICT : rc;
        return STATUS_OK;
    }
    row = (struct user_row){.user_id = command->user_id, .created_ms = command->time_ms};
    outcome->result.time_ms = command->time_ms;
    return user_row_put(&store, &row);
}

/* In the arena; absent: the command has no name. */
static struct bytes operation_of(const struct apply_context *context, const struct command *command) {
    if (command->idempotency != IDEMPOTENCY_OPERATION)
        return BYTES_ABSENT;
    struct id_hash hash = id_hash_make(context->hash_key, command->idempotency_id);
    return arena_copy(context->arena, bytes_of(hash.bytes, sizeof(hash.bytes)));
}

/* Sessions of the user learn that tokens issued before a moment are void. */
static void revocation_tell(const struct apply_context *context, const struct command *command, struct outcome *outcome,
                            int64_t valid_from_s) {
    struct change change = {.kind = CHANGE_USER_REVOKED, .subject = command->subject, .time_ms = valid_from_s * 1000};
    outcome_add_change(outcome, context->arena, &change);
}

static int revoke_apply(const struct apply_context *context, const struct command *command, struct user_store *store,
                        struct outcome *outcome) {
    struct user_row row;
    struct bytes operation = operation_of(context, command);
    int rc = user_row_get(store, &row);
    if (rc != STATUS_OK)
        return rc;
    /* Told late, it would void what was issued after it. */
    outcome->result.is_duplicate = bytes_is_present(operation) && bytes_equal(operation, row.revocation);
    if (outcome->result.is_duplicate)
        return STATUS_OK;
    row.revocation = operation;
    /* A token issued between two revocations of the same second is dated by the first, so the second has to go beyond.
     */
    row.valid_from_s = command->valid_from_s > row.valid_from_s ? command->valid_from_s : row.valid_from_s + 1;
    revocation_tell(context, command, outcome, row.valid_from_s);
    outcome->result.time_ms = command->time_ms;
    rc = user_push_clear(store);
    return rc == STATUS_OK ? user_row_put(store, &row) : rc;
}

static int deletion_keep(const struct apply_context *context, const struct command *command) {
    struct tombstone_row tombstone = {.deleted_ms = command->time_ms, .operation = operation_of(context, command)};
    return subject_tombstone_put(context->transaction, context->master, &command->subject, &tombstone);
}

int user_deletion_find(const struct apply_context *context, const struct command *command) {
    struct tombstone_row tombstone;
    struct bytes operation = operation_of(context, command);
    if (command->kind != COMMAND_USER_DELETE || !bytes_is_present(operation))
        return STATUS_STORE_MISSING;
    int rc =
        subject_tombstone_get(context->transaction, context->arena, context->master, &command->subject, &tombstone);
    return rc == STATUS_OK && !bytes_equal(operation, tombstone.operation) ? STATUS_STORE_MISSING : rc;
}

static int delete_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct outbox_row purge = {.is_purge = true, .time_ms = command->time_ms};
    revocation_tell(context, command, outcome, INT64_MAX / 1000);
    outcome->result.time_ms = command->time_ms;
    int rc = outcome_add_follow_up(outcome, context, &command->subject, OUTBOX_PURGE_NUMBER, &purge);
    if (rc == STATUS_OK)
        rc = deletion_keep(context, command);
    return rc == STATUS_OK ? subject_key_remove(context->transaction, &command->subject) : rc;
}

/* Follow-ups may arrive twice and out of order; the thread's offset tells which is newer. */
static int thread_apply_to_list(const struct apply_context *context, const struct command *command,
                                struct user_store *store, struct outcome *outcome) {
    struct membership_row row = {0};
    int rc = user_membership_get(store, &command->thread_hash, &row);
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    if (rc == STATUS_OK && row.offset >= command->offset)
        return STATUS_OK;
    struct membership_row before = row;
    row = (struct membership_row){
        .thread_id = command->thread_id, .membership = command->membership, .offset = command->offset};
    if (command->membership != MEMBERSHIP_JOINED) {
        /* Who had left before the deletion keeps the topic she knew, also when it is undone. */
        bool had_left = (before.membership == MEMBERSHIP_LEFT && command->membership == MEMBERSHIP_DELETED) ||
                        (before.membership == MEMBERSHIP_DELETED && command->membership == MEMBERSHIP_LEFT);
        row.topic = had_left ? before.topic : command->topic;
        row.last_message_ms = had_left ? before.last_message_ms : command->last_message_ms;
    }
    if (command->membership == MEMBERSHIP_DELETED)
        row.deleted_ms = command->time_ms;
    if (command->membership == MEMBERSHIP_JOINED) {
        struct change change = {.kind = CHANGE_USER_JOINED,
                                .subject = command->subject,
                                .thread_id = command->thread_id,
                                .offset = command->offset,
                                .time_ms = command->time_ms};
        outcome_add_change(outcome, context->arena, &change);
    }
    return user_membership_put(store, &command->thread_hash, &row);
}

/* Not when the list has heard of the thread again since. */
static int forget_apply(const struct command *command, struct user_store *store) {
    struct membership_row row;
    int rc = user_membership_get(store, &command->thread_hash, &row);
    if (rc == STATUS_OK && row.membership == MEMBERSHIP_DELETED && row.offset == command->offset)
        return user_membership_remove(store, &command->thread_hash);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int existing_user_apply(const struct apply_context *context, const struct command *command,
                               struct outcome *outcome) {
    struct user_store store;
    int rc = user_store_open(&store, context->transaction, context->arena, context->master, &command->subject);
    if (rc == STATUS_STORE_MISSING && user_deletion_find(context, command) == STATUS_OK) {
        outcome->result.is_duplicate = true;
        return STATUS_OK;
    }
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_IDENTITY_NOT_OWNED : rc;
    if (command->kind == COMMAND_USER_DELETE)
        return delete_apply(context, command, outcome);
    if (command->kind == COMMAND_USER_REVOKE)
        return revoke_apply(context, command, &store, outcome);
    if (command->kind == COMMAND_USER_FORGET)
        return forget_apply(command, &store);
    if (command->kind == COMMAND_USER_PUSH_SET)
        return user_push_set(context, command, &store);
    if (command->kind == COMMAND_USER_PUSH_REMOVE)
        return user_push_unset(context, command, &store);
    return thread_apply_to_list(context, command, &store, outcome);
}

int user_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    *outcome = (struct outcome){0};
    bool is_new = command->kind == COMMAND_USER_CREATE;
    int rc = is_new ? create_apply(context, command, outcome) : existing_user_apply(context, command, outcome);
    if (rc == STATUS_STORAGE_FULL || rc == STATUS_STORAGE_FAILED)
        return rc;
    if (rc == STATUS_STORE_MISSING)
        rc = STATUS_IDENTITY_NOT_OWNED; /* a data key without a record */
    if (rc != STATUS_OK)
        outcome->result.rc = rc;
    return STATUS_OK;
}
