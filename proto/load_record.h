#pragma once
/* What a node says of its load (`loads/<id>` at the coordinator), again and again: what it stores and serves of each
 * range that it holds, how far those are that learn from it, and its clients. Counters begin with the node's start;
 * whoever reads makes rates of two of them (node/cluster_view.h). MessagePack. */
#include "proto/arena.h"
#include "proto/buffer.h"

#define LOAD_RANGES_MAX 65536 /* of one node; far above any range_count */
#define LOAD_LEARNERS_MAX 500 /* a node sends a few ranges at a time */

struct load_range {
    uint32_t range;
    uint64_t stored_bytes; /* rows of it, as measured last; 0: none, or not measured yet */
    uint64_t committed;    /* counter: entries committed while this node led it */
    uint64_t told;         /* counter: changes of it told to other nodes and to sessions here */
};

/* Another node that learns a range from this one. */
struct load_learner {
    uint32_t range;
    uint64_t node;
    uint64_t chunk;  /* of its snapshot, on its disk */
    uint64_t chunks; /* 0: it needs no snapshot, or its size is not known yet */
    uint64_t bytes_done;
    uint64_t bytes_total; /* 0: not known */
};

struct load_record {
    uint64_t node;
    uint64_t start;        /* another one for each life of the node */
    int64_t at_ms;         /* since then, by a monotonic clock */
    uint64_t stored_bytes; /* of the database */
    uint64_t log_next;     /* every log record below this number has been on its disk; never less than it told before */
    uint64_t connections;
    uint64_t sessions;
    uint64_t delivered;     /* counter: events handed to sessions */
    uint64_t slow;          /* readers told to resume within the last minute because they were too slow */
    uint32_t commit_us_p50; /* since the last record; 0: nothing was committed */
    uint32_t commit_us_p99;
    uint64_t snapshot_bytes_sent; /* counter */
    struct load_range *ranges;    /* rising */
    size_t ranges_count;
    struct load_learner *learners;
    size_t learners_count;
};

void load_record_encode(const struct load_record *record, struct buffer *out);
/* STATUS_MALFORMED, also for one without node, whose ranges do not rise, or with too many of anything. Lists are in the
 * arena. */
int load_record_decode(struct bytes encoded, struct arena *arena, struct load_record *record);
