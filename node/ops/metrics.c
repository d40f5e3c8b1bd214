#include "node/ops/metrics.h"

#include <inttypes.h>
#include <pthread.h>

#include "node/cluster_view.h"
#include "node/gateway/authentication.h"
#include "node/push/push.h"
#include "storage/store_lmdb.h"

#define METRICS_SUBSCRIPTIONS_MAX 128

/* Written by the core's thread on its ticks, read by workers. */
static struct {
    pthread_mutex_t mutex;
    struct node_core_statistics core;
    size_t event_threads;
    struct cluster_statistics cluster;
    bool is_in_cluster;
    struct disk *disk;
    struct delivery_fact events[METRICS_SUBSCRIPTIONS_MAX];
    size_t events_count;
    int64_t events_ms; /* when they were so */
} numbers = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void metrics_init(struct disk *disk) {
    numbers.disk = disk;
}

void metrics_core_update(const struct node_core_statistics *core, size_t event_threads,
                         const struct cluster_statistics *cluster) {
    pthread_mutex_lock(&numbers.mutex);
    numbers.core = *core;
    numbers.event_threads = event_threads;
    numbers.is_in_cluster = cluster != NULL;
    if (cluster != NULL)
        numbers.cluster = *cluster;
    pthread_mutex_unlock(&numbers.mutex);
}

void metrics_events_update(const struct delivery_fact *facts, size_t count, int64_t now_ms) {
    pthread_mutex_lock(&numbers.mutex);
    numbers.events_count = 0;
    numbers.events_ms = now_ms;
    for (size_t i = 0; i < count && numbers.events_count < METRICS_SUBSCRIPTIONS_MAX; i++)
        if (facts[i].name[0] != '\0')
            numbers.events[numbers.events_count++] = facts[i];
    pthread_mutex_unlock(&numbers.mutex);
}

static void family(struct buffer *out, const char *name, const char *type, const char *help) {
    buffer_printf(out, "# HELP weft_%s %s\n# TYPE weft_%s %s\n", name, help, name, type);
}

static void number(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value) {
    family(out, name, type, help);
    buffer_printf(out, "weft_%s %" PRIu64 "\n", name, value);
}

static void workers_write(struct buffer *out, const struct gateway *gateway) {
    struct worker_totals sum = {0};
    for (size_t i = 0; i < gateway->workers_count; i++) {
        struct worker_totals totals = worker_totals(gateway->workers[i].worker);
        sum.connections += totals.connections;
        sum.websockets += totals.websockets;
        sum.requests += totals.requests;
        sum.refused_connections += totals.refused_connections;
        sum.websocket_messages_in += totals.websocket_messages_in;
        sum.websocket_bytes_out += totals.websocket_bytes_out;
        sum.websocket_writes += totals.websocket_writes;
        sum.websocket_dropped += totals.websocket_dropped;
        sum.websocket_overloaded += totals.websocket_overloaded;
    }
    number(out, "connections", "gauge", "Open client connections.", sum.connections);
    number(out, "websockets", "gauge", "Open real-time connections.", sum.websockets);
    number(out, "http_requests_total", "counter", "HTTP requests answered.", sum.requests);
    number(out, "connections_refused_total", "counter", "Connections refused at the bound.", sum.refused_connections);
    number(out, "websocket_messages_received_total", "counter", "Messages from real-time clients.",
           sum.websocket_messages_in);
    number(out, "websocket_sent_bytes_total", "counter", "Bytes written to real-time clients.",
           sum.websocket_bytes_out);
    number(out, "websocket_writes_total", "counter", "Writes to real-time clients; one may carry many frames.",
           sum.websocket_writes);
    number(out, "websocket_frames_dropped_total", "counter", "Typing notices dropped for slow readers.",
           sum.websocket_dropped);
    number(out, "websocket_slow_readers_total", "counter", "Times that a reader was too slow and was told to resume.",
           sum.websocket_overloaded);
}

static void core_write(struct buffer *out) {
    pthread_mutex_lock(&numbers.mutex);
    struct node_core_statistics core = numbers.core;
    size_t event_threads = numbers.event_threads;
    pthread_mutex_unlock(&numbers.mutex);
    struct disk_statistics disk = disk_statistics(numbers.disk);
    number(out, "commands_waiting", "gauge", "Commands that wait for the disk.", core.waiting + core.on_disk);
    number(out, "commands_applied_total", "counter", "Commands applied.", core.applied);
    number(out, "follow_ups", "gauge", "Changes of threads that users' lists do not show yet.", core.follow_ups);
    number(out, "events_threads", "gauge", "Threads led here with events that not everyone outside has got.",
           event_threads);
    number(out, "disk_batches_total", "counter", "Write transactions, each one fsync.", disk.batches);
    number(out, "disk_batches_failed_total", "counter", "Write transactions that failed.", disk.failures);
    number(out, "disk_refuses", "gauge", "1: this node of a cluster cannot write, and leads nothing if others can.",
           core.disk == NODE_CORE_DISK_REFUSES);
    number(out, "store_full", "gauge", "1: only the reserve of the store is left, for what removes.",
           core.disk == NODE_CORE_DISK_IS_FULL);
    number(out, "disk_entries_total", "counter", "Log entries written.", disk.entries);
    family(out, "disk_write_seconds_total", "counter", "Time spent in write transactions.");
    buffer_printf(out, "weft_disk_write_seconds_total %.6f\n", (double)disk.write_us / 1e6);
    number(out, "log_bytes", "gauge", "Bytes of log entries kept.", disk.log_bytes);
}

