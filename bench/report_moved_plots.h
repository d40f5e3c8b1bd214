#pragma once
/* The drawing of what happened over the time of a rebalance or churn: one SVG element, panels under each other with the
 * same axis of time, and what was done to the cluster drawn through all of them. */
#include "bench/result.h"
#include "proto/buffer.h"

void plot_moved(struct buffer *out, const struct result *result);

/* The class with a node's colour. */
const char *plot_node_style(size_t node);
