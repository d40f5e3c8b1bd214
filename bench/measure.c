#include "bench/measure.h"

#include <stdlib.h>

#include "proto/check.h"

#define SECOND_NS 1000000000LL

bool measure_server(const struct result *result, struct process_usage *usage) {
    return process_usage_read(result->options->server_pids, result->options->server_pids_count, usage);
}

void measure_start(struct measure *measure, struct result *result, int64_t start_ns) {
    const struct options *options = result->options;
    *measure = (struct measure){.result = result, .start_ns = start_ns};
    measure->window_start_ns = start_ns + (int64_t)options->warmup_s * SECOND_NS;
    measure->window_end_ns = measure->window_start_ns + (int64_t)options->duration_s * SECOND_NS;
    measure_server(result, &measure->second_usage);
}

bool measure_is_in_window(const struct measure *measure, int64_t time_ns) {
    return time_ns >= measure->window_start_ns && time_ns < measure->window_end_ns;
}

void measure_delivery(struct measure *measure, int64_t intended_ns, int64_t now_ns, bool is_last) {
    int64_t latency_ns = now_ns - intended_ns;
    measure->arrivals++;
    histogram_add(&measure->second, latency_ns);
    if (!measure_is_in_window(measure, intended_ns))
        return;
    histogram_add(&measure->result->delivery, latency_ns);
    if (is_last)
        histogram_add(&measure->result->last, latency_ns);
}

void measure_acknowledgement(struct measure *measure, int64_t intended_ns, int64_t now_ns) {
    uint64_t latency_ns = now_ns > intended_ns ? (uint64_t)(now_ns - intended_ns) : 0;
    if (latency_ns > measure->second_acknowledgement_max_ns)
        measure->second_acknowledgement_max_ns = latency_ns;
    if (measure_is_in_window(measure, intended_ns))
        histogram_add(&measure->result->acknowledgement, (int64_t)latency_ns);
}

static void second_add(struct measure *measure, const struct second *second) {
    struct result *result = measure->result;
    if (result->seconds_count == measure->seconds_capacity) {
        measure->seconds_capacity = measure->seconds_capacity * 2 + 64;
        result->seconds = realloc(result->seconds, measure->seconds_capacity * sizeof *result->seconds);
        check(result->seconds != NULL);
    }
    result->seconds[result->seconds_count++] = *second;
}

void measure_second(struct measure *measure) {
    struct second second = {
        .deliveries = measure->arrivals - measure->second_arrivals,
        .p50_ns = histogram_quantile(&measure->second, 0.5),
        .p99_ns = histogram_quantile(&measure->second, 0.99),
        .max_ns = measure->second.max_ns,
        .acknowledgement_max_ns = measure->second_acknowledgement_max_ns,
        .server_cores = -1,
    };
    struct process_usage usage;
    if (measure->result->has_server && measure_server(measure->result, &usage)) {
        second.server_cores = (double)(usage.cpu_ns - measure->second_usage.cpu_ns) / 1e9;
        measure->second_usage = usage;
    }
    second_add(measure, &second);
    measure->second_arrivals = measure->arrivals;
    measure->second_acknowledgement_max_ns = 0;
    histogram_clear(&measure->second);
}

void measure_window_start(struct measure *measure) {
    measure->window_arrivals = measure->arrivals;
    measure->window_own_cpu_ns = process_own_cpu_ns();
    measure->result->has_server =
        measure->result->has_server && measure_server(measure->result, &measure->window_usage);
}

void measure_window_end(struct measure *measure, int64_t now_ns) {
    struct result *result = measure->result;
    struct process_usage usage;
    result->window_s = (double)(now_ns - measure->window_start_ns) / 1e9;
    result->window_deliveries = measure->arrivals - measure->window_arrivals;
    double deliveries = result->window_deliveries == 0 ? 1 : (double)result->window_deliveries;
    double own_ns = (double)(process_own_cpu_ns() - measure->window_own_cpu_ns);
    result->generator_us_per_delivery = own_ns / 1e3 / deliveries;
    result->generator_cores = own_ns / 1e9 / result->window_s;
    result->has_server = result->has_server && measure_server(result, &usage);
    if (!result->has_server)
        return;
    double server_ns = (double)(usage.cpu_ns - measure->window_usage.cpu_ns);
    result->server_us_per_delivery = server_ns / 1e3 / deliveries;
    result->server_cores = server_ns / 1e9 / result->window_s;
}
