#include "node/server.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node/coordinator/local.h"
#include "node/core/node_core.h"
#include "node/data_folder.h"
#include "node/disk.h"
#include "node/gateway/authentication.h"
#include "node/gateway/certificate.h"
#include "node/gateway/chat_api.h"
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/fanout.h"
#include "node/gateway/identity_api.h"
#include "node/gateway/rate_limit.h"
#include "node/gateway/realtime_session.h"
#include "node/gateway/session.h"
#include "node/gateway/tls.h"
#include "node/gateway/trouter_api.h"
#include "node/log.h"
#include "node/ops/metrics.h"
#include "node/ops/pages.h"
#include "proto/check.h"
#include "proto/limits.h"

#define DRAIN_SPREAD_MS 2000
#define DRAIN_MS 10000
#define DRAIN_LOOK_MS 200
#define STOP_MS 2000

enum server_phase {
    SERVER_RUNNING,  /* serving */
    SERVER_DRAINING, /* SIGTERM: real-time clients are moving away */
    SERVER_STOPPING  /* workers are ending; the core still finishes what is on disk */
};

struct server {
    struct config config;
    struct data_folder folder;
    struct node_core *core;
    struct disk *disk;
    struct gateway gateway;
    struct worker *workers;
    size_t workers_started;
    uv_loop_t loop;
    struct mailbox mailbox;
    uv_timer_t tick;
    uv_timer_t drain_timer;
    uv_signal_t signals[2];
    struct parcel batch_parcel; /* one batch is on disk at a time */
    struct batch *batch_done;
    int storing_rc; /* how the last batch ended */
    struct action_list actions;
    enum server_phase phase;
    int64_t drain_started_ms;
    SSL_CTX *tls;
};

/* ---- events in, actions out ---- */

static int64_t wall_ms(void) {
    return worker_wall_ms();
}

static void on_answer_delivered(void *receiver, struct parcel *parcel) {
    struct worker *worker = receiver;
    struct reply *reply = (struct reply *)parcel;
    reply->on_answer(gateway_worker_of(worker), reply);
}

static void answer_perform(struct server *server, const struct action *action) {
    struct reply *reply = action->reply_to;
    reply->result = action->result;
    reply->copies = action->copies;
    reply->parcel.deliver = on_answer_delivered;
    if (worker_post(&server->workers[action->worker], &reply->parcel) != STATUS_OK)
        log_debug("an answer came after its worker had stopped");
}

static void fan_out_perform(struct server *server, const struct action *action) {
    size_t count = server->gateway.workers_count;
    struct broadcast *broadcast = broadcast_new(action->change, action->copies, count);
    for (size_t i = 0; i < count; i++)
        if (worker_post(&server->workers[i], broadcast_parcel(broadcast, i)) != STATUS_OK)
            broadcast_release(broadcast);
}

static void actions_perform(struct server *server) {
    for (size_t i = 0; i < server->actions.count; i++) {
        const struct action *action = &server->actions.items[i];
        switch (action->kind) {
        case ACTION_WRITE:
            disk_write(server->disk, action->batch);
            break;
        case ACTION_ANSWER:
            answer_perform(server, action);
            break;
        case ACTION_FAN_OUT:
            fan_out_perform(server, action);
            break;
        }
    }
    server->actions.count = 0;
    node_core_done(server->core);
}

static void step(struct server *server, const struct event *event) {
    node_core_step(server->core, event, &server->actions);
    actions_perform(server);
}

struct proposal_parcel {
    struct parcel parcel;
    struct entry *entry;
};

static void on_proposal(void *receiver, struct parcel *parcel) {
    struct proposal_parcel *proposal = (struct proposal_parcel *)parcel;
    struct event event = {.kind = EVENT_PROPOSE, .now_ms = wall_ms(), .entry = proposal->entry};
    free(proposal);
    step(receiver, &event);
}

static int server_propose(void *core, struct entry *entry) {
    struct server *server = core;
    struct proposal_parcel *proposal = calloc(1, sizeof(*proposal));
    check(proposal != NULL);
    proposal->parcel.deliver = on_proposal;
    proposal->entry = entry;
    int rc = mailbox_post(&server->mailbox, &proposal->parcel);
    if (rc != STATUS_OK)
        free(proposal);
    return rc;
}

