#include "bench/moved.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GENERATOR_CORES_MAX 0.85

void name_counts_add(struct name_counts *counts, struct bytes name) {
    if (name.size >= RESULT_NAME_BYTES)
        name.size = RESULT_NAME_BYTES - 1;
    for (size_t i = 0; i < counts->count; i++) {
        if (bytes_equal_text(name, counts->items[i].name)) {
            counts->items[i].count++;
            return;
        }
    }
    if (counts->count == RESULT_NAMES_MAX - 1)
        name = BYTES_LITERAL("other");
    if (counts->count == RESULT_NAMES_MAX) {
        counts->items[RESULT_NAMES_MAX - 1].count++;
        return;
    }
    snprintf(counts->items[counts->count].name, RESULT_NAME_BYTES, "%.*s", BYTES_ARG(name));
    counts->items[counts->count++].count = 1;
}

void result_init(struct result *result, const struct options *options) {
    *result = (struct result){.options = options, .started_s = (int64_t)time(NULL)};
    if (options->mode != MODE_FANOUT)
        result->moved = moved_new();
}

void result_close(struct result *result) {
    free(result->seconds);
    moved_free(result->moved);
}

bool result_is_clean(const struct result *result) {
    return result->lost == 0 && result->duplicates == 0 && result->disorders == 0 && result->strange == 0 &&
           result->failed == 0 && result->closed == 0 && result->errors.count == 0 &&
           (result->moved == NULL || moved_is_clean(result->moved));
}

static double growth_per_connection(const struct process_usage *from, const struct process_usage *to, size_t count) {
    return count == 0 ? 0 : (double)(to->resident_bytes - from->resident_bytes) / (double)count;
}

double result_bytes_per_connection(const struct result *result) {
    if (!result->has_server)
        return 0;
    size_t half = result->connections / 2;
    double of_all = growth_per_connection(&result->server_before, &result->server_connected, result->connections);
    double of_second_half =
        growth_per_connection(&result->server_half, &result->server_connected, result->connections - half);
    return of_second_half > of_all ? of_second_half : of_all;
}

void result_quantiles_ms(const struct histogram *histogram, double values[EARLIER_QUANTILES]) {
    static const double quantiles[EARLIER_QUANTILES - 1] = {0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < EARLIER_QUANTILES - 1; i++)
        values[i] = (double)histogram_quantile(histogram, quantiles[i]) / 1e6;
    values[EARLIER_QUANTILES - 1] = (double)histogram->max_ns / 1e6;
}

double result_ratio(const struct result *result, const struct baseline_result *baseline) {
    if (!result->has_server || !baseline->is_there || baseline->us_per_delivery <= 0)
        return 0;
    return result->server_us_per_delivery / baseline->us_per_delivery;
}

void result_last_name(const struct options *options, char name[RESULT_NAME_BYTES]) {
    if (options->small_threads > 0)
        snprintf(name, RESULT_NAME_BYTES, "last of all");
    else
        snprintf(name, RESULT_NAME_BYTES, "last of %u", options_readers(options, 0));
}

bool result_generator_was_busy(const struct result *result) {
    return result->generator_cores > GENERATOR_CORES_MAX;
}
