#include "bench/histogram.h"

#include <math.h>
#include <string.h>

#include "proto/check.h"

#define SUB_BUCKETS ((uint64_t)1 << HISTOGRAM_SUB_BITS)

/* Values below SUB_BUCKETS have a bucket each; above, the top HISTOGRAM_SUB_BITS + 1 bits choose the bucket. */
static size_t bucket_of(uint64_t value) {
    if (value < SUB_BUCKETS)
        return (size_t)value;
    unsigned top = 63U - (unsigned)__builtin_clzll(value);
    if (top >= HISTOGRAM_TOP_BITS)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)((value >> shift) - SUB_BUCKETS);
}

static uint64_t bucket_start(size_t bucket) {
    if (bucket < SUB_BUCKETS)
        return bucket;
    size_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    return (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << shift;
}

void histogram_clear(struct histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, int64_t duration_ns) {
    uint64_t value = duration_ns < 0 ? 0 : (uint64_t)duration_ns;
    histogram->count++;
    if (value > histogram->max_ns)
        histogram->max_ns = value;
    histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    check(quantile >= 0.0 && quantile <= 1.0);
    if (histogram->count == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count);
    if (wanted == 0)
        wanted = 1;
    uint64_t seen = 0;
    size_t bucket = 0;
    while ((seen += histogram->buckets[bucket]) < wanted && bucket + 1 < HISTOGRAM_BUCKETS)
        bucket++;
    uint64_t end = bucket + 1 < HISTOGRAM_BUCKETS ? bucket_start(bucket + 1) - 1 : histogram->max_ns;
    return end < histogram->max_ns ? end : histogram->max_ns;
}

uint64_t histogram_between(const struct histogram *histogram, uint64_t from_ns, uint64_t to_ns) {
    uint64_t sum = 0;
    for (size_t i = from_ns == 0 ? 0 : bucket_of(from_ns); i < HISTOGRAM_BUCKETS && bucket_start(i) < to_ns; i++)
        if (bucket_start(i) >= from_ns)
            sum += histogram->buckets[i];
    return sum;
}
