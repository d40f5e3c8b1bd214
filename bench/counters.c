#define _GNU_SOURCE
#include "bench/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES_MAX 63
#define NAME_BYTES_MAX 128

/* The line without its end, and `rest` behind it. */
static struct bytes line_take(struct bytes *rest) {
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct bytes line = bytes_of(rest->data, size);
    size_t used = end == NULL ? size : size + 1;
    *rest = bytes_of(rest->data + used, rest->size - used);
    return line;
}

static bool number_take(struct bytes text, double *value) {
    char copy[VALUE_BYTES_MAX + 1], *end;
    if (text.size == 0 || text.size > VALUE_BYTES_MAX)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *value = strtod(copy, &end);
    return *end == 0;
}

/* `name value` or `name{labels} value`. */
static bool value_of_line(struct bytes line, const char *name, double *value) {
    size_t name_size = strlen(name);
    if (!bytes_starts_with(line, name) || line.size <= name_size ||
        (line.data[name_size] != ' ' && line.data[name_size] != '{'))
        return false;
    const uint8_t *space = memrchr(line.data, ' ', line.size);
    if (space == NULL)
        return false;
    return number_take(bytes_of(space + 1, (size_t)(line.data + line.size - space) - 1), value);
}

bool counter_read(struct bytes metrics, const char *name, double *sum) {
    bool is_there = false;
    double value;
    *sum = 0;
    while (metrics.size > 0) {
        if (!value_of_line(line_take(&metrics), name, &value))
            continue;
        is_there = true;
        *sum += value;
    }
    return is_there;
}

/* `name_bucket{le="bound"} count`. */
static bool bucket_of_line(struct bytes line, const char *prefix, double *bound, double *count) {
    size_t prefix_size = strlen(prefix);
    if (!bytes_starts_with(line, prefix))
        return false;
    struct bytes rest = bytes_of(line.data + prefix_size, line.size - prefix_size);
    const uint8_t *quote = memchr(rest.data, '"', rest.size);
    size_t bound_size = quote == NULL ? 0 : (size_t)(quote - rest.data);
    static const size_t between = sizeof("\"} ") - 1;
    if (quote == NULL || rest.size < bound_size + between || memcmp(quote, "\"} ", between) != 0)
        return false;
    struct bytes value = bytes_of(quote + between, rest.size - bound_size - between);
    return number_take(bytes_of(rest.data, bound_size), bound) && number_take(value, count);
}

bool counter_histogram_read(struct bytes metrics, const char *name, struct counter_histogram *histogram) {
    char prefix[NAME_BYTES_MAX];
    double bound, count;
    snprintf(prefix, sizeof prefix, "%s_bucket{le=\"", name);
    *histogram = (struct counter_histogram){0};
    while (metrics.size > 0 && histogram->bounds_count < COUNTER_BOUNDS_MAX) {
        if (!bucket_of_line(line_take(&metrics), prefix, &bound, &count))
            continue;
        histogram->bounds[histogram->bounds_count] = bound;
        histogram->counts[histogram->bounds_count++] = count;
    }
    return histogram->bounds_count > 0;
}

static bool has_bounds_of(const struct counter_histogram *one, const struct counter_histogram *other) {
    return one->bounds_count == 0 ||
           (one->bounds_count == other->bounds_count &&
            memcmp(one->bounds, other->bounds, one->bounds_count * sizeof one->bounds[0]) == 0);
}

bool counter_histogram_gain(struct counter_histogram *sum, const struct counter_histogram *before,
                            const struct counter_histogram *now) {
    if (now->bounds_count == 0 || !has_bounds_of(sum, now) || !has_bounds_of(before, now))
        return false;
    size_t last = now->bounds_count - 1;
    bool is_restarted = now->counts[last] < before->counts[last];
    memcpy(sum->bounds, now->bounds, sizeof sum->bounds);
    sum->bounds_count = now->bounds_count;
    for (size_t i = 0; i <= last; i++)
        sum->counts[i] += is_restarted ? now->counts[i] : now->counts[i] - before->counts[i];
    return true;
}

double counter_histogram_quantile(const struct counter_histogram *histogram, double part) {
    double all = histogram->bounds_count == 0 ? 0 : histogram->counts[histogram->bounds_count - 1];
    for (size_t i = 0; i < histogram->bounds_count && all > 0; i++)
        if (histogram->counts[i] >= part * all)
            return histogram->bounds[i];
    return 0;
}

double counter_gain(double before, double now) {
    return now >= before ? now - before : now;
}
