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
               another cluster or range, or not the one after the last; STATUS_STORAGE_FULL: only the reserve is left */
};

/* A range was split: what lies here of the upper part is no more the parent's. The parent has applied what the child's
 * marks say at least, or the child is incomplete. */
struct batch_birth {
    uint32_t parent;
    struct bounds parent_bounds; /* from now on */
    bool is_parent_void;         /* it has not come so far, so nothing of it counts */
    uint32_t child;
    bool has_child; /* false: another copy of the child is here already, or nothing of it is */
    struct bounds child_bounds;
    struct range_marks child_marks;
};

struct batch {
    struct batch_birth *births; /* done first of all */
    size_t births_count;
    struct log_truncation *truncations; /* done before anything is appended; above what is applied */
    size_t truncations_count;
    struct batch_taking *takings;
    size_t takings_count;
    struct batch_item *items; /* in order: within a range an entry is applied after those before it */
    size_t count;
    bool is_removal;      /* nothing in it adds to the store: it may use the store's reserve */
    bool may_use_reserve; /* if there is no other room; but not for chunks, which are left out then */
    bool is_probe;        /* has nothing: only asks whether the disk takes something */
    bool used_reserve;    /* set by the disk worker: there was no other room */
    struct arena arena;   /* of the arrays and of all outcomes */
    int rc; /* set by the disk worker: 0, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED: then nothing was done */
};
