#pragma once
/* What the pages of the HTML report are made of. Texts that come from outside are escaped here. */
#include "bench/result.h"
#include "proto/buffer.h"

extern const char report_style_sheet[];
/* Threads over and under: the mark of Weft. */
extern const char report_mark[];

/* A figure in large letters. */
void report_tile(struct buffer *out, const char *title, const char *value, const char *unit, const char *note);

/* Rows of a table of names and values. */
void report_row(struct buffer *out, const char *name, const char *value);
__attribute__((format(printf, 3, 4))) void report_row_printf(struct buffer *out, const char *name, const char *format,
                                                             ...);
/* `is_bad`: anything but 0 stands out. */
void report_row_count(struct buffer *out, const char *name, uint64_t value, bool is_bad);

/* A table of quantiles: the caller closes it. */
void report_latency_head(struct buffer *out, const char *corner);
void report_latency_row(struct buffer *out, const char *name, const struct histogram *histogram);
