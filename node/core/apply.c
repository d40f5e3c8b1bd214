#include "node/core/apply.h"

#include "node/core/import.h"
#include "node/core/keeping.h"
#include "node/core/thread.h"
#include "node/core/thread_events.h"
#include "node/core/user.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/thread_store.h"

static int outbox_done_apply(const struct apply_context *context, const struct command *command,
                             struct outcome *outcome) {
    *outcome = (struct outcome){0};
    return outbox_remove(context->transaction, &command->subject, command->number);
}

/* STATUS_STORE_MISSING: whose rows there are is gone for good. */
static int rows_find_owner(const struct apply_context *context, const struct id_hash *subject) {
    struct seal_key key;
    struct tombstone_row tombstone;
    int rc = subject_key_get(context->transaction, context->master, subject, &key);
    return rc == STATUS_STORE_MISSING ? keeping_find(context, subject, &tombstone) : rc;
}

static int purge_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    bool has_events = false;
    *outcome = (struct outcome){0};
    int rc = outbox_has(context->transaction, &command->subject, OUTBOX_EVENTS_NUMBER, &has_events);
    if (rc != STATUS_OK)
        return rc;
    rc = rows_find_owner(context, &command->subject);
    if (rc == STATUS_STORE_MISSING)
        rc = subject_rows_purge(context->transaction, &command->subject, has_events, LIMIT_PURGE_ROWS_PER_COMMAND,
                                &outcome->is_purge_done);
    else
        outcome->is_purge_done = true; /* it is in use: nothing here may go */
    if (rc == STATUS_OK && outcome->is_purge_done)
        rc = outbox_remove(context->transaction, &command->subject, OUTBOX_PURGE_NUMBER);
    return rc == STATUS_RECORD_CORRUPT ? STATUS_OK : rc;
}

int command_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    switch (command->kind) {
    case COMMAND_THREAD_CREATE:
    case COMMAND_THREAD_UPDATE:
    case COMMAND_THREAD_DELETE:
    case COMMAND_MESSAGE_SEND:
    case COMMAND_MESSAGE_EDIT:
    case COMMAND_MESSAGE_DELETE:
    case COMMAND_PARTICIPANTS_ADD:
    case COMMAND_PARTICIPANT_REMOVE:
    case COMMAND_RECEIPT_SEND:
        return thread_apply(context, command, outcome);
    case COMMAND_THREAD_HOLD:
    case COMMAND_THREAD_UNDELETE:
    case COMMAND_THREAD_SHRED:
        return keeping_apply(context, command, outcome);
    case COMMAND_THREAD_IMPORT:
    case COMMAND_MESSAGES_IMPORT:
        return import_apply(context, command, outcome);
    case COMMAND_OUTBOX_DONE:
        return outbox_done_apply(context, command, outcome);
    case COMMAND_THREAD_PURGE:
        return purge_apply(context, command, outcome);
    case COMMAND_EVENTS_DONE:
        return thread_events_done_apply(context, command, outcome);
    case COMMAND_EVENTS_EXPIRE:
        return thread_events_expire_apply(context, command, outcome);
    case COMMAND_USER_CREATE:
    case COMMAND_USER_DELETE:
    case COMMAND_USER_REVOKE:
    case COMMAND_USER_THREAD:
    case COMMAND_USER_FORGET:
    case COMMAND_USER_PUSH_SET:
    case COMMAND_USER_PUSH_REMOVE:
        return user_apply(context, command, outcome);
    }
    *outcome = (struct outcome){.result.rc = STATUS_MALFORMED};
    return STATUS_OK;
}
