#pragma once
/* Counters of a node's `GET /metrics`, in the Prometheus text format. Pure. */
#include <stdbool.h>

#include "proto/bytes.h"

/* The sum over all labels of the counter. False: the text does not have it. */
bool counter_read(struct bytes metrics, const char *name, double *sum);

/* What a counter of one process gained since it was last read: all of it after a restart, which began at 0 again. */
double counter_gain(double before, double now);
