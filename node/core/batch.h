#pragma once
/* What the disk worker does in one write transaction: append these entries, apply those, one fsync for all ranges. Lent
 * by the core to the disk worker and handed back as an event. */
#include "node/core/entry.h"
#include "proto/bounds.h"

struct batch_item {
    struct entry *entry;
    bool is_append;
    bool is_apply; /* committed: with one replica as soon as this very transaction is */
};

/* A step of taking a range over from another node (snapshot.h). No item and no truncation of the same range is in its
 * batch. */
struct batch_taking {
    uint32_t range;
    struct bounds bounds; /* of the range */
    struct bytes chunk;   /* absent: the range is wiped, some rows at a time; the first step makes it incomplete */
    /* Set by the disk worker. */
    bool is_done; /* the range is empty now; or, the chunk was the last one and the range is whole */
    int rc; /* not 0: this step was left out, and only this one. STATUS_RECORD_CORRUPT; STATUS_CONFLICT: a chunk of
               another cluster or range, or not the one after the last */
};

struct batch {
    struct log_truncation *truncations; /* done before anything is appended; above what is applied */
    size_t truncations_count;
    struct batch_taking *takings;
    size_t takings_count;
    struct batch_item *items; /* in order: within a range an entry is applied after those before it */
    size_t count;
    bool is_removal;    /* nothing in it adds to the store: it may use the store's reserve */
    struct arena arena; /* of the arrays and of all outcomes */
    int rc; /* set by the disk worker: 0, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED: then nothing was done */
};
