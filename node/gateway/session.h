#pragma once
/* Signed-in clients of one worker: who they are, which threads they listen to, and from which offset on. Both kinds of
 * session (trouter_session.c, realtime_session.c) put this struct first. */
#include "node/gateway/gateway.h"

struct session_table *session_table_new(void);
void session_table_free(struct session_table *table);
size_t session_table_count(const struct session_table *table);

/* Begins to drain: every session is told to move, spread over `spread_ms`. On the worker's thread. */
void session_table_drain(struct gateway_worker *worker, uint32_t spread_ms);
