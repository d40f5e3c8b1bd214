#pragma once
/* The key by which push services know the cluster, `push/vapid` at the coordinator, sealed under the master key: made
 * by the first node that asks for it, and the same from then on, as browsers have subscribed with it. */
#include "node/coordinator/coordinator.h"
#include "node/push/elliptic.h"
#include "storage/seal.h"

struct push_key {
    struct elliptic_key vapid;
    int64_t created_ms;
};

/* Takes as long as the coordinator does, and gives its codes; STATUS_RECORD_CORRUPT. `now_ms`: when it is made, if it
 * is. */
int push_key_get(struct coordinator *coordinator, const struct seal_key *master, int64_t now_ms, struct push_key *key);
