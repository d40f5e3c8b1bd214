/* What this node looks for by itself in the ranges that it leads. */
#include "node/events/delivery.h"
#include "node/log.h"
#include "node/server_parts.h"
#include "proto/check.h"

#define HOUR_MS (60LL * 60 * 1000)
#define DAY_MS (24 * HOUR_MS)

/* A node that stops begins nothing more. */
static bool is_ours(void *context, const struct id_hash *subject) {
    struct server *server = context;
    return !atomic_load(&server->gateway.is_draining) && gateway_is_here(&server->gateway, subject);
}

static bool consumers_find_all(void *context, struct arena *arena, struct sweep_consumers *consumers) {
    struct server *server = context;
    struct delivery *delivery = server->delivery;
    struct delivery_fact *facts;
    if (delivery == NULL || !delivery_consumers(delivery, arena, &facts, &consumers->count))
        return false;
    struct sweep_consumer *items = ARENA_NEW_ARRAY(arena, struct sweep_consumer, consumers->count);
    for (size_t i = 0; i < consumers->count; i++)
        items[i] = (struct sweep_consumer){facts[i].id, facts[i].serial, facts[i].since_ms};
    consumers->items = items;
    return true;
}

/* Two walks in the time that a thread may be late: one that has just passed it may be of another node, which led it. */
int own_sweep_open(struct server *server) {
    const struct config *config = &server->config;
    struct sweeping_options options = {.store = server->folder.store,
                                       .sweep = {.master = &server->folder.master,
                                                 .is_ours = is_ours,
                                                 .propose = core_loop_propose_own,
                                                 .context = server,
                                                 .undelete_ms = config->undelete_hours * HOUR_MS,
                                                 .deleted_keep_ms = config->deleted_thread_keep_days * DAY_MS,
                                                 .events_keep_ms = config->events_keep_hours * HOUR_MS,
                                                 .consumers = consumers_find_all},
                                       .interval_ms = config->retention_sweep_s * 1000 / 2};
    server->sweeping = sweeping_start(&options);
    if (server->sweeping != NULL)
        return STATUS_OK;
    log_error("there is no room for the thread that sees to retention");
    return STATUS_INTERNAL_ERROR;
}

void own_sweep_wake(void *context) {
    struct server *server = context;
    sweeping_wake(server->sweeping);
}

void own_sweep_close(struct server *server) {
    if (server->sweeping != NULL)
        sweeping_stop(server->sweeping);
    server->sweeping = NULL;
}
