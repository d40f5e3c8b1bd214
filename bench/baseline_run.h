#pragma once
/* Runs weft-bench-baseline beside weft-bench with the same load, and takes its figures into the result. */
#include "bench/result.h"

/* Twice in each mode, in turn, because a shared machine's speed drifts. STATUS_SERVICE_UNAVAILABLE: it did not run;
 * `reason` says why. */
int baseline_run(struct result *result, char *reason, size_t reason_size);
