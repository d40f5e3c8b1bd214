#pragma once
/* From a change to the sessions of one worker that are concerned. The server makes a broadcast and posts it to every
 * worker; the worker looks up who listens. */
#include "node/gateway/broadcast.h"
#include "node/gateway/gateway.h"

/* Tells the sessions of this worker that are concerned. A change that nobody here listens to costs one look-up. */
void fanout_deliver(struct gateway_worker *worker, struct broadcast *broadcast);
