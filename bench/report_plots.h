#pragma once
/* The drawings of the HTML report, each one SVG element appended to the page. */
#include "bench/result.h"
#include "proto/buffer.h"

/* Share of deliveries over latency, both axes made for the tail. */
void plot_percentiles(struct buffer *out, const struct result *result);
/* How latencies are spread: one delivery, and the last of all. */
void plot_spread(struct buffer *out, const struct result *result);
/* Deliveries per second, and latency below it, second by second. */
void plot_seconds(struct buffer *out, const struct result *result);
/* CPU time per delivery against the bare epoll writer. */
void plot_costs(struct buffer *out, const struct result *result);