struct notice_parcel {
    struct parcel parcel;
    struct buffer encoded;
};

static void on_notice(void *receiver, struct parcel *parcel) {
    struct notice_parcel *notice = (struct notice_parcel *)parcel;
    struct change change;
    struct arena arena;
    arena_init(&arena);
    check(change_decode(buffer_bytes(&notice->encoded), &arena, &change) == STATUS_OK);
    struct event event = {.kind = EVENT_NOTICE, .now_ms = wall_ms(), .notice = &change};
    step(receiver, &event);
    arena_close(&arena);
    buffer_close(&notice->encoded);
    free(notice);
}

static int server_notice(void *core, const struct change *change) {
    struct server *server = core;
    struct notice_parcel *notice = calloc(1, sizeof(*notice));
    check(notice != NULL);
    notice->parcel.deliver = on_notice;
    buffer_init(&notice->encoded);
    change_encode(change, &notice->encoded);
    int rc = mailbox_post(&server->mailbox, &notice->parcel);
    if (rc != STATUS_OK) {
        buffer_close(&notice->encoded);
        free(notice);
    }
    return rc;
}

/* Said once, not with every batch: a log on a full disk would only make it fuller. */
static void storing_note(struct server *server, const struct batch *batch) {
    if (batch->rc == server->storing_rc)
        return;
    server->storing_rc = batch->rc;
    if (batch->rc == STATUS_OK)
        log_info("changes are stored again");
    else
        log_error("a batch of %zu entries was not stored: %s", batch->count, status_sentence(batch->rc));
}

static void on_batch_delivered(void *receiver, struct parcel *parcel) {
    struct server *server = receiver;
    struct event event = {.kind = EVENT_BATCH_DONE, .now_ms = wall_ms(), .batch = server->batch_done};
    (void)parcel;
    storing_note(server, server->batch_done);
    step(server, &event);
}

/* On the disk's thread. */
static void on_batch_written(void *context, struct batch *batch) {
    struct server *server = context;
    server->batch_done = batch;
    check(mailbox_post(&server->mailbox, &server->batch_parcel) == STATUS_OK);
}

static bool core_is_idle(struct server *server) {
    struct node_core_statistics statistics = node_core_statistics(server->core);
    return statistics.waiting == 0 && statistics.on_disk == 0;
}

/* ---- stopping ---- */

static size_t websockets_left(struct server *server) {
    size_t left = 0;
    for (size_t i = 0; i < server->workers_started; i++)
        left += worker_totals(&server->workers[i]).websockets;
    return left;
}

static void loop_end(struct server *server) {
    if (uv_is_closing((uv_handle_t *)&server->tick))
        return;
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->drain_timer, NULL);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    mailbox_close(&server->mailbox, NULL);
}

static void on_stopping_look(uv_timer_t *timer) {
    struct server *server = timer->data;
    if (core_is_idle(server))
        loop_end(server);
}

/* Workers first: after them nobody proposes any more, and what they were waiting for is answered to nobody. */
static void stop(struct server *server) {
    if (server->phase == SERVER_STOPPING)
        return;
    server->phase = SERVER_STOPPING;
    for (size_t i = 0; i < server->workers_started; i++)
        worker_stop(&server->workers[i]);
    uv_timer_start(&server->drain_timer, on_stopping_look, 0, 10);
}

static void on_draining_look(uv_timer_t *timer) {
    struct server *server = timer->data;
    int64_t waited_ms = wall_ms() - server->drain_started_ms;
    bool is_empty = websockets_left(server) == 0 && core_is_idle(server);
    if (waited_ms >= DRAIN_MS || (is_empty && waited_ms >= DRAIN_LOOK_MS))
        stop(server);
}

static void on_drain_delivered(void *receiver, struct parcel *parcel) {
    struct worker *worker = receiver;
    free(parcel);
    session_table_drain(gateway_worker_of(worker), DRAIN_SPREAD_MS);
}

