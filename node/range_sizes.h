#pragma once
/* How many bytes each range's rows have, measured again and again by a thread of its own, a few rows at a time: no read
 * transaction stays open for long, and most of the time it rests. */
#include "proto/ids.h"
#include "storage/store.h"

struct range_sizes;

struct range_sizes_options {
    struct store *store; /* borrowed */
    /* Which range the rows of this thread or user are in, below `ranges_max`. */
    uint32_t (*range_of)(void *context, const struct id_hash *subject);
    void *context;
    uint32_t ranges_max;
    int64_t rest_ms; /* at least so long between two measurements */
};

/* NULL: there is no room for a thread. */
struct range_sizes *range_sizes_start(const struct range_sizes_options *options);
void range_sizes_stop(struct range_sizes *sizes);

/* As measured last; 0 before the first measurement. From any thread. */
uint64_t range_sizes_of(struct range_sizes *sizes, uint32_t range);
