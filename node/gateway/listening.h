#pragma once
/* Reads from the store what a session has to listen to and what it missed, and tells it. Used where live changes do not
 * suffice: at a session's start, when its user joins a thread, after a gap. Each call is one short read transaction. */
#include "node/gateway/session.h"

/* Listens to all of the user's threads from now on. A user who is gone, or whose token was revoked meanwhile, is
 * treated as session_revoke does. Errors of the store. */
int listening_start(struct session *session);

/* Where an earlier session of the same client stood in a thread. */
struct listening_position {
    struct id_hash thread;
    uint64_t next_offset;
};

/* The same for a session that goes on where an earlier one stopped: what changed in these threads meanwhile is told,
 * and threads that were joined meanwhile are told from the joining on. At most `changes_max` changes per thread, the
 * newest. */
int listening_resume(struct session *session, const struct listening_position *positions, size_t count,
                     size_t changes_max);

/* The user joined a thread at `offset`: tells it and what came after, and listens. Nothing happens if the session
 * listens to it already. */
int listening_join(struct session *session, const struct id_hash *thread, uint64_t offset);

/* Tells what changed in a thread from `offset` on, and goes on listening behind it; a removed user is told up to her
 * removal. At most `changes_max` changes, the newest. */
int listening_catch_up(struct session *session, const struct id_hash *thread, uint64_t offset, size_t changes_max);