static void pushes_write(struct buffer *out, struct push *pushes) {
    struct push_statistics push = push_statistics(pushes);
    number(out, "pushes_waiting", "gauge", "What is on its way to devices of absent users.", push.waiting);
    number(out, "pushes_sent_total", "counter", "Taken by push services.", push.sent);
    number(out, "pushes_repeated_total", "counter", "Not taken then, and tried again.", push.repeated);
    number(out, "pushes_refused_total", "counter", "Refused for good by push services.", push.refused);
    number(out, "pushes_given_up_total", "counter", "Tried often enough, or too late to be of interest.",
           push.given_up);
    number(out, "pushes_replaced_total", "counter",
           "Not sent, as something newer of the thread was there for the device.", push.replaced);
    number(out, "pushes_displaced_total", "counter", "Not sent, as too much waited.", push.displaced);
    number(out, "pushes_withdrawn_total", "counter", "Not sent, as the user had taken the device back meanwhile.",
           push.withdrawn);
    number(out, "push_devices_gone_total", "counter", "Devices that push services do not know any more.", push.gone);
}

static uint64_t delivered_of(const struct delivery_fact *fact) {
    return fact->counts.delivered;
}

static uint64_t failed_of(const struct delivery_fact *fact) {
    return fact->counts.failed;
}

static uint64_t given_up_of(const struct delivery_fact *fact) {
    return fact->counts.given_up;
}

static uint64_t pending_of(const struct delivery_fact *fact) {
    return fact->counts.pending;
}

static uint64_t oldest_seconds_of(const struct delivery_fact *fact) {
    int64_t oldest_ms = fact->counts.oldest_ms;
    return oldest_ms == 0 || oldest_ms > numbers.events_ms ? 0 : (uint64_t)(numbers.events_ms - oldest_ms) / 1000;
}

static const struct events_family {
    const char *name, *type, *help;
    uint64_t (*value_of)(const struct delivery_fact *fact);
} events_families[] = {
    {"events_delivered_total", "counter", "Server events that a receiver has taken.", delivered_of},
    {"events_failed_total", "counter", "Requests with server events that a receiver has not taken.", failed_of},
    {"events_dead_lettered_total", "counter", "Server events that were given up.", given_up_of},
    {"events_pending", "gauge", "Changes of threads led here that a receiver has yet to be told of.", pending_of},
    {"events_oldest_seconds", "gauge", "How long ago the oldest of these happened.", oldest_seconds_of},
};

/* Names of subscriptions need no escapes. */
static void events_write(struct buffer *out) {
    pthread_mutex_lock(&numbers.mutex);
    for (size_t i = 0; i < sizeof(events_families) / sizeof(events_families[0]) && numbers.events_count > 0; i++) {
        const struct events_family *each = &events_families[i];
        family(out, each->name, each->type, each->help);
        for (size_t j = 0; j < numbers.events_count; j++)
            buffer_printf(out, "weft_%s{subscription=\"%s\"} %" PRIu64 "\n", each->name, numbers.events[j].name,
                          each->value_of(&numbers.events[j]));
    }
    pthread_mutex_unlock(&numbers.mutex);
}

static void links_write(struct buffer *out, const struct cluster_statistics *links) {
    number(out, "peers_up", "gauge", "Other nodes that can be reached.", links->peers_up);
    number(out, "peer_messages_sent_total", "counter", "Messages to other nodes.", links->messages_sent);
    number(out, "peer_messages_received_total", "counter", "Messages of other nodes.", links->messages_received);
    number(out, "peer_messages_missed_total", "counter", "Messages of other nodes that were lost on the way, or late.",
           links->messages_missed);
    number(out, "peer_sent_bytes_total", "counter", "Bytes of messages to other nodes.", links->bytes_sent);
    number(out, "peer_received_bytes_total", "counter", "Bytes of messages of other nodes.", links->bytes_received);
    number(out, "snapshot_sent_bytes_total", "counter", "Bytes of ranges sent to nodes that are to hold them.",
           links->snapshot_bytes_sent);
    number(out, "peer_packets_dropped_total", "counter",
           "Packets to other nodes that were dropped because too many waited.", links->packets_dropped);
}

static void interest_write(struct buffer *out, const struct interest_statistics *interest) {
    number(out, "interest_listened", "gauge", "Threads and users that sessions of this node listen to.",
           interest->listened);
    number(out, "interest_unsettled", "gauge", "Of these, those that nobody has confirmed to tell.",
           interest->unsettled);
    number(out, "interest_watched", "gauge", "Threads and users led here that a node listens to.", interest->watched);
    number(out, "changes_unacknowledged_bytes", "gauge", "Changes told to other nodes that have not said so.",
           interest->links_bytes);
    number(out, "changes_sent_again_total", "counter", "Packets of changes that were sent again.",
           interest->sent_again);
    number(out, "changes_repeats_total", "counter", "Reads from the store for nodes that lacked changes.",
           interest->repeats);
}

