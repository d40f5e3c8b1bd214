#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "node/bots/bot_connector.h"
#include "node/bots/bots_api.h"
#include "node/bridges/bridges_api.h"
#include "node/events/events_api.h"
#include "node/gateway/admin_api.h"
#include "node/gateway/authentication.h"
#include "node/gateway/certificate.h"
#include "node/gateway/chat_api.h"
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/forward.h"
#include "node/gateway/identity_api.h"
#include "node/gateway/import_api.h"
#include "node/gateway/join_api.h"
#include "node/gateway/keeping_api.h"
#include "node/gateway/presence.h"
#include "node/gateway/rate_limit.h"
#include "node/gateway/realtime_session.h"
#include "node/gateway/session.h"
#include "node/gateway/tls.h"
#include "node/gateway/trace_api.h"
#include "node/gateway/trouter_api.h"
#include "node/join_host.h"
#include "node/log.h"
#include "node/ops/metrics.h"
#include "node/ops/pages.h"
#include "node/push/push_api.h"
#include "node/server_parts.h"
#include "proto/check.h"

#define OPEN_FILES_BESIDES 256 /* database, listeners, event loops */
#define STOP_MS 2000           /* how long a stopping worker waits for its clients */

static void on_call(struct worker *worker, struct http_call *call) {
    const struct http_route_table tables[] = {chat_routes,    identity_routes, trouter_routes, realtime_routes,
                                              page_routes,    metrics_routes,  admin_routes,   trace_routes,
                                              join_routes,    events_routes,   keeping_routes, import_routes,
                                              bridges_routes, push_routes,     bots_routes,    bot_connector_routes};
    const struct http_route *route = router_find(tables, sizeof(tables) / sizeof(tables[0]), call);
    if (route != NULL)
        forward_call(worker, route, call);
}

static void on_worker_start(struct worker *worker) {
    struct gateway_worker *self = gateway_worker_of(worker);
    self->sessions = session_table_new();
    self->tokens = token_cache_new();
    self->trace = trace_ring(self->gateway->trace, TRACE_RING_WORKERS + worker->index);
}

static void on_worker_stop(struct worker *worker) {
    struct gateway_worker *self = gateway_worker_of(worker);
    session_table_free(self->sessions);
    token_cache_free(self->tokens);
}

static size_t workers_wanted(const struct config *config) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return config->workers > 0 ? (size_t)config->workers : cores > 0 ? (size_t)cores : 1;
}

/* Every connection is an open file. */
static void open_files_raise(const struct config *config) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)config->connections_max + OPEN_FILES_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    rlim_t allowed = limit.rlim_max;
    limit = (struct rlimit){.rlim_cur = wanted, .rlim_max = allowed > wanted ? allowed : wanted};
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    limit = (struct rlimit){.rlim_cur = allowed, .rlim_max = allowed};
    setrlimit(RLIMIT_NOFILE, &limit);
    log_warning("connections_max is %lld, but the system allows only %llu open files",
                (long long)config->connections_max, (unsigned long long)allowed);
}

static int workers_open(struct server *server) {
    struct config *config = &server->config;
    struct listen_address addresses[2] = {{.host = config->listen.host, .port = config->listen.port, .is_tls = true}};
    size_t addresses_count = 1;
    char error[512];
    if (config->plain_listen.is_on)
        addresses[addresses_count++] =
            (struct listen_address){.host = config->plain_listen.host, .port = config->plain_listen.port};
    size_t count = workers_wanted(config);
    server->workers = calloc(count, sizeof(*server->workers));
    server->gateway.workers = calloc(count, sizeof(*server->gateway.workers));
    check(server->workers != NULL && server->gateway.workers != NULL);
    for (size_t i = 0; i < count; i++) {
        struct gateway_worker *self = &server->gateway.workers[i];
        *self = (struct gateway_worker){.gateway = &server->gateway, .worker = &server->workers[i]};
        /* Another node on the same address is an error; the workers of this one share it. */
        for (size_t j = 0; j < addresses_count; j++)
            addresses[j].is_exclusive = i == 0;
        struct worker_options options = {
            .index = (unsigned)i,
            .context = self,
            .handler = on_call,
            .http = {.public_url = config->public_url[0] == '\0' ? NULL : config->public_url,
                     .is_forwarded_trusted = config->trust_forwarded,
                     .request_timeout_ms = (uint32_t)config->request_timeout_ms,
                     .body_bytes_max = (size_t)config->request_body_bytes_max},
            .addresses = addresses,
            .addresses_count = addresses_count,
            .tls = server->tls,
            .connections_max = (size_t)config->connections_max,
            .connections_total = &server->gateway.connections,
            .may_use_io_uring = config->io_uring,
            .stop_ms = STOP_MS,
            .on_start = on_worker_start,
            .on_stop = on_worker_stop};
        int rc = worker_init(&server->workers[i], &options, error, sizeof(error));
        if (rc != STATUS_OK && i == 0 && config_may_move(config, "listen")) {
            addresses[0].port = 0;
            rc = worker_init(&server->workers[i], &options, error, sizeof(error));
        }
        if (rc != STATUS_OK) {
            log_error("%s", error);
            return rc;
        }
        server->gateway.workers_count = i + 1;
        /* A port chosen by the kernel for the first worker is the one for all. */
        for (size_t j = 0; j < addresses_count; j++)
            addresses[j].port = server->workers[i].ports[j];
    }
    return STATUS_OK;
}

