#define _GNU_SOURCE
#include "bench/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES_MAX 63

/* The line without its end, and `rest` behind it. */
static struct bytes line_take(struct bytes *rest) {
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct bytes line = bytes_of(rest->data, size);
    size_t used = end == NULL ? size : size + 1;
    *rest = bytes_of(rest->data + used, rest->size - used);
    return line;
}

/* `name value` or `name{labels} value`. */
static bool value_of_line(struct bytes line, const char *name, double *value) {
    size_t name_size = strlen(name);
    if (!bytes_starts_with(line, name) || line.size <= name_size ||
        (line.data[name_size] != ' ' && line.data[name_size] != '{'))
        return false;
    const uint8_t *space = memrchr(line.data, ' ', line.size);
    char text[VALUE_BYTES_MAX + 1], *end;
    size_t size = space == NULL ? 0 : (size_t)(line.data + line.size - space) - 1;
    if (size == 0 || size > VALUE_BYTES_MAX)
        return false;
    memcpy(text, space + 1, size);
    text[size] = 0;
    *value = strtod(text, &end);
    return *end == 0;
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

double counter_gain(double before, double now) {
    return now >= before ? now - before : now;
}
