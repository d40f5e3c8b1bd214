#pragma once
/* How long something took, each time: counts between fixed bounds, as Prometheus has them, in constant memory. */
#include <stddef.h>
#include <stdint.h>

#define DURATIONS_BOUNDS 16

struct durations {
    uint64_t
        counts[DURATIONS_BOUNDS + 1]; /* each not above its bound and above the one before; last, those above all */
    uint64_t sum_ms;
    uint64_t longest_ms;
};

/* Milliseconds, rising. */
extern const uint32_t durations_bounds_ms[DURATIONS_BOUNDS];

/* A clock that goes back is nothing. */
void durations_add(struct durations *durations, int64_t ms);
