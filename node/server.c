#include "node/server.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>

#include "node/cluster.h"
#include "node/cluster_keys.h"
#include "node/core/outbox_read.h"
#include "node/events/feed.h"
#include "node/join_host.h"
#include "node/joined_files.h"
#include "node/joining.h"
#include "node/log.h"
#include "node/ops/metrics.h"
#include "node/rolled_back.h"
#include "node/secret_line.h"
#include "node/server_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "storage/range_log.h"

#define LOG_SHARE_OF_STORE 8
#define TAIL_BYTES_MAX ((size_t)1024 * 1024) /* of each range's log, for replicas that were away for a moment */

/* The oldest entry of the tail, if it is applied, only says where the window begins. */
static struct start_range start_range_of(struct arena *arena, const struct log_tail *tail, bool is_alone) {
    const struct log_tail_entry *first = is_alone ? NULL : tail->first;
    struct start_range range = {.marks = tail->marks,
                                .bounds = tail->bounds,
                                .is_void = tail->marks.is_incomplete,
                                .base_index = tail->marks.applied,
                                .base_epoch = tail->marks.epoch};
    if (first != NULL && first->place.index <= tail->marks.applied) {
        range.base_index = first->place.index;
        range.base_epoch = first->place.epoch;
        first = first->next;
    }
    struct start_entry *entries = ARENA_NEW_ARRAY(arena, struct start_entry, tail->count);
    for (; first != NULL; first = first->next)
        entries[range.entries_count++] = (struct start_entry){.epoch = first->place.epoch, .command = first->command};
    range.entries = entries;
    return range;
}

/* Tells the core what the disk holds: the end of every range's log and what threads still have to tell. */
static int core_start(struct server *server) {
    struct data_folder *folder = &server->folder;
    uint32_t count = LIMIT_RANGES_MAX;
    bool is_alone = !folder->is_in_cluster;
    struct arena arena;
    struct store_transaction *transaction = NULL;
    arena_init(&arena);
    struct log_tail *tails = ARENA_NEW_ARRAY(&arena, struct log_tail, count);
    struct event event = {.kind = EVENT_START};
    const struct bounds all = bounds_of_all();
    int rc = store_begin_read(folder->store, &transaction);
    if (rc != STATUS_OK)
        goto close_arena;
    rc = range_log_load_tail(transaction, &folder->master, &arena, tails, count, is_alone ? 0 : TAIL_BYTES_MAX);
    if (rc == STATUS_OK && is_alone)
        rc = outbox_read(transaction, &folder->master, &all, &arena, &event);
    store_abort(transaction);
    if (rc == STATUS_OK) {
        count = log_tails_count(tails, count);
        if (count < folder->settings.range_count)
            count = folder->settings.range_count;
        struct start_range *ranges = ARENA_NEW_ARRAY(&arena, struct start_range, count);
        for (uint32_t i = 0; i < count; i++)
            ranges[i] = start_range_of(&arena, &tails[i], is_alone);
        event.ranges = ranges;
        event.ranges_count = count;
        core_loop_step(server, &event);
    }
close_arena:
    if (rc != STATUS_OK)
        log_error("the state of the ranges cannot be read: %s", status_sentence(rc));
    arena_close(&arena);
    return rc;
}

static void on_cluster_event(void *context, struct event *event) {
    core_loop_step(context, event);
}

/* A node alone knows all there is to see; to others the coordinator tells it. */
static void view_open(struct server *server) {
    const struct config *config = &server->config;
    struct data_folder *folder = &server->folder;
    struct cluster_view_options options = {.self = server->node_id,
                                           .range_count = folder->settings.range_count,
                                           .admission_key = folder->is_in_cluster ? folder->admission_key : NULL};
    struct node_record alone = {.id = server->node_id,
                                .name = bytes_of_text(config->node_name),
                                .zone = bytes_of_text(config->zone),
                                .peer_address = BYTES_LITERAL(""),
                                .public_url = bytes_of_text(config->public_url)};
    server->view = cluster_view_new(&options);
    if (!folder->is_in_cluster)
        cluster_view_take_node(server->view, &alone, cluster_view_clock_ms());
}

static int join(struct server *server) {
    struct cluster_options options = {.config = &server->config,
                                      .folder = &server->folder,
                                      .view = server->view,
                                      .loop = &server->loop,
                                      .mailbox = &server->mailbox,
                                      .port = server->workers[0].ports[0],
                                      .on_event = on_cluster_event,
                                      .context = server};
    return server->folder.is_in_cluster ? cluster_open(&options, &server->cluster) : STATUS_OK;
}

/* From now on other nodes may ask this one how to take part. */
static int join_host_open(struct server *server) {
    struct bytes secret;
    const char *reason = "";
    struct arena arena;
    if (!server->folder.is_in_cluster)
        return STATUS_OK;
    arena_init(&arena);
    int rc =
        secret_line_read(server->config.cluster_secret_file, CLUSTER_SECRET_CHARACTERS_MIN, &arena, &secret, &reason);
    if (rc == STATUS_OK) {
        reason = "there are no 64 MB of memory to derive its keys";
        rc = join_host_new(&server->config, secret, &server->folder.master, &server->join_host);
        sodium_memzero((uint8_t *)(uintptr_t)secret.data, secret.size);
    }
    if (rc != STATUS_OK)
        log_error("cluster_secret_file %s: %s", server->config.cluster_secret_file, reason);
    arena_close(&arena);
    return rc;
}

static int addresses_keep(const struct server *server) {
    if (server->cluster == NULL)
        return STATUS_OK;
    return joined_addresses_write(&server->config, server->workers[0].ports[0], cluster_peer_port(server->cluster));
}

