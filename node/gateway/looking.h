#pragma once
/* In a cluster: how a session finds the threads it has to listen to. Which ones its user has joined is asked of the
 * node that leads the user, where each of them is now of those that lead the threads. Looked for whenever something
 * that concerns the user may have been missed, the first time included.
 *
 *   gateway_look_again ─▶ the user's threads ─▶ where each new one is ─▶ listens from there ─▶ kind->on_listening */
#include "node/gateway/session.h"
#include "proto/question.h"

struct looking;

/* From any thread: all sessions of this user look again. */
void gateway_look_again(struct gateway_worker *worker, const struct id_hash *user);

/* The session has heard everything below `next_offset`, and is told what comes from there on. */
void looking_listen_from(struct session *session, const struct id_hash *thread, uint64_t next_offset);

/* The session ends. */
void looking_end(struct session *session);

/* What this node's own store knows, for serve.c; `joined` borrows from `items`. */
int joined_threads_read(struct gateway_worker *worker, struct arena *arena, const struct id_hash *user,
                        struct buffer *items, struct joined_threads *joined);
