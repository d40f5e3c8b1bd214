#pragma once
/* The run: sends on a fixed schedule over a connected population, books every arrival, measures. */
#include "bench/population.h"
#include "bench/result.h"

/* Looks the addresses up, makes the population, runs, and fills `result`. STATUS_SERVICE_UNAVAILABLE: it could not be
 * set up; `reason` says why. What was lost or refused is no error here but stands in the result. */
int fanout_run(struct options *options, struct result *result, char *reason, size_t reason_size);

/* Opens idle connections and measures memory. Errors as above. */
int idle_run(struct options *options, struct result *result, char *reason, size_t reason_size);