/* How the core is to see this node. */
static int core_options(struct server *server, struct node_core_options *options) {
    const struct config *config = &server->config;
    const char *reason = "";
    bool is_alone = !server->folder.is_in_cluster;
    int64_t factor = config->replication_factor == 0 ? CONFIG_REPLICATION_FACTOR_MAX : config->replication_factor;
    int64_t min_in_sync = config->min_in_sync != 0 ? config->min_in_sync : is_alone ? 1 : CONFIG_MIN_IN_SYNC;
    *options = (struct node_core_options){.range_count = server->folder.settings.range_count,
                                          .ranges_max = LIMIT_RANGES_MAX,
                                          .self = 1,
                                          .is_alone = is_alone,
                                          .replication_factor = (size_t)factor,
                                          .min_in_sync = (size_t)min_in_sync,
                                          .link_bytes_max = LIMIT_LINK_UNSEEN_BYTES_MAX,
                                          .queue_max = (size_t)config->core_queue_max,
                                          .snapshot_bytes_per_s = (uint64_t)config->move_rate_mb << 20};
    int rc = is_alone ? STATUS_OK : cluster_node_id(config, &options->self, &reason);
    if (rc != STATUS_OK)
        log_error("data folder %s: %s", config->data, reason);
    server->node_id = options->self;
    server->min_in_sync = options->min_in_sync;
    server->gateway.admin.moves =
        (struct cluster_moves_options){.settings = {.factor = options->replication_factor,
                                                    .min_in_sync = options->min_in_sync,
                                                    .moves_max = (size_t)config->moves_max,
                                                    .tolerance_percent = BALANCER_TOLERANCE_PERCENT},
                                       .replace_after_ms = config->replace_after_s * 1000};
    options->start = (uint64_t)worker_wall_ms();
    return is_alone || rc != STATUS_OK ? rc : routing_open(server);
}

/* In a small store the log must not be what fills it. */
static size_t log_bytes_kept(const struct config *config) {
    int64_t share = (config->storage_max_mb << 20) / LOG_SHARE_OF_STORE;
    return config->storage_max_mb == 0 || share > LIMIT_LOG_BYTES_KEPT ? LIMIT_LOG_BYTES_KEPT : (size_t)share;
}

static int disk_open(struct server *server) {
    struct disk_options options = {.writer = {.store = server->folder.store,
                                              .master = &server->folder.master,
                                              .hash_key = server->folder.settings.hash_key,
                                              .range_count = LIMIT_RANGES_MAX,
                                              .log_bytes_kept = log_bytes_kept(&server->config)},
                                   .on_done = core_loop_on_written,
                                   .context = server};
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
    int rc = joining_prepare(&server->config);
    if (rc != STATUS_OK) {
        free(server);
        return rc;
    }
    config = &server->config;
    rc = data_folder_open(config, &server->folder, &reason);
    if (rc != STATUS_OK) {
        log_error("data folder %s: %s", config->data, reason);
        free(server);
        return rc;
    }
    struct node_core_options options;
    rc = core_options(server, &options);
    if (rc != STATUS_OK) {
        data_folder_close(&server->folder);
        free(server);
        return rc;
    }
    server->core = node_core_new(&options);
    server->feed = feed_new();
    view_open(server);
    rc = core_loop_open(server);
    if (rc == STATUS_OK)
        rc = shutdown_open(server);
    if (rc == STATUS_OK)
        rc = join_host_open(server);
    if (rc == STATUS_OK)
        rc = gateway_setup(server);
    if (rc == STATUS_OK && server->folder.is_in_cluster)
        rc = rolled_back_look(config, &server->folder, server->node_id);
    if (rc == STATUS_OK)
        rc = disk_open(server);
    if (rc == STATUS_OK)
        rc = core_start(server);
    if (rc == STATUS_OK)
        rc = join(server);
    if (rc == STATUS_OK)
        rc = addresses_keep(server);
    if (rc == STATUS_OK)
        rc = own_load_open(server);
    if (rc == STATUS_OK)
        rc = own_sweep_open(server);
    if (rc == STATUS_OK)
        rc = events_open(server);
    if (rc == STATUS_OK)
        rc = bridges_open(server);
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
    int rc = gateway_start(server);
    if (rc == STATUS_OK) {
        log_info("%s listens on https://%s:%u with %zu workers", server->config.node_name, server->config.listen.host,
                 server->workers[0].ports[0], server->workers_started);
        if (server->config.plain_listen.is_on)
            log_info("and on http://%s:%u", server->config.plain_listen.host, server->workers[0].ports[1]);
    } else {
        log_error("the workers cannot be started: %s", status_sentence(rc));
        shutdown_now(server);
    }
    uv_run(&server->loop, UV_RUN_DEFAULT);
    log_info("stopped");
    return rc;
}

void server_close(struct server *server) {
    gateway_join(server);
    events_close(server);
    own_sweep_close(server);
    own_load_close(server);
    disk_stop(server->disk);
    gateway_close(server);
    join_host_free(server->join_host);
    data_folder_close(&server->folder); /* with the coordinator, whose thread posts news */
    events_free(server);
    bridges_free(server);
    mailbox_dispose(&server->mailbox);
    pthread_mutex_destroy(&server->core_mutex);
    check(uv_loop_close(&server->loop) == 0);
    action_list_close(&server->actions);
    node_core_free(server->core);
    feed_free(server->feed);
    if (server->cluster != NULL)
        cluster_free(server->cluster);
    routing_close(server);
    cluster_view_free(server->view);
    free(server->leads);
    free(server->routes);
    free(server);
}

int server_connection_string(const struct config *config, struct buffer *out, const char **reason) {
    return data_folder_read_connection_string(config, out, reason);
}
