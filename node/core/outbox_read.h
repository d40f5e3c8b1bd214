#pragma once
/* What threads still have to tell their users' ranges, read for EVENT_START and for what ACTION_READ_OUTBOX asks. The
 * worker that reads the store calls it, within a transaction. */
#include "node/core/event.h"
#include "storage/seal.h"
#include "storage/store.h"

/* Sets `outbox` and `outbox_count` of the event to the rows within the bounds; they are in the arena.
 * STATUS_STORAGE_FAILED, STATUS_RECORD_CORRUPT: to those that come before what cannot be read. */
int outbox_read(struct store_transaction *transaction, const struct seal_key *master, const struct bounds *bounds,
                struct arena *arena, struct event *event);
