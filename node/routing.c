/* Between the gateway and other nodes: who leads what, as workers may look it up without a lock; what this node asks,
 * and what it serves. */
#include <stdlib.h>
#include <time.h>

#include "node/core/cluster_map.h"
#include "node/gateway/looking.h"
#include "node/gateway/serve.h"
#include "node/server_parts.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

/* ---- who leads what ---- */

static void epoch_store(struct lead *lead, uint64_t epoch) {
    if (atomic_load_explicit(&lead->epoch, memory_order_relaxed) == epoch)
        return;
    atomic_store_explicit(&lead->since_ms, core_loop_monotonic_ms(), memory_order_relaxed);
    atomic_store_explicit(&lead->epoch, epoch, memory_order_release);
}

void routing_update(struct server *server) {
    const struct cluster_map *map = node_core_map(server->core);
    /* Who sees that a range serves again after a split must see by which map. */
    if (map->version != route_map_version(server->routes))
        route_map_write(server->routes, map);
    for (uint32_t i = 0; i < node_core_range_count(server->core); i++) {
        struct node_core_lead lead = node_core_lead(server->core, i);
        atomic_store_explicit(&server->leads[i].in_sync, lead.in_sync, memory_order_relaxed);
        atomic_store_explicit(&server->leads[i].primary, lead.primary, memory_order_relaxed);
        epoch_store(&server->leads[i], lead.epoch);
        atomic_store_explicit(&server->leads[i].lease_until_ms, lead.lease_until_ms, memory_order_release);
    }
}

static struct node_core_lead lead_load(const struct lead *lead) {
    int64_t lease_until_ms = atomic_load_explicit(&lead->lease_until_ms, memory_order_acquire);
    return (struct node_core_lead){.lease_until_ms = lease_until_ms,
                                   .primary = atomic_load_explicit(&lead->primary, memory_order_acquire),
                                   .in_sync = atomic_load_explicit(&lead->in_sync, memory_order_acquire)};
}

/* The lease must be that of the range which has the subject by the map of the same moment. */
static struct node_core_lead lead_of(struct server *server, const struct id_hash *subject) {
    struct node_core_lead lead;
    uint64_t turn;
    do {
        uint32_t range = route_map_find(server->routes, id_hash_position(subject), &turn);
        lead = range == CLUSTER_MAP_NOBODY ? (struct node_core_lead){0} : lead_load(&server->leads[range]);
    } while (!route_map_is_unchanged(server->routes, turn));
    return lead;
}

uint32_t routing_range_of(void *context, const struct id_hash *subject) {
    struct server *server = context;
    uint64_t turn;
    return route_map_find(server->routes, id_hash_position(subject), &turn);
}

unsigned routing_copies(void *context, const struct id_hash *subject) {
    struct node_core_lead lead = lead_of(context, subject);
    return lead.in_sync == 0 ? 0 : (unsigned)lead.in_sync - 1;
}

enum gateway_place routing_place(void *context, const struct id_hash *subject) {
    struct server *server = context;
    struct node_core_lead lead = lead_of(server, subject);
    if (core_loop_monotonic_ms() < lead.lease_until_ms)
        return GATEWAY_HERE;
    return lead.primary != 0 && lead.primary != server->node_id ? GATEWAY_ELSEWHERE : GATEWAY_NOWHERE;
}

/* The lease is looked at last: with it the epoch is ours, and not the one that follows. */
bool routing_reign(void *context, const struct id_hash *subject, struct gateway_reign *reign) {
    struct server *server = context;
    uint64_t turn;
    uint32_t range = route_map_find(server->routes, id_hash_position(subject), &turn);
    if (range == CLUSTER_MAP_NOBODY)
        return false;
    const struct lead *lead = &server->leads[range];
    reign->epoch = atomic_load_explicit(&lead->epoch, memory_order_acquire);
    reign->lasts_ms = core_loop_monotonic_ms() - atomic_load_explicit(&lead->since_ms, memory_order_relaxed);
    return routing_place(context, subject) == GATEWAY_HERE;
}

size_t routing_others(void *context, uint64_t *nodes) {
    struct server *server = context;
    return cluster_view_others(server->view, nodes);
}

bool routing_elsewhere(void *context, uint32_t chance, char *url) {
    struct server *server = context;
    return cluster_view_elsewhere(server->view, chance, url);
}

struct readiness {
    struct server *server;
    int64_t mono_ms;
};

static bool range_is_ready(void *context, uint32_t range) {
    const struct readiness *readiness = context;
    const struct server *server = readiness->server;
    struct node_core_lead lead = lead_load(&server->leads[range]);
    bool is_ours = lead.primary == server->node_id;
    bool is_served = readiness->mono_ms < lead.lease_until_ms && lead.in_sync >= server->min_in_sync;
    return lead.primary != 0 && (!is_ours || is_served);
}

/* Every range has a primary, those that we lead take writes, and so does our disk. */
int routing_readiness(void *context) {
    struct readiness readiness = {.server = context, .mono_ms = core_loop_monotonic_ms()};
    int rc = atomic_load_explicit(&readiness.server->disk_refuses_rc, memory_order_relaxed);
    if (rc == STATUS_OK && !route_map_all(readiness.server->routes, range_is_ready, &readiness))
        rc = STATUS_SERVICE_UNAVAILABLE;
    return rc;
}

int routing_open(struct server *server) {
    server->leads = calloc(LIMIT_RANGES_MAX, sizeof(*server->leads));
    server->routes = route_map_new();
    check(server->leads != NULL);
    return STATUS_OK;
}

/* ---- what is asked ---- */

struct asking {
    struct parcel parcel;
    struct gateway_ask *ask;
};

