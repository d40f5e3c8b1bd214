#include <inttypes.h>
#include <stdio.h>

#include "bench/moved.h"

void result_percentiles_print(const char *name, const struct histogram *histogram) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    printf("  %-22s", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        printf("%10.3f", values[i]);
    printf("\n");
}

void result_counts_print(const char *title, const struct name_counts *counts) {
    for (size_t i = 0; i < counts->count; i++)
        printf("  %-22s %s: %" PRIu64 "\n", i == 0 ? title : "", counts->items[i].name, counts->items[i].count);
}

static void baseline_print(const struct result *result, const char *name, const struct baseline_result *baseline) {
    if (!baseline->is_there)
        return;
    printf("  %-22s %.2f µs a delivery (%.2f before, %.2f after)", name, baseline->us_per_delivery,
           baseline->round_us[0], baseline->round_us[1]);
    if (result_ratio(result, baseline) > 0)
        printf("; Weft costs %.2f times that", result_ratio(result, baseline));
    if (baseline->deliveries != baseline->expected)
        printf(" (only %" PRIu64 " of %" PRIu64 " arrived)", baseline->deliveries, baseline->expected);
    printf("\n");
}

static void memory_print(const struct result *result) {
    if (!result->has_server)
        return;
    printf("  %-22s %.1f KB resident a connection (%.1f → %.1f MB with %zu connections)\n", "server memory",
           result_bytes_per_connection(result) / 1024, (double)result->server_before.resident_bytes / 1048576,
           (double)result->server_connected.resident_bytes / 1048576, result->connections);
}

static void setup_print(const struct result *result) {
    const struct options *options = result->options;
    printf("\nsetup\n  %-22s %zu in %.1f s\n", "users", result->users, result->users_s);
    if (options->idle_connections == 0)
        printf("  %-22s %u with %u participants each", "threads", options->threads, options->participants);
    if (options->small_threads > 0)
        printf(", %u with %d", options->small_threads, OPTIONS_SMALL_PARTICIPANTS);
    if (options->idle_connections == 0)
        printf(", in %.2f s\n", result->threads_s);
    printf("  %-22s %zu in %.1f s, %s%s\n", "connections", result->connections, result->connections_s,
           wire_name(options->wire), options->nodes[0].is_tls ? ", TLS" : ", plain");
}

static void fanout_print(const struct result *result) {
    const struct options *options = result->options;
    printf("\nbook (warm-up included)\n");
    printf("  %-22s %" PRIu64 ", acknowledged %" PRIu64 ", failed %" PRIu64 "\n", "messages sent", result->sent,
           result->acknowledged, result->failed);
    printf("  %-22s %" PRIu64 " of %" PRIu64 "\n", "deliveries", result->arrived, result->expected);
    if (result->unawaited > 0)
        printf("  %-22s %" PRIu64 " of messages without acknowledgement\n", "", result->unawaited);
    printf("  %-22s %" PRIu64 " lost, %" PRIu64 " duplicates, %" PRIu64 " out of order, %" PRIu64 " strange\n", "",
           result->lost, result->duplicates, result->disorders, result->strange);
    result_counts_print("durability", &result->durabilities);
    result_counts_print("errors", &result->errors);
    printf("\nmeasured %.1f s\n", result->window_s);
    printf("  %-22s %.0f of %.0f per second\n", "deliveries",
           result->window_s > 0 ? (double)result->window_deliveries / result->window_s : 0,
           options_deliveries_per_second(options));
    printf("  %-22s%10s%10s%10s%10s%10s\n", "latency, ms", "p50", "p90", "p99", "p99.9", "max");
    result_percentiles_print("a delivery", &result->delivery);
    char name[RESULT_NAME_BYTES];
    result_last_name(options, name);
    result_percentiles_print(name, &result->last);
    result_percentiles_print("acknowledgement", &result->acknowledgement);
    printf("  %-22s %.2f ms late at worst\n", "generator's sends", result->latest_send_ms);
}

static void costs_print(const struct result *result) {
    printf("\ncosts\n");
    if (result->has_server && result->options->idle_connections == 0)
        printf("  %-22s %.2f µs a delivery (%.0f %% of a core)\n", "server CPU", result->server_us_per_delivery,
               100 * result->server_cores);
    if (!result->has_server)
        printf("  %-22s not measured: %s\n", "server",
               result->options->server_pids_count == 0 ? "give --server-pid"
                                                       : "a process of --server-pid cannot be read");
    baseline_print(result, "bare epoll, one send", &result->baseline_send);
    baseline_print(result, "bare epoll, merging", &result->baseline_coalesce);
    memory_print(result);
    if (result->options->idle_connections > 0)
        return;
    printf("  %-22s %.2f µs a delivery (%.0f %% of a core)\n", "generator CPU", result->generator_us_per_delivery,
           100 * result->generator_cores);
    if (result_generator_was_busy(result))
        printf("  WARNING: the generator was busy more than 85 %% of the time; latencies are partly its own.\n");
}

static void added_print(const char *name, const struct histogram *histogram,
                        const double earlier_ms[EARLIER_QUANTILES]) {
    double values[EARLIER_QUANTILES];
    result_quantiles_ms(histogram, values);
    printf("  %-22s", name);
    for (size_t i = 0; i < EARLIER_QUANTILES; i++)
        printf("%+10.3f", values[i] - earlier_ms[i]);
    printf("\n");
}

static void beside_print(const struct result *result) {
    const struct earlier *earlier = &result->earlier;
    if (earlier->nodes == 0)
        return;
    printf("\nbeside %s (nodes: %zu there, %zu here)\n", result->options->beside_file, earlier->nodes,
           result->options->nodes_count);
    printf("  %-22s%10s%10s%10s%10s%10s\n", "added latency, ms", "p50", "p90", "p99", "p99.9", "max");
    added_print("a delivery", &result->delivery, earlier->delivery_ms);
    added_print("last of all", &result->last, earlier->last_ms);
    added_print("acknowledgement", &result->acknowledgement, earlier->acknowledgement_ms);
    if (result->has_server && earlier->server_us_per_delivery > 0)
        printf("  %-22s %.2f µs a delivery there, %.2f here: %.2f times that\n", "server CPU",
               earlier->server_us_per_delivery, result->server_us_per_delivery,
               result->server_us_per_delivery / earlier->server_us_per_delivery);
}

void result_text_print(const struct result *result) {
    setup_print(result);
    if (result->options->idle_connections == 0)
        fanout_print(result);
    else
        result_counts_print("errors", &result->errors);
    costs_print(result);
    if (result->moved != NULL)
        moved_text_print(result);
    beside_print(result);
    printf("\n%s\n",
           result_is_clean(result) ? "clean: nothing lost, doubled, out of order or refused" : "NOT CLEAN: see above");
}
