#pragma once
/* Weft's own real time as a client speaks it (proto/README.md), JSON and MessagePack. Called by session.c. */
#include "bench/session.h"

void native_open(struct session *session);
const char *native_subprotocol(enum wire wire);
/* The socket is upgraded. */
void native_on_upgraded(struct session *session);
void native_on_message(struct session *session, struct bytes message, int64_t now_ns);

/* Queues and flushes one `send`. */
void native_send(struct session *session, struct bytes id, struct bytes thread_id, struct bytes content);
/* Queues one `resume` from the reader's last position. */
void native_resume(struct session *session);