/* Seconds, as is the custom. */
static void durations_write(struct buffer *out, const char *name, const char *help, const struct durations *durations) {
    uint64_t count = 0;
    family(out, name, "histogram", help);
    for (size_t i = 0; i < DURATIONS_BOUNDS; i++) {
        count += durations->counts[i];
        buffer_printf(out, "weft_%s_bucket{le=\"%.3f\"} %" PRIu64 "\n", name, durations_bounds_ms[i] / 1e3, count);
    }
    count += durations->counts[DURATIONS_BOUNDS];
    buffer_printf(out, "weft_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    buffer_printf(out, "weft_%s_sum %.3f\nweft_%s_count %" PRIu64 "\n", name, (double)durations->sum_ms / 1e3, name,
                  count);
}

static void hand_overs_write(struct buffer *out, const struct node_core_statistics *core) {
    durations_write(out, "hand_over_held_seconds",
                    "How long writes of a range waited here while another node was made its primary.", &core->held);
    durations_write(out, "hand_over_taken_seconds",
                    "From hearing that a range was handed over to this node to taking writes.", &core->given);
    durations_write(out, "hand_over_stall_seconds",
                    "How long writes of a range waited for its hand-over to this node, there and here together.",
                    &core->stalled);
    family(out, "hand_over_held_longest_seconds", "gauge", "The longest of them.");
    buffer_printf(out, "weft_hand_over_held_longest_seconds %.3f\n", (double)core->held.longest_ms / 1e3);
    family(out, "hand_over_taken_longest_seconds", "gauge", "The longest of them.");
    buffer_printf(out, "weft_hand_over_taken_longest_seconds %.3f\n", (double)core->given.longest_ms / 1e3);
    family(out, "hand_over_stall_longest_seconds", "gauge", "The longest of them.");
    buffer_printf(out, "weft_hand_over_stall_longest_seconds %.3f\n", (double)core->stalled.longest_ms / 1e3);
}

/* What is under way in the whole cluster, and what of it is this node's. */
static void moves_write(struct buffer *out, const struct gateway *gateway) {
    struct cluster_facts facts;
    struct cluster_move *moves;
    struct arena arena;
    size_t count;
    arena_init(&arena);
    cluster_view_facts(gateway->admin.view, &arena, cluster_view_clock_ms(), &facts);
    struct cluster_holdings holdings = cluster_facts_holdings(&facts, facts.self);
    cluster_moves_list(&facts, &arena, &moves, &count);
    number(out, "ranges_led", "gauge", "Ranges that this node leads.", holdings.primary);
    number(out, "ranges_held", "gauge", "Ranges that this node holds in sync.", holdings.in_sync);
    number(out, "ranges_learning", "gauge", "Ranges that this node is being sent.", holdings.learning);
    number(out, "moves_under_way", "gauge", "Copies and leads of ranges that are under way in the cluster.", count);
    number(out, "balancer_elected", "gauge", "1: this node balances the cluster.", facts.balancer == facts.self);
    number(out, "balancer_paused", "gauge", "1: an operator has paused the balancing.", facts.is_paused);
    arena_close(&arena);
}

static void cluster_write(struct buffer *out, const struct gateway *gateway) {
    pthread_mutex_lock(&numbers.mutex);
    bool is_in_cluster = numbers.is_in_cluster;
    struct cluster_statistics links = numbers.cluster;
    struct node_core_statistics core = numbers.core;
    pthread_mutex_unlock(&numbers.mutex);
    if (!is_in_cluster)
        return;
    links_write(out, &links);
    interest_write(out, &core.interest);
    hand_overs_write(out, &core);
    moves_write(out, gateway);
}

static void store_write(struct buffer *out, struct store *store) {
    struct store_lmdb_statistics statistics;
    store_lmdb_statistics(store, &statistics);
    number(out, "store_map_bytes", "gauge", "Size of the database map.", statistics.map_bytes);
    number(out, "store_used_bytes", "gauge", "Bytes of the database file in use or free for reuse.",
           statistics.used_bytes);
    number(out, "store_records", "gauge", "Records of all tables.", statistics.records);
}

static void metrics_get(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct problem problem = {0};
    struct buffer out;
    if (authenticate_admin(worker, call, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    buffer_init(&out);
    workers_write(&out, worker->gateway);
    core_write(&out);
    if (worker->gateway->pushes != NULL)
        pushes_write(&out, worker->gateway->pushes);
    events_write(&out);
    cluster_write(&out, worker->gateway);
    store_write(&out, worker->gateway->store);
    number(&out, "start_time_seconds", "gauge", "Unix time at which the node started.",
           (uint64_t)(worker->gateway->started_ms / 1000));
    http_call_reply_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&out));
    buffer_close(&out);
}

static const struct http_route routes[] = {{"GET", "/metrics", metrics_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE}};
const struct http_route_table metrics_routes = HTTP_ROUTE_TABLE(routes);
