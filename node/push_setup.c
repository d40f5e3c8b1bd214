/* What the server gives to pushes. */
#include "node/events/delivery.h"
#include "node/log.h"
#include "node/push/push.h"
#include "node/push/push_kind.h"
#include "node/push/push_serve.h"
#include "node/server_parts.h"

static int64_t ttl_ms(const struct server *server) {
    return server->config.push_ttl_s * 1000;
}

static void delivery_wake_if_there(void *context) {
    struct server *server = context;
    struct delivery *delivery = server->delivery;
    if (delivery != NULL)
        delivery_wake(delivery);
}

struct consumer_kind *push_setup_kind(struct server *server) {
    struct push_kind_options options = {.gateway = &server->gateway,
                                        .coordinator = server->folder.coordinator,
                                        .ttl_ms = ttl_ms(server),
                                        .wake = delivery_wake_if_there,
                                        .context = server};
    return server->config.push ? push_kind_new(&options) : NULL;
}

int push_setup_open(struct server *server) {
    struct push_options options = {.coordinator = server->folder.coordinator,
                                   .master = &server->folder.master,
                                   .contact = server->config.push_contact,
                                   .ca_file = server->config.push_ca_file,
                                   .may_be_private = server->config.push_allow_private,
                                   .ttl_ms = ttl_ms(server),
                                   .propose = core_loop_propose_own,
                                   .context = server};
    if (!server->config.push)
        return STATUS_OK;
    server->gateway.pushes = push_start(&options);
    if (server->gateway.pushes == NULL) {
        log_error("nothing can be sent to devices: there is no room for the thread that does it");
        return STATUS_INTERNAL_ERROR;
    }
    server->gateway.push = push_serve;
    return STATUS_OK;
}

void push_setup_close(struct server *server) {
    if (server->gateway.pushes == NULL)
        return;
    push_stop(server->gateway.pushes);
    push_free(server->gateway.pushes);
    server->gateway.pushes = NULL;
}
