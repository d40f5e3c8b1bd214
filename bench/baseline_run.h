#pragma once
/* Runs weft-bench-baseline beside weft-bench with the same load, and takes its figures into the result. */
#include "bench/result.h"

/* One round in each mode; round 0 before Weft's own run and round 1 after it, because a shared machine's speed drifts.
 * STATUS_SERVICE_UNAVAILABLE: it did not run; `reason` says why. */
int baseline_run(struct result *result, unsigned round, char *reason, size_t reason_size);
