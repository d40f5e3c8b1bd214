#pragma once
/* Who holds a range: the one thing that nodes agree on through the coordinator, changed only by compare-and-swap.
 * Everything else about replication is between the replicas. The shape is PacificA's configuration (Lin et al.,
 * MSR-TR-2008-25): a rising epoch, a primary, and the replicas that hold everything committed. MessagePack. */
#include "proto/arena.h"
#include "proto/bounds.h"
#include "proto/buffer.h"

#define RANGE_REPLICAS_MAX 7 /* in sync and learning together */

struct range_record {
    uint32_t range;
    struct bounds bounds; /* not said: an equal part of the ring, as when the cluster was created */
    uint64_t epoch;
    uint64_t primary;                     /* a node id; it is in sync */
    uint64_t in_sync[RANGE_REPLICAS_MAX]; /* the primary included */
    size_t in_sync_count;
    uint64_t learners[RANGE_REPLICAS_MAX];
    size_t learners_count;
    bool has_parent;       /* it came by a split */
    uint32_t parent;       /* of which it was the upper part */
    uint64_t parent_index; /* its log goes on behind this entry of the parent's, which is committed, */
    uint64_t parent_epoch; /* and of that epoch; 0 with index 0 */
    uint64_t parent_next;  /* the parent's epoch from then on: what it has behind that entry of older ones is void */
    bool is_handed_over;   /* the last primary gave the epoch to this one, and served nothing from before it asked */
};

void range_record_encode(const struct range_record *record, struct buffer *out);
/* STATUS_MALFORMED, also for a record without epoch, whose primary is not in sync, that names a node twice, or too
 * many, or whose bounds are the wrong way round. */
int range_record_decode(struct bytes encoded, struct range_record *record);

bool range_record_equal(const struct range_record *a, const struct range_record *b);
bool range_record_has_in_sync(const struct range_record *record, uint64_t node);
bool range_record_has_learner(const struct range_record *record, uint64_t node);