static void ask_link(struct server *server, struct gateway_ask *ask) {
    ask->next = server->asks;
    ask->link = &server->asks;
    if (ask->next != NULL)
        ask->next->link = &ask->next;
    server->asks = ask;
}

static void ask_unlink(struct gateway_ask *ask) {
    *ask->link = ask->next;
    if (ask->next != NULL)
        ask->next->link = ask->link;
}

void routing_close(struct server *server) {
    for (struct gateway_ask *ask = server->asks, *next; ask != NULL; ask = next) {
        next = ask->next;
        gateway_ask_free(ask);
    }
}

static void on_asked(void *receiver, struct parcel *parcel) {
    struct gateway_ask *ask = ((struct asking *)parcel)->ask;
    struct event event = {.kind = EVENT_ASK,
                          .subject = &ask->subject,
                          .body = buffer_bytes(&ask->body),
                          .to = ask->node,
                          .reply_to = ask,
                          .worker = ask->worker,
                          .deadline_ms = ask->deadline_ms};
    free(parcel);
    ask_link(receiver, ask);
    core_loop_step(receiver, &event);
}

int routing_ask(void *context, struct gateway_ask *ask) {
    struct server *server = context;
    struct asking *asking = calloc(1, sizeof(*asking));
    check(asking != NULL);
    asking->ask = ask;
    asking->parcel.deliver = on_asked;
    int rc = mailbox_post(&server->mailbox, &asking->parcel);
    if (rc != STATUS_OK)
        free(asking);
    return rc;
}

static void on_reply_delivered(void *receiver, struct parcel *parcel) {
    struct gateway_ask *ask = (struct gateway_ask *)parcel;
    ask->on_answer(gateway_worker_of(receiver), ask);
}

void routing_reply(struct server *server, const struct action *action) {
    struct gateway_ask *ask = action->reply_to;
    ask_unlink(ask);
    ask->rc = action->rc;
    if (action->rc == STATUS_OK)
        buffer_append_bytes(&ask->reply, action->body);
    ask->parcel.deliver = on_reply_delivered;
    if (worker_post(&server->workers[action->worker], &ask->parcel) != STATUS_OK)
        gateway_ask_free(ask);
}

/* ---- what is served ---- */

struct serving {
    struct parcel parcel;
    struct server *server;
    uint64_t token;
    int rc;
    struct buffer reply;
};

static void on_served_delivered(void *receiver, struct parcel *parcel) {
    struct serving *serving = (struct serving *)parcel;
    struct event event = {
        .kind = EVENT_SERVED, .token = serving->token, .rc = serving->rc, .body = buffer_bytes(&serving->reply)};
    core_loop_step(receiver, &event);
    buffer_close(&serving->reply);
    free(serving);
}

/* On the worker's thread. */
static void on_served(void *context, int rc, struct bytes reply) {
    struct serving *serving = context;
    serving->rc = rc;
    if (rc == STATUS_OK)
        buffer_append_bytes(&serving->reply, reply);
    serving->parcel.deliver = on_served_delivered;
    if (mailbox_post(&serving->server->mailbox, &serving->parcel) != STATUS_OK) {
        buffer_close(&serving->reply);
        free(serving);
    }
}

void routing_serve(struct server *server, const struct action *action) {
    struct serving *serving = calloc(1, sizeof(*serving));
    struct buffer body;
    check(serving != NULL);
    serving->server = server;
    serving->token = action->token;
    buffer_init(&serving->reply);
    buffer_init(&body);
    buffer_append_bytes(&body, action->body);
    size_t worker = (size_t)(action->token % server->gateway.workers_count);
    if (gateway_serve(&server->gateway.workers[worker], &body, serving, on_served) == STATUS_OK)
        return;
    buffer_close(&body);
    on_served(serving, STATUS_NOT_PRIMARY, BYTES_ABSENT); /* the node is about to end */
}

/* ---- what is listened to ---- */

struct listening {
    struct parcel parcel;
    struct id_hash subject;
    uint64_t next_offset;
    bool is_over;
};

static void on_listening(void *receiver, struct parcel *parcel) {
    struct listening *listening = (struct listening *)parcel;
    struct event event = {.kind = listening->is_over ? EVENT_UNLISTEN : EVENT_LISTEN,
                          .subject = &listening->subject,
                          .offset = listening->next_offset};
    core_loop_step(receiver, &event);
    free(listening);
}

/* A node that is about to end listens to nothing more. */
static void listening_post(struct server *server, const struct listening *wanted) {
    struct listening *listening = calloc(1, sizeof(*listening));
    check(listening != NULL);
    *listening = *wanted;
    listening->parcel.deliver = on_listening;
    if (mailbox_post(&server->mailbox, &listening->parcel) != STATUS_OK)
        free(listening);
}

void routing_listen(void *context, const struct id_hash *subject, uint64_t next_offset) {
    listening_post(context, &(struct listening){.subject = *subject, .next_offset = next_offset});
}

void routing_unlisten(void *context, const struct id_hash *subject) {
    listening_post(context, &(struct listening){.subject = *subject, .is_over = true});
}

size_t routing_listeners(void *context, const struct id_hash *user, uint64_t *nodes, size_t nodes_max) {
    struct server *server = context;
    pthread_mutex_lock(&server->core_mutex);
    size_t count = node_core_listeners(server->core, user, nodes, nodes_max);
    pthread_mutex_unlock(&server->core_mutex);
    return count;
}

void routing_look_again(struct server *server, const struct id_hash *user) {
    for (size_t i = 0; i < server->gateway.workers_count; i++)
        gateway_look_again(&server->gateway.workers[i], user);
}

void routing_listening(struct server *server, const struct id_hash *thread) {
    for (size_t i = 0; i < server->gateway.workers_count; i++)
        gateway_listening(&server->gateway.workers[i], thread);
}
