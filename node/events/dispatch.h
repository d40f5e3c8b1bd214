#pragma once
/* What happened in threads is given to the consumers: of each thread to each consumer in order, one step at a time,
 * again when that is wanted. How far all have come goes into the log of the thread's range, when nobody lacks anything
 * or somebody has come far. Delivery's thread only. */
#include "node/events/feed.h"
#include "node/events/places.h"
#include "proto/command.h"
#include "storage/seal.h"

struct store;

struct dispatch {
    /* Filled by whoever has it; borrowed. */
    struct feed *feed;
    struct store *store;
    const struct seal_key *master;
    const uint8_t *hash_key;
    struct webhooks *requests;
    int (*propose)(void *context, const struct command *command); /* borrowed until return; nobody waits */
    void *context;
    /* Its own, zero. */
    struct consumers consumers;
    struct places places;
};

enum look_kind {
    LOOK_AFTER_ATTEMPT, /* of the thread; the log is not told anything */
    LOOK_FRESH,         /* something has happened */
    LOOK_IN_ROUND       /* and what is lacking is counted */
};

/* Begins what can be begun now. `serial` is that of the feed, of which the thread is dropped when its mark is gone. */
void dispatch_thread(struct dispatch *self, const struct id_hash *thread, uint64_t serial, enum look_kind kind);