static void drain(struct server *server) {
    log_info("draining: %zu websockets", websockets_left(server));
    server->phase = SERVER_DRAINING;
    server->drain_started_ms = wall_ms();
    atomic_store(&server->gateway.is_draining, true);
    for (size_t i = 0; i < server->workers_started; i++) {
        struct parcel *parcel = calloc(1, sizeof(*parcel));
        check(parcel != NULL);
        parcel->deliver = on_drain_delivered;
        if (worker_post(&server->workers[i], parcel) != STATUS_OK)
            free(parcel);
    }
    uv_timer_start(&server->drain_timer, on_draining_look, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

static void on_signal(uv_signal_t *signal, int number) {
    struct server *server = signal->data;
    (void)number;
    if (server->phase == SERVER_RUNNING)
        drain(server);
    else
        stop(server);
}

static void on_tick(uv_timer_t *timer) {
    struct server *server = timer->data;
    struct event event = {.kind = EVENT_TICK, .now_ms = wall_ms()};
    step(server, &event);
    struct node_core_statistics statistics = node_core_statistics(server->core);
    metrics_core_update(&statistics);
}

/* ---- gateway workers ---- */

static void on_call(struct worker *worker, struct http_call *call) {
    const struct http_route_table tables[] = {chat_routes,     identity_routes, trouter_routes,
                                              realtime_routes, page_routes,     metrics_routes};
    router_dispatch(tables, sizeof(tables) / sizeof(tables[0]), worker, call);
}

static void on_worker_start(struct worker *worker) {
    struct gateway_worker *self = gateway_worker_of(worker);
    self->sessions = session_table_new();
    self->tokens = token_cache_new();
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
            .stop_ms = STOP_MS,
            .on_start = on_worker_start,
            .on_stop = on_worker_stop};
        int rc = worker_init(&server->workers[i], &options, error, sizeof(error));
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

static int workers_start(struct server *server) {
    for (size_t i = 0; i < server->gateway.workers_count; i++) {
        int rc = worker_start(&server->workers[i]);
        if (rc != STATUS_OK)
            return rc;
        server->workers_started++;
    }
    return STATUS_OK;
}

/* ---- putting it together ---- */

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
                                          .now_s = wall_ms() / 1000};
    int rc = certificate_prepare(&options, &files, error, sizeof(error));
    if (rc == STATUS_OK)
        rc = tls_context_new(files.certificate, files.key, &server->tls, error, sizeof(error));
    if (rc != STATUS_OK)
        log_error("TLS: %s", error);
    return rc;
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
    gateway->propose = server_propose;
    gateway->notice = server_notice;
    gateway->started_ms = wall_ms();
    gateway->limiter = rate_limiter_new(&server->config);
    gateway->endpoints = endpoint_registry_new();
    token_key_from_seed(&gateway->token_key, settings->token_seed);
}

struct outbox_gathering {
    struct arena *arena;
    struct start_outbox_row *rows;
    size_t count;
    size_t capacity;
};

static bool outbox_gather(void *context, const struct id_hash *subject, uint64_t number, const struct outbox_row *row) {
    struct outbox_gathering *gathering = context;
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity == 0 ? 64 : gathering->capacity * 2;
        struct start_outbox_row *rows = ARENA_NEW_ARRAY(gathering->arena, struct start_outbox_row, capacity);
        if (gathering->count > 0)
            memcpy(rows, gathering->rows, gathering->count * sizeof(*rows));
        gathering->rows = rows;
        gathering->capacity = capacity;
    }
    gathering->rows[gathering->count++] = (struct start_outbox_row){.subject = *subject, .number = number, .row = *row};
    return true;
}

/* Tells the core what the disk holds: the marks of every range and what threads still have to tell. */
static int core_start(struct server *server) {
    struct data_folder *folder = &server->folder;
    uint32_t count = folder->settings.range_count;
    struct arena arena;
    struct store_transaction *transaction = NULL;
    arena_init(&arena);
    struct range_marks *marks = ARENA_NEW_ARRAY(&arena, struct range_marks, count);
    struct outbox_gathering outbox = {.arena = &arena};
    int rc = store_begin_read(folder->store, &transaction);
    if (rc != STATUS_OK)
        goto close_arena;
    for (uint32_t i = 0; i < count && rc == STATUS_OK; i++) {
        rc = range_marks_get(transaction, &folder->master, &arena, i, &marks[i]);
        if (rc == STATUS_STORE_MISSING)
            rc = STATUS_OK;
    }
    if (rc == STATUS_OK)
        rc = outbox_visit(transaction, &folder->master, &arena, outbox_gather, &outbox);
    store_abort(transaction);
    if (rc == STATUS_OK) {
        struct event event = {.kind = EVENT_START,
                              .now_ms = wall_ms(),
                              .marks = marks,
                              .outbox = outbox.rows,
                              .outbox_count = outbox.count};
        step(server, &event);
    }
close_arena:
    if (rc != STATUS_OK)
        log_error("the state of the ranges cannot be read: %s", status_sentence(rc));
    arena_close(&arena);
    return rc;
}

