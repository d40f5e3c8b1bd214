#pragma once
/* What a client of Weft's own real time does to threads: sends, receipts, typing. Done here if this node leads the
 * thread, otherwise by the node that does. What one client does to one thread is done in the order in which it asked.
 *
 *   HERE ── this node lost the range ──▶ HELD ── all before it are answered ──▶ ASKED or HERE
 *   a new one: HERE, ASKED, or HELD behind others of the thread that are not HERE */
#include "node/gateway/realtime_session.h"

/* The client is answered now or later. Borrowed until return. */
void realtime_operation_perform(struct realtime_session *self, struct arena *arena,
                                const struct realtime_request *request);

/* The session ends: nobody waits for its answers any more. */
void realtime_operations_forget(struct realtime_session *self);

/* The route by which other nodes ask; the thread's id follows. */
#define REALTIME_OPERATION_PATH "/realtime/"
void realtime_operation_serve(struct worker *worker, struct http_call *call);
