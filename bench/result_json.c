#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/json_out.h"
#include "bench/moved.h"
#include "proto/status.h"

#define JSON_VERSION 1

static json_t *config_json(const struct options *options) {
    json_t *config = json_object();
    json_t *nodes = json_array();
    for (size_t i = 0; i < options->nodes_count; i++)
        json_array_append_new(nodes, json_string(options->nodes[i].origin));
    json_out_set(config, "nodes", nodes);
    json_out_set(config, "wire", json_string(wire_name(options->wire)));
    json_out_set(config, "tls", json_boolean(options->nodes[0].is_tls));
    json_out_set(config, "command", json_string(mode_name(options->mode)));
    json_out_count(config, "threads", options->threads);
    json_out_count(config, "smallThreads", options->small_threads);
    json_out_count(config, "participants", options->participants);
    json_out_count(config, "connectionsPerUser", options->connections_per_user);
    json_out_real(config, "ratePerThread", options->rate);
    json_out_count(config, "payloadBytes", options->payload_bytes);
    json_out_count(config, "durationSeconds", options->duration_s);
    json_out_count(config, "warmupSeconds", options->warmup_s);
    json_out_count(config, "idleConnections", options->idle_connections);
    json_out_count(config, "seed", options->seed);
    return config;
}

static json_t *setup_json(const struct result *result) {
    json_t *setup = json_object();
    json_out_count(setup, "users", result->users);
    json_out_real(setup, "usersSeconds", result->users_s);
    json_out_real(setup, "threadsSeconds", result->threads_s);
    json_out_count(setup, "connections", result->connections);
    json_out_real(setup, "connectionsSeconds", result->connections_s);
    json_out_count(setup, "connectionsRepeated", result->connections_repeated);
    return setup;
}

static json_t *book_json(const struct result *result) {
    json_t *book = json_object();
    json_out_count(book, "sent", result->sent);
    json_out_count(book, "acknowledged", result->acknowledged);
    json_out_count(book, "failed", result->failed);
    json_out_count(book, "expectedDeliveries", result->expected);
    json_out_count(book, "deliveries", result->arrived);
    json_out_count(book, "deliveriesUnacknowledged", result->unawaited);
    json_out_count(book, "lost", result->lost);
    json_out_count(book, "duplicates", result->duplicates);
    json_out_count(book, "disorders", result->disorders);
    json_out_count(book, "strange", result->strange);
    json_out_count(book, "connectionsClosed", result->closed);
    json_out_set(book, "errors", json_out_names(&result->errors));
    json_out_set(book, "durability", json_out_names(&result->durabilities));
    json_out_real(book, "frameBytes", result->frame_bytes);
    return book;
}

static json_t *measured_json(const struct result *result) {
    json_t *measured = json_object();
    double window_s = result->window_s > 0 ? result->window_s : 1;
    json_out_real(measured, "seconds", result->window_s);
    json_out_count(measured, "deliveries", result->window_deliveries);
    json_out_real(measured, "deliveriesPerSecond", (double)result->window_deliveries / window_s);
    json_out_real(measured, "expectedDeliveriesPerSecond", options_deliveries_per_second(result->options));
    json_out_set(measured, "deliveryMs", json_out_histogram(&result->delivery));
    json_out_set(measured, "lastOfAllMs", json_out_histogram(&result->last));
    json_out_set(measured, "acknowledgementMs", json_out_histogram(&result->acknowledgement));
    json_out_real(measured, "generatorLatestSendMs", result->latest_send_ms);
    return measured;
}

static void usage_set(json_t *object, const char *name, const struct process_usage *usage) {
    json_t *memory = json_object();
    json_out_count(memory, "residentBytes", (uint64_t)usage->resident_bytes);
    json_out_count(memory, "anonymousBytes", (uint64_t)usage->anonymous_bytes);
    json_out_set(object, name, memory);
}

static void baseline_set(json_t *costs, const char *name, const struct result *result,
                         const struct baseline_result *baseline) {
    if (!baseline->is_there)
        return;
    json_t *object = json_object();
    json_out_real(object, "microsecondsPerDelivery", baseline->us_per_delivery);
    json_out_real(object, "before", baseline->round_us[0]);
    json_out_real(object, "after", baseline->round_us[1]);
    json_out_count(object, "deliveries", baseline->deliveries);
    json_out_count(object, "expectedDeliveries", baseline->expected);
    if (result_ratio(result, baseline) > 0)
        json_out_real(object, "ratio", result_ratio(result, baseline));
    json_out_set(costs, name, object);
}

static json_t *costs_json(const struct result *result) {
    json_t *costs = json_object();
    json_out_real(costs, "generatorMicrosecondsPerDelivery", result->generator_us_per_delivery);
    json_out_real(costs, "generatorCores", result->generator_cores);
    json_out_set(costs, "generatorWasBusy", json_boolean(result_generator_was_busy(result)));
    baseline_set(costs, "baselineSend", result, &result->baseline_send);
    baseline_set(costs, "baselineCoalesce", result, &result->baseline_coalesce);
    if (!result->has_server)
        return costs;
    json_out_real(costs, "serverMicrosecondsPerDelivery", result->server_us_per_delivery);
    json_out_real(costs, "serverCores", result->server_cores);
    json_out_real(costs, "residentBytesPerConnection", result_bytes_per_connection(result));
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
        json_out_count(row, "deliveries", second->deliveries);
        json_out_real(row, "p50Ms", (double)second->p50_ns / 1e6);
        json_out_real(row, "p99Ms", (double)second->p99_ns / 1e6);
        json_out_real(row, "maxMs", (double)second->max_ns / 1e6);
        json_out_real(row, "acknowledgementMaxMs", (double)second->acknowledgement_max_ns / 1e6);
        if (second->server_cores >= 0)
            json_out_real(row, "serverCores", second->server_cores);
        json_array_append_new(seconds, row);
    }
    return seconds;
}

int result_json_write(const struct result *result, const char *file) {
    FILE *out = strcmp(file, "-") == 0 ? stdout : fopen(file, "w");
    if (out == NULL)
        return STATUS_SERVICE_UNAVAILABLE;
    json_t *root = json_object();
    json_out_count(root, "version", JSON_VERSION);
    json_out_count(root, "startedOn", (uint64_t)result->started_s);
    json_out_set(root, "clean", json_boolean(result_is_clean(result)));
    json_out_set(root, "config", config_json(result->options));
    json_out_set(root, "setup", setup_json(result));
    if (result->options->idle_connections == 0) {
        json_out_set(root, "book", book_json(result));
        json_out_set(root, "measured", measured_json(result));
        json_out_set(root, "seconds", seconds_json(result));
    }
    json_out_set(root, "costs", costs_json(result));
    if (result->moved != NULL)
        json_out_set(root, "moved", moved_json(result));
    bool is_written = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    if (fflush(out) != 0)
        is_written = false;
    if (out != stdout && fclose(out) != 0)
        is_written = false;
    return is_written ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE;
}