static int loop_open(struct server *server) {
    static const int numbers[2] = {SIGTERM, SIGINT};
    check(uv_loop_init(&server->loop) == 0);
    int rc = mailbox_init(&server->mailbox, &server->loop, server);
    if (rc != STATUS_OK)
        return rc;
    uv_timer_init(&server->loop, &server->tick);
    uv_timer_init(&server->loop, &server->drain_timer);
    server->tick.data = server;
    server->drain_timer.data = server;
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    uv_timer_start(&server->tick, on_tick, CORE_TICK_MS, CORE_TICK_MS);
    return STATUS_OK;
}

static int disk_open(struct server *server) {
    struct disk_options options = {.store = server->folder.store,
                                   .master = &server->folder.master,
                                   .hash_key = server->folder.settings.hash_key,
                                   .on_done = on_batch_written,
                                   .context = server};
    server->batch_parcel.deliver = on_batch_delivered;
    int rc = disk_start(&options, &server->disk);
    if (rc != STATUS_OK)
        log_error("the log cannot be read: %s", status_sentence(rc));
    return rc;
}

int server_open(const struct config *config, struct server **out) {
    struct server *server = calloc(1, sizeof(*server));
    const char *reason = "";
    check(server != NULL);
    server->config = *config;
    log_level_set(config->log_level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk, not the end of the process */
    seal_init();
    int rc = data_folder_open(config, &server->folder, &reason);
    if (rc != STATUS_OK) {
        log_error("data folder %s: %s", config->data, reason);
        free(server);
        return rc;
    }
    struct node_core_options options = {.range_count = server->folder.settings.range_count,
                                        .queue_max = (size_t)config->core_queue_max};
    gateway_fill(server);
    server->core = node_core_new(&options);
    rc = loop_open(server);
    if (rc == STATUS_OK)
        rc = tls_open(server);
    if (rc == STATUS_OK)
        rc = workers_open(server);
    if (rc == STATUS_OK)
        rc = disk_open(server);
    if (rc == STATUS_OK)
        rc = core_start(server);
    if (rc == STATUS_OK) {
        rc = data_folder_announce(&server->folder, config, server->workers[0].ports[0], &reason);
        if (rc != STATUS_OK)
            log_error("data folder %s: %s", config->data, reason);
    }
    metrics_init(server->disk);
    *out = server;
    return rc;
}

int server_run(struct server *server) {
    int rc = workers_start(server);
    if (rc == STATUS_OK) {
        log_info("%s listens on https://%s:%u with %zu workers", server->config.node_name, server->config.listen.host,
                 server->workers[0].ports[0], server->workers_started);
        if (server->config.plain_listen.is_on)
            log_info("and on http://%s:%u", server->config.plain_listen.host, server->workers[0].ports[1]);
    } else {
        stop(server);
    }
    uv_run(&server->loop, UV_RUN_DEFAULT);
    log_info("stopped");
    return rc;
}

void server_close(struct server *server) {
    loop_end(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < server->workers_started; i++)
        worker_join(&server->workers[i]);
    if (server->disk != NULL)
        disk_stop(server->disk);
    for (size_t i = 0; i < server->gateway.workers_count; i++)
        worker_close(&server->workers[i]);
    mailbox_dispose(&server->mailbox);
    check(uv_loop_close(&server->loop) == 0);
    action_list_close(&server->actions);
    node_core_free(server->core);
    if (server->tls != NULL)
        SSL_CTX_free(server->tls);
    rate_limiter_free(server->gateway.limiter);
    endpoint_registry_free(server->gateway.endpoints);
    free(server->workers);
    free(server->gateway.workers);
    data_folder_close(&server->folder);
    free(server);
}

int server_connection_string(const struct config *config, struct buffer *out, const char **reason) {
    return data_folder_read_connection_string(config, out, reason);
}
