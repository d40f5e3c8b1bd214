#pragma once
/* What the core asks for and must not wait for: swaps at the coordinator, and reading rows from the store. The outcome
 * comes back as a parcel. Swaps of one range go one after the other, and so do chunks, and what else reads; but these
 * do not wait for each other: a swap and the first chunk of a large range may take seconds. Only a node in a cluster
 * has it. */
#include "node/coordinator/coordinator.h"
#include "node/core/action.h"
#include "node/core/event.h"
#include "node/mailbox.h"
#include "storage/seal.h"

struct errands;

struct errands_options {
    struct coordinator *coordinator; /* borrowed, as everything here */
    struct store *store;
    const struct seal_key *master;
    const uint8_t *hash_key;
    const char *folder;       /* where snapshots wait to be sent … */
    int64_t snapshot_kept_ms; /* … and go when nobody has asked for a chunk for so long; 0: a minute */
    struct mailbox *mailbox;  /* of the loop that gets the outcomes … */
    /* … there, one after the other. The event is borrowed until return; its times are not filled in. */
    void (*on_event)(void *context, struct event *event);
    void *context;
};

int errands_start(const struct errands_options *options, struct errands **errands);
/* ACTION_SWAP, ACTION_READ_OUTBOX, ACTION_READ_CHUNK, ACTION_REPEAT. What they borrow is copied. A swap that is asked
 * for again while it waits or is under way has one outcome; a newer one of the range takes the place of one that waits.
 */
void errands_run(struct errands *errands, const struct action *action);
/* Waits for those that are under way; what is left is forgotten, and outcomes in the mailbox are its owner's to
 * deliver or to lose. */
void errands_stop(struct errands *errands);

/* "ranges/00007" */
#define RANGE_NAME_BYTES 13
void range_name_format(uint32_t range, char name[RANGE_NAME_BYTES]);
