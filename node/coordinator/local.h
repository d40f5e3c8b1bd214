#pragma once
/* The coordinator of a node that is alone: sealed rows in its own store, announcements in memory. Swaps at start only,
 * before the disk worker, which is the one writer from then on. */
#include "node/coordinator/coordinator.h"
#include "storage/seal.h"

/* Store and key are borrowed as long as the coordinator lives. */
struct coordinator *coordinator_local_new(struct store *store, const struct seal_key *master);
