#include "bench/rig.h"

#include <stdio.h>
#include <sys/resource.h>

#include "bench/chance.h"
#include "bench/sdk.h"
#include "proto/status.h"

#define REST_CONNECTIONS_MAX 32
#define SETTLE_STEP_NS 250000000LL
#define SETTLE_STEPS_MAX 20
#define SETTLE_CHANGE_BYTES 65536

/* The book is made for many descriptors, the shell often is not. */
static void descriptors_raise(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int nodes_resolve(struct options *options, char *reason, size_t reason_size) {
    for (size_t i = 0; i < options->nodes_count; i++) {
        const char *error = address_resolve(&options->nodes[i]);
        if (error == NULL)
            continue;
        snprintf(reason, reason_size, "%s: %s", options->nodes[i].origin, error);
        return STATUS_SERVICE_UNAVAILABLE;
    }
    return STATUS_OK;
}

static void on_ping_time(void *context, int64_t now_ns) {
    struct rig *rig = context;
    for (size_t i = 0; i < rig->population.sessions_count; i++)
        if (rig->population.sessions[i].state == SESSION_READY)
            sdk_ping(&rig->population.sessions[i]);
    rig->ping_timer.at_ns = now_ns + SDK_PING_INTERVAL_NS;
}

int rig_open(struct rig *rig, struct options *options, const struct session_events *events, void *context, char *reason,
             size_t reason_size) {
    *rig = (struct rig){0};
    descriptors_raise();
    int rc = nodes_resolve(options, reason, reason_size);
    if (rc != STATUS_OK)
        return rc;
    SSL_CTX *tls = NULL;
    if (options->nodes[0].is_tls && (tls = stream_tls_new(options->ca_file, reason, reason_size)) == NULL)
        return STATUS_SERVICE_UNAVAILABLE;
    loop_init(&rig->loop);
    loop_timer_add(&rig->loop, &rig->ping_timer, on_ping_time, rig);
    http_init(&rig->http, &rig->loop, options->ca_file, REST_CONNECTIONS_MAX);
    rig->host = (struct session_host){
        .loop = &rig->loop,
        .http = &rig->http,
        .tls = tls,
        .wire = options->wire,
        .payload_bytes = options->payload_bytes,
        .events = events,
        .context = context,
        .chance = chance_seed(options->seed),
    };
    session_host_init(&rig->host);
    rc = population_create(&rig->population, options, &rig->http, reason, reason_size);
    if (rc != STATUS_OK)
        rig_close(rig);
    for (size_t i = 0; i < rig->population.sessions_count; i++)
        rig->population.sessions[i].host = &rig->host;
    return rc;
}

bool rig_memory_settled(struct rig *rig, const struct options *options, struct process_usage *usage) {
    if (!process_usage_read(options->server_pids, options->server_pids_count, usage))
        return false;
    for (int step = 0; step < SETTLE_STEPS_MAX; step++) {
        int64_t before = usage->resident_bytes, until_ns = loop_now_ns() + SETTLE_STEP_NS;
        while (loop_now_ns() < until_ns)
            loop_turn(&rig->loop, until_ns);
        if (!process_usage_read(options->server_pids, options->server_pids_count, usage))
            return false;
        int64_t change = usage->resident_bytes - before;
        if (change < SETTLE_CHANGE_BYTES && change > -SETTLE_CHANGE_BYTES)
            break;
    }
    return true;
}

/* Connections [from, to); the time they took is added to the result's. */
static int connect_some(struct rig *rig, struct result *result, size_t from, size_t to) {
    if (from == to)
        return STATUS_OK;
    int64_t start_ns = loop_now_ns();
    int rc = connector_run(&rig->connector, rig->population.sessions + from, to - from);
    result->connections_s += (double)(loop_now_ns() - start_ns) / 1e9;
    result->connections_repeated += rig->connector.repeats_total;
    return rc;
}

int rig_connect(struct rig *rig, struct result *result, char *reason, size_t reason_size) {
    const struct options *options = result->options;
    size_t count = rig->population.sessions_count;
    result->users = rig->population.users_count;
    result->connections = count;
    result->users_s = rig->population.users_s;
    result->threads_s = rig->population.threads_s;
    result->has_server = rig_memory_settled(rig, options, &result->server_before);
    int rc = connect_some(rig, result, 0, count / 2);
    result->has_server = result->has_server && rig_memory_settled(rig, options, &result->server_half);
    if (rc == STATUS_OK)
        rc = connect_some(rig, result, count / 2, count);
    if (rc != STATUS_OK) {
        snprintf(reason, reason_size, "%s", rig->connector.reason);
        return rc;
    }
    if (options->wire == WIRE_SDK)
        rig->ping_timer.at_ns = loop_now_ns() + SDK_PING_INTERVAL_NS;
    result->has_server = result->has_server && rig_memory_settled(rig, options, &result->server_connected);
    return STATUS_OK;
}

void rig_close(struct rig *rig) {
    http_close(&rig->http);
    population_close(&rig->population);
    session_host_close(&rig->host);
    SSL_CTX_free(rig->host.tls);
    loop_close(&rig->loop);
}
