#pragma once
/* Counters of a node's `GET /metrics`, in the Prometheus text format. Pure. */
#include <stdbool.h>

#include "proto/bytes.h"

/* The sum over all labels of the counter. False: the text does not have it. */
bool counter_read(struct bytes metrics, const char *name, double *sum);

#define COUNTER_BOUNDS_MAX 32

/* A histogram as it is told: how many were not above each bound. */
struct counter_histogram {
    double bounds[COUNTER_BOUNDS_MAX]; /* the last one may be infinite */
    double counts[COUNTER_BOUNDS_MAX];
    size_t bounds_count;
};

/* The histogram of that name, without labels but its bounds. False: the text does not have it. */
bool counter_histogram_read(struct bytes metrics, const char *name, struct counter_histogram *histogram);

/* Adds what one process has counted since `before`, which is empty at first. False: the bounds are others. */
bool counter_histogram_gain(struct counter_histogram *sum, const struct counter_histogram *before,
                            const struct counter_histogram *now);

/* The smallest bound that `part` (0..1) of all are not above. 0: there are none. */
double counter_histogram_quantile(const struct counter_histogram *histogram, double part);

/* What a counter of one process gained since it was last read: all of it after a restart, which began at 0 again. */
double counter_gain(double before, double now);
