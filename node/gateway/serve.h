#pragma once
/* What other nodes ask this one, because it leads the range that their questions are about: calls, which the same
 * handlers serve as those of clients, and what is known of users and threads. */
#include "node/gateway/gateway.h"

/* 0 with a reply, or the reason why there is none; STATUS_NOT_PRIMARY: this node does not lead the range, or stops; ask
 * another one. On a worker's thread; the reply is borrowed until return. */
typedef void (*gateway_served)(void *context, int rc, struct bytes reply);

/* Any thread. `body` is taken: the buffer is empty afterwards. on_done is called exactly once, later.
 * STATUS_SHUTTING_DOWN: the worker has stopped, nothing is taken. */
int gateway_serve(struct gateway_worker *worker, struct buffer *body, void *context, gateway_served on_done);
