#pragma once
/* Where threads are on the ring of hash positions, which only the cluster knows: by that it is told whose range they
 * are in. */
#include "bench/http.h"
#include "bench/population.h"

/* One for each thread; the caller frees it. NULL: the cluster does not say, or there is no admin token. */
uint64_t *positions_ask(const struct options *options, const struct population *population, struct http *http);
