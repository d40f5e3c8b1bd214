#pragma once
/* Counts of durations in buckets whose width grows with the value, so that one fixed table covers a nanosecond to
 * twenty minutes with an error below one percent. Pure: no clock, no memory of its own beyond the struct. */
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7  /* 128 buckets per power of two: at most 0.8 % too high */
#define HISTOGRAM_TOP_BITS 40 /* 2^40 ns, 18 minutes; longer counts as the longest */
#define HISTOGRAM_BUCKETS ((size_t)(HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max_ns; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);

/* A negative duration, which only a clock error could give, counts as zero. */
void histogram_add(struct histogram *histogram, int64_t duration_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest bucket end such that at least `quantile` (0..1) of all values are not above it; never above the exact
 * maximum. 0 when nothing was counted. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* How many values lie in [from_ns, to_ns), by whole buckets. For drawing. */
uint64_t histogram_between(const struct histogram *histogram, uint64_t from_ns, uint64_t to_ns);
