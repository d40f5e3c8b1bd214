#pragma once
/* How long things took, as counts in buckets that are an eighth of a doubling wide: quantiles within 6 %, in constant
 * memory. Whoever has it guards it. */
#include <stddef.h>
#include <stdint.h>

#define LATENCIES_BUCKETS 256

struct latencies {
    uint64_t count;
    uint32_t buckets[LATENCIES_BUCKETS];
};

void latencies_add(struct latencies *latencies, uint64_t us);
/* The middle of the bucket that `part` of all, 0 to 1, do not exceed. 0: there are none. */
uint32_t latencies_quantile(const struct latencies *latencies, double part);
