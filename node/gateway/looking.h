#pragma once
/* In a cluster: how a session finds the threads it has to listen to. Which ones its user has joined is asked of the
 * node that leads the user, where each of them is now of those that lead the threads. Looked for whenever something
 * that concerns the user may have been missed, the first time included.
 *
 *   gateway_look_again ─▶ the user's threads ─▶ where each new one is ─▶ listens from there
 *     ─▶ gateway_listening for each of them ─▶ kind->on_listening */
#include "node/gateway/session.h"
#include "proto/question.h"

struct looking;

/* From any thread: all sessions of this user look again. */
void gateway_look_again(struct gateway_worker *worker, const struct id_hash *user);

/* Likewise: whoever leads the thread tells this node from now on. */
void gateway_listening(struct gateway_worker *worker, const struct id_hash *thread);

/* From now on the session's on_listening is called within LOOKING_ANSWER_MS at the latest. What is missing then is
 * looked for further, and threads whose place is known are told without a gap whenever that succeeds. */
#define LOOKING_ANSWER_MS 6000 /* a node that leads may die and another take over meanwhile */
void looking_expect(struct session *session);

/* A session that was quiet is not any more: what it was not told comes again. */
void looking_hear(struct session *session);

/* The session has heard everything below `next_offset`, and is told what comes from there on. */
void looking_listen_from(struct session *session, const struct id_hash *thread, uint64_t next_offset);

/* The session ends. */
void looking_end(struct session *session);

/* What this node's own store knows, for serve.c; `joined` borrows from `items`. STATUS_NOT_PRIMARY: another node leads
 * the user. */
int joined_threads_read(struct gateway_worker *worker, struct arena *arena, const struct id_hash *user,
                        struct buffer *items, struct joined_threads *joined);
