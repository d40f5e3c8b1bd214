/* What this node tells of its load: its clients, its store, its ranges. */
#include "node/cluster.h"
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

static void clients_measure(struct server *server, struct load_record *record) {
    uint64_t slow = 0;
    for (size_t i = 0; i < server->gateway.workers_count; i++) {
        struct worker_totals totals = worker_totals(server->gateway.workers[i].worker);
        record->connections += totals.connections;
        record->sessions += totals.websockets;
        slow += totals.websocket_overloaded;
        record->delivered += atomic_load_explicit(&server->gateway.workers[i].delivered, memory_order_relaxed);
    }
    record->slow = last_minute_look(&server->slow_readers, slow, core_loop_monotonic_ms());
}

static void commits_measure(struct server *server, struct load_record *record) {
    pthread_mutex_lock(&server->core_mutex);
    struct latencies commits = server->commits;
    server->commits = (struct latencies){0};
    pthread_mutex_unlock(&server->core_mutex);
    record->commit_us_p50 = latencies_quantile(&commits, 0.5);
    record->commit_us_p99 = latencies_quantile(&commits, 0.99);
}

static uint32_t range_count(struct server *server) {
    pthread_mutex_lock(&server->core_mutex);
    uint32_t count = node_core_range_count(server->core);
    pthread_mutex_unlock(&server->core_mutex);
    return count;
}

static struct node_core_range_status status_of(struct server *server, uint32_t range) {
    pthread_mutex_lock(&server->core_mutex);
    struct node_core_range_status status = node_core_range_status(server->core, range);
    pthread_mutex_unlock(&server->core_mutex);
    return status;
}

static void learner_add(struct load_record *record, uint32_t range, const struct node_core_replica_status *replica) {
    if (record->learners_count == LOAD_LEARNERS_MAX)
        return;
    bool has_size = replica->chunks > 0;
    record->learners[record->learners_count++] =
        (struct load_learner){.range = range,
                              .node = replica->node,
                              .chunk = replica->chunk,
                              .chunks = replica->chunks,
                              .bytes_done = has_size ? replica->snapshot_bytes / replica->chunks * replica->chunk : 0,
                              .bytes_total = replica->snapshot_bytes};
}

static void learners_add(struct load_record *record, uint32_t range, const struct node_core_range_status *status) {
    for (size_t i = 0; i < status->replicas_count; i++)
        if (range_record_has_learner(&status->record, status->replicas[i].node))
            learner_add(record, range, &status->replicas[i]);
}

static void ranges_measure(struct server *server, struct arena *arena, struct load_record *record) {
    uint32_t count = range_count(server);
    record->ranges = ARENA_NEW_ARRAY(arena, struct load_range, count);
    record->learners = ARENA_NEW_ARRAY(arena, struct load_learner, LOAD_LEARNERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct node_core_range_status status = status_of(server, i);
        struct load_range range = {.range = i,
                                   .stored_bytes = range_sizes_of(server->sizes, i),
                                   .committed = status.entries_led,
                                   .told = status.changes_told};
        if (range.stored_bytes > 0 || range.committed > 0 || range.told > 0)
            record->ranges[record->ranges_count++] = range;
        learners_add(record, i, &status);
    }
}

static void measure(void *context, struct arena *arena, struct load_record *record) {
    struct server *server = context;
    struct store_lmdb_statistics store;
    store_lmdb_statistics(server->folder.store, &store);
    record->start = (uint64_t)server->gateway.started_ms;
    record->at_ms = core_loop_monotonic_ms();
    record->stored_bytes = store.used_bytes;
    record->log_next = disk_statistics(server->disk).log_next;
    clients_measure(server, record);
    commits_measure(server, record);
    ranges_measure(server, arena, record);
    if (server->cluster != NULL)
        record->snapshot_bytes_sent = cluster_snapshot_bytes_sent(server->cluster);
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
                                          .moves = server->gateway.admin.moves,
                                          .may_be_elected = server->config.balance,
                                          .measure = measure,
                                          .on_emptied = wishes_on_emptied,
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
