#include "bench/json_out.h"

#include "proto/check.h"

void json_out_set(json_t *object, const char *name, json_t *value) {
    check(json_object_set_new(object, name, value) == 0);
}

void json_out_count(json_t *object, const char *name, uint64_t value) {
    json_out_set(object, name, json_integer((json_int_t)value));
}

void json_out_real(json_t *object, const char *name, double value) {
    json_out_set(object, name, json_real(value));
}

json_t *json_out_names(const struct name_counts *counts) {
    json_t *object = json_object();
    for (size_t i = 0; i < counts->count; i++)
        json_out_count(object, counts->items[i].name, counts->items[i].count);
    return object;
}

json_t *json_out_histogram(const struct histogram *histogram) {
    static const struct {
        const char *name;
        double quantile;
    } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    json_t *object = json_object();
    json_out_count(object, "count", histogram->count);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_out_real(object, rows[i].name, (double)histogram_quantile(histogram, rows[i].quantile) / 1e6);
    json_out_real(object, "max", (double)histogram->max_ns / 1e6);
    return object;
}
