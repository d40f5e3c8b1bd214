#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/result.h"
#include "proto/check.h"
#include "proto/status.h"

#define JSON_VERSION 1

static void set(json_t *object, const char *name, json_t *value) {
    check(json_object_set_new(object, name, value) == 0);
}

static void set_count(json_t *object, const char *name, uint64_t value) {
    set(object, name, json_integer((json_int_t)value));
}

static void set_real(json_t *object, const char *name, double value) {
    set(object, name, json_real(value));
}

static json_t *config_json(const struct options *options) {
    json_t *config = json_object();
    json_t *nodes = json_array();
    for (size_t i = 0; i < options->nodes_count; i++)
        json_array_append_new(nodes, json_string(options->nodes[i].origin));
    set(config, "nodes", nodes);
    set(config, "wire", json_string(wire_name(options->wire)));
    set(config, "tls", json_boolean(options->nodes[0].is_tls));
    set_count(config, "threads", options->threads);
    set_count(config, "participants", options->participants);
    set_count(config, "connectionsPerUser", options->connections_per_user);
    set_real(config, "ratePerThread", options->rate);
    set_count(config, "payloadBytes", options->payload_bytes);
    set_count(config, "durationSeconds", options->duration_s);
    set_count(config, "warmupSeconds", options->warmup_s);
    set_count(config, "idleConnections", options->idle_connections);
    set_count(config, "seed", options->seed);
    return config;
}

static json_t *setup_json(const struct result *result) {
    json_t *setup = json_object();
    set_count(setup, "users", result->users);
    set_real(setup, "usersSeconds", result->users_s);
    set_real(setup, "threadsSeconds", result->threads_s);
    set_count(setup, "connections", result->connections);
    set_real(setup, "connectionsSeconds", result->connections_s);
    set_count(setup, "connectionsRepeated", result->connections_repeated);
    return setup;
}

static json_t *names_json(const struct name_counts *counts) {
    json_t *object = json_object();
    for (size_t i = 0; i < counts->count; i++)
        set_count(object, counts->items[i].name, counts->items[i].count);
    return object;
}

static json_t *book_json(const struct result *result) {
    json_t *book = json_object();
    set_count(book, "sent", result->sent);
    set_count(book, "acknowledged", result->acknowledged);
    set_count(book, "failed", result->failed);
    set_count(book, "expectedDeliveries", result->expected);
    set_count(book, "deliveries", result->arrived);
    set_count(book, "deliveriesUnacknowledged", result->unawaited);
    set_count(book, "lost", result->lost);
    set_count(book, "duplicates", result->duplicates);
    set_count(book, "disorders", result->disorders);
    set_count(book, "strange", result->strange);
    set_count(book, "connectionsClosed", result->closed);
    set(book, "errors", names_json(&result->errors));
    set(book, "durability", names_json(&result->durabilities));
    set_real(book, "frameBytes", result->frame_bytes);
    return book;
}

static json_t *histogram_json(const struct histogram *histogram) {
    static const struct {
        const char *name;
        double quantile;
    } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    json_t *object = json_object();
    set_count(object, "count", histogram->count);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        set_real(object, rows[i].name, (double)histogram_quantile(histogram, rows[i].quantile) / 1e6);
    set_real(object, "max", (double)histogram->max_ns / 1e6);
    return object;
}

static json_t *measured_json(const struct result *result) {
    json_t *measured = json_object();
    double window_s = result->window_s > 0 ? result->window_s : 1;
    set_real(measured, "seconds", result->window_s);
    set_count(measured, "deliveries", result->window_deliveries);
    set_real(measured, "deliveriesPerSecond", (double)result->window_deliveries / window_s);
    set_real(measured, "expectedDeliveriesPerSecond", options_deliveries_per_second(result->options));
    set(measured, "deliveryMs", histogram_json(&result->delivery));
    set(measured, "lastOfAllMs", histogram_json(&result->last));
    set(measured, "acknowledgementMs", histogram_json(&result->acknowledgement));
    set_real(measured, "generatorLatestSendMs", result->latest_send_ms);
    return measured;
}

