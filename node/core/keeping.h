#pragma once
/* What operators keep of threads: a legal hold, under which nothing of a thread is removed, and deleted threads that
 * can be undeleted for a while. Both are rules as those of thread.h: the same on every replica. A deleted thread that
 * is kept is gone for everybody else: its data key is in its tombstone only. */
#include "node/core/outcome.h"

/* THREAD_HOLD, THREAD_UNDELETE, THREAD_SHRED; as thread_apply. What undoes or repeats nothing is done already. */
int keeping_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);

/* The tombstone of a deleted thread whose rows are kept. STATUS_STORE_MISSING: there is none. */
int keeping_find(const struct apply_context *context, const struct id_hash *thread, struct tombstone_row *tombstone);
