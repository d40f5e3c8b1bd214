#pragma once
/* The official SDK's real time as its client speaks it: allocation and handshake by REST, socket.io 0.9 packets, an
 * answer and a ping for every push, a registration. Called by session.c. */
#include "bench/session.h"

void sdk_open(struct session *session);
void sdk_close(struct session *session);
void sdk_on_message(struct session *session, struct bytes message, int64_t now_ns);

/* What the client does every 40 seconds on a socket. */
#define SDK_PING_INTERVAL_NS 40000000000LL
void sdk_ping(struct session *session);

/* One POST to the thread's messages; the outcome comes as on_answer with `id`. */
void sdk_send(struct session *session, struct bytes id, struct bytes thread_id, struct bytes content);
