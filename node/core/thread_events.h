#pragma once
/* The events of a thread in the rules: what a watched command leaves for those outside, how far these have come, and
 * what has become too old. Same state and same command give the same writes on every replica. */
#include "node/core/outcome.h"
#include "storage/thread_store.h"

/* After the command's changes have been written, and are in the outcome: one event for each that has an offset, and the
 * mark. `everyone`: of a thread that the command has deleted. Returns 0, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED. */
int thread_events_write(const struct apply_context *context, const struct command *command, struct outcome *outcome,
                        int64_t thread_created_ms, const struct participant_list *everyone);

/* COMMAND_EVENTS_DONE: takes the given cursors; those of others are kept. The mark stands afterwards while one of the
 * given ones is behind the newest event, so that who is set back, to get events again, is found as well. When a deleted
 * thread is not marked any more, the rest of it is purged. */
int thread_events_done_apply(const struct apply_context *context, const struct command *command,
                             struct outcome *outcome);

/* COMMAND_EVENTS_EXPIRE: with the last event cursors and mark go too. */
int thread_events_expire_apply(const struct apply_context *context, const struct command *command,
                               struct outcome *outcome);
