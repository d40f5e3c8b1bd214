#pragma once
/* Members of the JSON that a run writes. */
#include <jansson.h>

#include "bench/result.h"

/* Takes `value`. */
void json_out_set(json_t *object, const char *name, json_t *value);
void json_out_count(json_t *object, const char *name, uint64_t value);
void json_out_real(json_t *object, const char *name, double value);

json_t *json_out_names(const struct name_counts *counts);
/* Quantiles in milliseconds. */
json_t *json_out_histogram(const struct histogram *histogram);
