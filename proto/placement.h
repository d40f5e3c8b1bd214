#pragma once
/* Who should hold a range and who should lead it: what the balancer wishes (`placements/<range>` at the coordinator).
 * The range's primary makes it so, step by step, through the range's own record (range_record.h), which alone says who
 * does. A wish may be given up or changed at any moment, and whoever reads it may end at any step: the record is always
 * right. MessagePack. */
#include "proto/buffer.h"
#include "proto/range_record.h"

struct placement {
    uint32_t range;
    uint64_t holders[RANGE_REPLICAS_MAX]; /* node ids */
    size_t holders_count;                 /* at least 1 */
    uint64_t primary;                     /* one of them; 0: any */
    bool is_manual;                       /* an operator's wish, not the balancer's */
};

void placement_encode(const struct placement *placement, struct buffer *out);
/* STATUS_MALFORMED, also for one without holders, with too many, that names a node twice or 0, or whose primary is not
 * a holder. */
int placement_decode(struct bytes encoded, struct placement *placement);

/* The same holders and primary, whoever wishes it. */
bool placement_equal(const struct placement *a, const struct placement *b);
bool placement_has(const struct placement *placement, uint64_t node);
/* The record is as wished: these hold the range in sync, nobody learns it, and who should leads. */
bool placement_is_reached(const struct placement *placement, const struct range_record *record);
