/* What this node looks for by itself in the ranges that it leads. */
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
                                                 .events_keep_ms = config->events_keep_hours * HOUR_MS},
                                       .interval_ms = config->retention_sweep_s * 1000 / 2};
    server->sweeping = sweeping_start(&options);
    if (server->sweeping != NULL)
        return STATUS_OK;
    log_error("there is no room for the thread that sees to retention");
    return STATUS_INTERNAL_ERROR;
}

void own_sweep_close(struct server *server) {
    if (server->sweeping != NULL)
        sweeping_stop(server->sweeping);
    server->sweeping = NULL;
}
