/* What the server gives to event subscriptions. */
#include "node/events/subscription_desk.h"
#include "node/log.h"
#include "node/server_parts.h"

/* In the form of the vendor's names, of which receivers take the last part. */
static struct bytes topic_of(struct server *server) {
    const struct config *config = &server->config;
    if (config->events_topic[0] != '\0')
        return bytes_of_text(config->events_topic);
    return arena_printf(&server->folder.arena,
                        "/subscriptions/weft/resourceGroups/%s/providers/Microsoft.Communication/"
                        "communicationServices/%s",
                        config->cluster_name, server->folder.settings.resource_id);
}

int events_open(struct server *server) {
    struct subscription_desk_options options = {
        .tasks = {.store = {.coordinator = server->folder.coordinator, .master = &server->folder.master},
                  .webhooks = {.may_be_private = server->config.events_allow_private,
                               .ca_file = server->config.events_ca_file},
                  .topic = topic_of(server),
                  .resource_id = bytes_of_text(server->folder.settings.resource_id),
                  .hash_key = server->folder.settings.hash_key}};
    server->gateway.subscriptions = subscription_desk_start(&options);
    if (server->gateway.subscriptions != NULL)
        return STATUS_OK;
    log_error("there is no room for the threads that tell receivers of events");
    return STATUS_INTERNAL_ERROR;
}

void events_close(struct server *server) {
    if (server->gateway.subscriptions != NULL)
        subscription_desk_stop(server->gateway.subscriptions);
    server->gateway.subscriptions = NULL;
}
