#pragma once
/* One change on its way to the sockets of this node: encoded once for the hand-over, once per wire format for the
 * clients, shared by all workers. The server makes a broadcast and posts it to every worker; the worker looks up who
 * listens. */
#include "node/gateway/gateway.h"
#include "node/gateway/shared_bytes.h"
#include "proto/realtime.h"

struct broadcast;

/* Copies what it needs from the change. Holds one reference per delivery. */
struct broadcast *broadcast_new(const struct change *change, unsigned copies, size_t workers);
/* The parcel to post to worker `index`; delivering it calls fanout_deliver and releases the reference. */
struct parcel *broadcast_parcel(struct broadcast *broadcast, size_t index);
/* For a parcel that could not be posted. */
void broadcast_release(struct broadcast *broadcast);

/* Tells the sessions of this worker that are concerned. */
void fanout_deliver(struct gateway_worker *worker, struct broadcast *broadcast);
