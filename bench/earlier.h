#pragma once
/* The result of an earlier run with the same load, to be shown beside the present one: what more nodes add in latency
 * and in CPU time, say. Read from the file that `--json` wrote (result_json.c). */
#include "bench/options.h"

/* p50, p90, p99, p99.9, maximum. */
#define EARLIER_QUANTILES 5

struct earlier {
    size_t nodes;
    double delivery_ms[EARLIER_QUANTILES];
    double last_ms[EARLIER_QUANTILES];
    double acknowledgement_ms[EARLIER_QUANTILES];
    double server_us_per_delivery; /* 0: was not measured */
};

/* STATUS_VALIDATION_ERROR: the file cannot be read, is no such result, or tells of another load than the options ask
 * for; `reason` says which field and both values. */
int earlier_read(const char *file, const struct options *options, struct earlier *earlier, char *reason,
                 size_t reason_size);
