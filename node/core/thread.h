#pragma once
/* The rules of a chat thread: state + command → writes, result, changes, follow-ups (contract sections 6 and 8). Same
 * state and same command give the same writes on every replica, so nothing here may ask for the time. Called by the
 * disk worker inside its write transaction, by gateway workers to refuse early, and by the simulator. */
#include "node/core/outcome.h"

/* Returns 0, STATUS_STORAGE_FULL or STATUS_STORAGE_FAILED, after which the transaction must not be committed; what the
 * author is told is in outcome->result. Everything that refuses does so before the first write. */
int thread_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);

/* The same checks without writes: what thread_apply would answer on this state. Read transaction. For a duplicate,
 * outcome->result holds the earlier ids. */
int thread_check(const struct apply_context *context, const struct command *command, struct outcome *outcome);
