/* What this node tells of its load: its clients, its store, its ranges. */
#include "node/log.h"
#include "node/server_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "storage/store_lmdb.h"

#define SIZES_REST_MS 4000

static uint32_t range_of(void *context, const struct id_hash *subject) {
    struct server *server = context;
    return server->routes == NULL ? bounds_part_of(id_hash_position(subject), server->folder.settings.range_count)
                                  : routing_range_of(server, subject);
}

static void clients_measure(const struct server *server, struct load_record *record) {
    for (size_t i = 0; i < server->gateway.workers_count; i++) {
        struct worker_totals totals = worker_totals(server->gateway.workers[i].worker);
        record->connections += totals.connections;
        record->sessions += totals.websockets;
        record->slow += totals.websocket_overloaded;
        record->delivered += atomic_load_explicit(&server->gateway.workers[i].delivered, memory_order_relaxed);
    }
}

static void commits_measure(struct server *server, struct load_record *record) {
    pthread_mutex_lock(&server->core_mutex);
    struct latencies commits = server->commits;
    server->commits = (struct latencies){0};
    pthread_mutex_unlock(&server->core_mutex);
    record->commit_us_p50 = latencies_quantile(&commits, 0.5);
    record->commit_us_p99 = latencies_quantile(&commits, 0.99);
}

static void ranges_measure(struct server *server, struct arena *arena, struct load_record *record) {
    record->ranges = ARENA_NEW_ARRAY(arena, struct load_range, LIMIT_RANGES_MAX);
    for (uint32_t i = 0; i < LIMIT_RANGES_MAX; i++) {
        struct load_range range = {.range = i, .stored_bytes = range_sizes_of(server->sizes, i)};
        if (range.stored_bytes > 0)
            record->ranges[record->ranges_count++] = range;
    }
}

static void measure(void *context, struct arena *arena, struct load_record *record) {
    struct server *server = context;
    struct store_lmdb_statistics store;
    store_lmdb_statistics(server->folder.store, &store);
    record->start = (uint64_t)server->gateway.started_ms;
    record->at_ms = core_loop_monotonic_ms();
    record->stored_bytes = store.used_bytes;
    clients_measure(server, record);
    commits_measure(server, record);
    ranges_measure(server, arena, record);
}

int own_load_open(struct server *server) {
    struct range_sizes_options sizes = {.store = server->folder.store,
                                        .range_of = range_of,
                                        .context = server,
                                        .ranges_max = LIMIT_RANGES_MAX,
                                        .rest_ms = SIZES_REST_MS};
    struct balancing_options balancing = {.view = server->view,
                                          .coordinator =
                                              server->folder.is_in_cluster ? server->folder.coordinator : NULL,
                                          .node = server->node_id,
                                          .measure = measure,
                                          .context = server};
    server->sizes = range_sizes_start(&sizes);
    if (server->sizes != NULL)
        server->balancing = balancing_start(&balancing);
    if (server->balancing != NULL)
        return STATUS_OK;
    log_error("there is no room for the threads that balance");
    return STATUS_INTERNAL_ERROR;
}

void own_load_close(struct server *server) {
    if (server->balancing != NULL)
        balancing_stop(server->balancing);
    if (server->sizes != NULL)
        range_sizes_stop(server->sizes);
    server->balancing = NULL;
    server->sizes = NULL;
}
