#include "node/core/durations.h"

const uint32_t durations_bounds_ms[DURATIONS_BOUNDS] = {1,  2,  5,   7,   10,  15,  20,  30,
                                                        50, 75, 100, 150, 200, 250, 500, 1000};

void durations_add(struct durations *durations, int64_t ms) {
    uint64_t taken_ms = ms < 0 ? 0 : (uint64_t)ms;
    size_t at = 0;
    while (at < DURATIONS_BOUNDS && taken_ms > durations_bounds_ms[at])
        at++;
    durations->counts[at]++;
    durations->sum_ms += taken_ms;
    if (taken_ms > durations->longest_ms)
        durations->longest_ms = taken_ms;
}