static void usage_set(json_t *object, const char *name, const struct process_usage *usage) {
    json_t *memory = json_object();
    set_count(memory, "residentBytes", (uint64_t)usage->resident_bytes);
    set_count(memory, "anonymousBytes", (uint64_t)usage->anonymous_bytes);
    set(object, name, memory);
}

static void baseline_set(json_t *costs, const char *name, const struct result *result,
                         const struct baseline_result *baseline) {
    if (!baseline->is_there)
        return;
    json_t *object = json_object();
    set_real(object, "microsecondsPerDelivery", baseline->us_per_delivery);
    set_real(object, "before", baseline->round_us[0]);
    set_real(object, "after", baseline->round_us[1]);
    set_count(object, "deliveries", baseline->deliveries);
    set_count(object, "expectedDeliveries", baseline->expected);
    if (result_ratio(result, baseline) > 0)
        set_real(object, "ratio", result_ratio(result, baseline));
    set(costs, name, object);
}

static json_t *costs_json(const struct result *result) {
    json_t *costs = json_object();
    set_real(costs, "generatorMicrosecondsPerDelivery", result->generator_us_per_delivery);
    set_real(costs, "generatorCores", result->generator_cores);
    set(costs, "generatorWasBusy", json_boolean(result_generator_was_busy(result)));
    baseline_set(costs, "baselineSend", result, &result->baseline_send);
    baseline_set(costs, "baselineCoalesce", result, &result->baseline_coalesce);
    if (!result->has_server)
        return costs;
    set_real(costs, "serverMicrosecondsPerDelivery", result->server_us_per_delivery);
    set_real(costs, "serverCores", result->server_cores);
    set_real(costs, "residentBytesPerConnection", result_bytes_per_connection(result));
    usage_set(costs, "serverBefore", &result->server_before);
    usage_set(costs, "serverHalfConnected", &result->server_half);
    usage_set(costs, "serverConnected", &result->server_connected);
    if (result->options->idle_connections == 0)
        usage_set(costs, "serverAfter", &result->server_after);
    return costs;
}

static json_t *seconds_json(const struct result *result) {
    json_t *seconds = json_array();
    for (size_t i = 0; i < result->seconds_count; i++) {
        const struct second *second = &result->seconds[i];
        json_t *row = json_object();
        set_count(row, "deliveries", second->deliveries);
        set_real(row, "p50Ms", (double)second->p50_ns / 1e6);
        set_real(row, "p99Ms", (double)second->p99_ns / 1e6);
        set_real(row, "maxMs", (double)second->max_ns / 1e6);
        if (second->server_cores >= 0)
            set_real(row, "serverCores", second->server_cores);
        json_array_append_new(seconds, row);
    }
    return seconds;
}

int result_json_write(const struct result *result, const char *file) {
    FILE *out = strcmp(file, "-") == 0 ? stdout : fopen(file, "w");
    if (out == NULL)
        return STATUS_SERVICE_UNAVAILABLE;
    json_t *root = json_object();
    set_count(root, "version", JSON_VERSION);
    set_count(root, "startedOn", (uint64_t)result->started_s);
    set(root, "clean", json_boolean(result_is_clean(result)));
    set(root, "config", config_json(result->options));
    set(root, "setup", setup_json(result));
    if (result->options->idle_connections == 0) {
        set(root, "book", book_json(result));
        set(root, "measured", measured_json(result));
        set(root, "seconds", seconds_json(result));
    }
    set(root, "costs", costs_json(result));
    bool is_written = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    if (fflush(out) != 0)
        is_written = false;
    if (out != stdout && fclose(out) != 0)
        is_written = false;
    return is_written ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE;
}
