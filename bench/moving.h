#pragma once
/* The load of a fan-out while the cluster changes: `weft-bench rebalance` and `weft-bench churn`. */
#include "bench/result.h"

/* As fanout_run; fills `result->moved`, too, which is there. */
int moving_run(struct options *options, struct result *result, char *reason, size_t reason_size);
