#pragma once
/* What the disk worker does in one write transaction: append these entries, apply those, one fsync for all ranges. Lent
 * by the core to the disk worker and handed back as an event. */
#include "node/core/entry.h"

struct batch_item {
    struct entry *entry;
    bool is_append;
    bool is_apply; /* committed: with one replica as soon as this very transaction is */
};

struct batch {
    struct batch_item *items;
    size_t count;
    bool is_removal;    /* nothing in it adds to the store: it may use the store's reserve */
    struct arena arena; /* of the items array and of all outcomes */
    int rc; /* set by the disk worker: 0, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED: then nothing was done */
};