int gateway_start(struct server *server) {
    for (size_t i = 0; i < server->gateway.workers_count; i++) {
        int rc = worker_start(&server->workers[i]);
        if (rc != STATUS_OK)
            return rc;
        server->workers_started++;
    }
    return STATUS_OK;
}

static int tls_open(struct server *server) {
    struct config *config = &server->config;
    const char *names[64];
    size_t names_count = 0;
    char extra[CONFIG_TEXT_MAX];
    char public_host[CONFIG_TEXT_MAX] = "";
    char folder[CONFIG_TEXT_MAX + 8];
    struct certificate_files files;
    char error[512];
    snprintf(folder, sizeof(folder), "%s/tls", config->data);
    snprintf(extra, sizeof(extra), "%s", config->tls_names);
    char *position = NULL;
    for (char *name = strtok_r(extra, " ", &position); name != NULL && names_count < 60;
         name = strtok_r(NULL, " ", &position))
        names[names_count++] = name;
    if (strcmp(config->listen.host, "0.0.0.0") != 0 && strcmp(config->listen.host, "::") != 0)
        names[names_count++] = config->listen.host;
    if (data_folder_public_host(config, public_host, sizeof(public_host)))
        names[names_count++] = public_host;
    struct certificate_options options = {.folder = folder,
                                          .names = names,
                                          .names_count = names_count,
                                          .certificate_file =
                                              config->tls_cert_file[0] == '\0' ? NULL : config->tls_cert_file,
                                          .key_file = config->tls_key_file[0] == '\0' ? NULL : config->tls_key_file,
                                          .now_s = worker_wall_ms() / 1000};
    int rc = certificate_prepare(&options, &files, error, sizeof(error));
    if (rc == STATUS_OK)
        rc = tls_context_new(files.certificate, files.key, &server->tls, error, sizeof(error));
    if (rc != STATUS_OK)
        log_error("TLS: %s", error);
    return rc;
}

static int tell_joining(void *context, struct bytes address, struct bytes message, struct buffer *answer,
                        const char **reason) {
    struct server *server = context;
    return join_host_answer(server->join_host, address, message, core_loop_monotonic_ms(), answer, reason);
}

static void gateway_fill(struct server *server) {
    struct gateway *gateway = &server->gateway;
    const struct settings *settings = &server->folder.settings;
    gateway->config = &server->config;
    gateway->settings = settings;
    gateway->store = server->folder.store;
    gateway->master = &server->folder.master;
    gateway->access_keys = (struct access_keys){.primary = settings->primary_key, .secondary = settings->secondary_key};
    gateway->core = server;
    gateway->node_id = server->node_id;
    gateway->propose = core_loop_propose;
    gateway->notice = core_loop_notice;
    gateway->place = server->leads == NULL ? NULL : routing_place;
    gateway->range_of = server->leads == NULL ? NULL : routing_range_of;
    gateway->reign = server->leads == NULL ? NULL : routing_reign;
    gateway->others = server->leads == NULL ? NULL : routing_others;
    gateway->elsewhere = server->leads == NULL ? NULL : routing_elsewhere;
    gateway->readiness = server->leads == NULL ? NULL : routing_readiness;
    gateway->ask = server->leads == NULL ? NULL : routing_ask;
    gateway->copies = server->leads == NULL ? NULL : routing_copies;
    gateway->listen = server->leads == NULL ? NULL : routing_listen;
    gateway->unlisten = server->leads == NULL ? NULL : routing_unlisten;
    gateway->listeners = server->leads == NULL ? NULL : routing_listeners;
    gateway->admin.view = server->view;
    gateway->tell_joining = server->join_host == NULL ? NULL : tell_joining;
    gateway->admin.wish = server->folder.is_in_cluster ? wishes_ask : NULL;
    gateway->admin.compute = wishes_ask;
    gateway->started_ms = worker_wall_ms();
    gateway->trace =
        trace_new(TRACE_RING_WORKERS + workers_wanted(&server->config), (size_t)server->config.trace_events);
    gateway->limiter = rate_limiter_new(&server->config);
    gateway->endpoints = endpoint_registry_new();
    gateway->presence = presence_new();
    token_key_from_seed(&gateway->token_key, settings->token_seed);
}

int gateway_setup(struct server *server) {
    open_files_raise(&server->config);
    gateway_fill(server);
    int rc = tls_open(server);
    return rc == STATUS_OK ? workers_open(server) : rc;
}

void gateway_join(struct server *server) {
    if (server->are_workers_joined)
        return;
    server->are_workers_joined = true;
    for (size_t i = 0; i < server->workers_started; i++)
        worker_join(&server->workers[i]);
}

void gateway_close(struct server *server) {
    for (size_t i = 0; i < server->gateway.workers_count; i++)
        worker_close(&server->workers[i]);
    if (server->tls != NULL)
        SSL_CTX_free(server->tls);
    rate_limiter_free(server->gateway.limiter);
    endpoint_registry_free(server->gateway.endpoints);
    presence_free(server->gateway.presence);
    trace_free(server->gateway.trace);
    free(server->workers);
    free(server->gateway.workers);
}
