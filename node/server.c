#include "node/server.h"

#include <signal.h>
#include <stdlib.h>

#include "node/log.h"
#include "node/ops/metrics.h"
#include "node/server_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "storage/range_log.h"

#define LOG_SHARE_OF_STORE 8

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
    rc = range_marks_load(transaction, &folder->master, marks, count);
    if (rc == STATUS_OK)
        rc = outbox_visit(transaction, &folder->master, &arena, outbox_gather, &outbox);
    store_abort(transaction);
    if (rc == STATUS_OK) {
        struct start_range *ranges = ARENA_NEW_ARRAY(&arena, struct start_range, count);
        for (uint32_t i = 0; i < count; i++)
            ranges[i] =
                (struct start_range){.marks = marks[i], .base_index = marks[i].applied, .base_epoch = marks[i].epoch};
        struct event event = {
            .kind = EVENT_START, .ranges = ranges, .outbox = outbox.rows, .outbox_count = outbox.count};
        core_loop_step(server, &event);
    }
close_arena:
    if (rc != STATUS_OK)
        log_error("the state of the ranges cannot be read: %s", status_sentence(rc));
    arena_close(&arena);
    return rc;
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
                                              .range_count = server->folder.settings.range_count,
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
    int rc = data_folder_open(config, &server->folder, &reason);
    if (rc != STATUS_OK) {
        log_error("data folder %s: %s", config->data, reason);
        free(server);
        return rc;
    }
    struct node_core_options options = {.range_count = server->folder.settings.range_count,
                                        .self = 1,
                                        .is_alone = true,
                                        .min_in_sync = 1,
                                        .queue_max = (size_t)config->core_queue_max};
    server->core = node_core_new(&options);
    rc = core_loop_open(server);
    if (rc == STATUS_OK)
        rc = shutdown_open(server);
    if (rc == STATUS_OK)
        rc = gateway_setup(server);
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
    disk_stop(server->disk);
    gateway_close(server);
    mailbox_dispose(&server->mailbox);
    pthread_mutex_destroy(&server->core_mutex);
    check(uv_loop_close(&server->loop) == 0);
    action_list_close(&server->actions);
    node_core_free(server->core);
    data_folder_close(&server->folder);
    free(server);
}

int server_connection_string(const struct config *config, struct buffer *out, const char **reason) {
    return data_folder_read_connection_string(config, out, reason);
}
