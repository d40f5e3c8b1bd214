#include "node/latencies.h"

#define EIGHTHS 8

/* Up to 7 each has its own bucket; from there on eight of them make a doubling. */
static size_t bucket_of(uint64_t us) {
    if (us < EIGHTHS)
        return (size_t)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(us);
    size_t bucket = (size_t)(power - 2) * EIGHTHS + (size_t)(us >> (power - 3) & (EIGHTHS - 1));
    return bucket < LATENCIES_BUCKETS ? bucket : LATENCIES_BUCKETS - 1;
}

static uint32_t middle_of(size_t bucket) {
    if (bucket < EIGHTHS)
        return (uint32_t)bucket;
    unsigned power = (unsigned)(bucket / EIGHTHS) + 2;
    uint64_t width = (uint64_t)1 << (power - 3);
    uint64_t middle = ((uint64_t)1 << power) + (bucket % EIGHTHS) * width + width / 2;
    return middle > UINT32_MAX ? UINT32_MAX : (uint32_t)middle;
}

void latencies_add(struct latencies *self, uint64_t us) {
    self->count++;
    self->buckets[bucket_of(us)]++;
}

uint32_t latencies_quantile(const struct latencies *self, double part) {
    double wanted = part * (double)self->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCIES_BUCKETS; i++) {
        seen += self->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return middle_of(i);
    }
    return 0;
}
