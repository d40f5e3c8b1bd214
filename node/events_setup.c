/* What the server gives to event subscriptions. */
#include "node/events/delivery.h"
#include "node/events/subscription_kind.h"
#include "node/events/subscription_tasks.h"
#include "node/gateway/desk.h"
#include "node/log.h"
#include "node/server_parts.h"

#define HOUR_MS (60LL * 60 * 1000)
#define DEAD_LETTER_BYTES_MAX (16 << 20) /* of a subscription, twice */

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

static bool is_led_here(void *context, const struct id_hash *thread) {
    struct server *server = context;
    return gateway_is_here(&server->gateway, thread);
}

static struct consumer_kind *subscriptions_new(const struct subscription_tasks *tasks) {
    struct subscription_kind_options options = {.store = tasks->store,
                                                .webhooks = tasks->webhooks,
                                                .topic = tasks->topic,
                                                .dead_letters = tasks->dead_letters,
                                                .keep_ms = tasks->keep_ms};
    return subscription_kind_new(&options);
}

static int delivery_open(struct server *server, const struct subscription_tasks *tasks) {
    struct delivery_options options = {
        .feed = server->feed,
        .store = server->folder.store,
        .master = &server->folder.master,
        .hash_key = server->folder.settings.hash_key,
        .coordinator = server->folder.coordinator,
        .kinds = {subscriptions_new(tasks), bots_setup_kind(server), push_setup_kind(server)},
        .kinds_count = 3,
        .is_watched = &server->is_watched,
        .is_led_here = is_led_here,
        .propose = core_loop_propose_own,
        .on_consumers = own_sweep_wake,
        .context = server};
    struct delivery *delivery = delivery_start(&options);
    server->delivery = delivery;
    return delivery == NULL ? STATUS_INTERNAL_ERROR : delivery_watch(delivery);
}

static const struct subscription_tasks *tasks_new(struct server *server) {
    struct bytes letters = arena_printf(&server->folder.arena, "%s/dead-letters", server->config.data);
    struct subscription_tasks *tasks = ARENA_NEW(&server->folder.arena, struct subscription_tasks);
    *tasks = (struct subscription_tasks){
        .store = {.coordinator = server->folder.coordinator, .master = &server->folder.master},
        .webhooks = {.may_be_private = server->config.events_allow_private, .ca_file = server->config.events_ca_file},
        .topic = topic_of(server),
        .resource_id = bytes_of_text(server->folder.settings.resource_id),
        .hash_key = server->folder.settings.hash_key,
        .dead_letters = {.folder = arena_text(&server->folder.arena, letters), .file_bytes_max = DEAD_LETTER_BYTES_MAX},
        .keep_ms = server->config.events_keep_hours * HOUR_MS};
    return tasks;
}

static void expect_events(void *context) {
    struct server *server = context;
    struct delivery *delivery = server->delivery;
    if (delivery != NULL)
        delivery_expect(delivery);
}

int events_open(struct server *server) {
    server->gateway.expect_events = expect_events;
    server->gateway.subscriptions = tasks_new(server);
    server->gateway.desk = desk_start();
    bots_setup_open(server);
    if (push_setup_open(server) == STATUS_OK && server->gateway.desk != NULL &&
        delivery_open(server, server->gateway.subscriptions) == STATUS_OK)
        return STATUS_OK;
    log_error("events cannot be told: there is no room for their threads, or the coordinator cannot be watched");
    return STATUS_INTERNAL_ERROR;
}

void events_close(struct server *server) {
    if (server->delivery != NULL)
        delivery_stop(server->delivery);
    if (server->gateway.desk != NULL)
        desk_stop(server->gateway.desk);
    server->gateway.desk = NULL;
    push_setup_close(server);
    bots_setup_close(server);
}

void events_free(struct server *server) {
    if (server->delivery != NULL)
        delivery_free(server->delivery);
    server->delivery = NULL;
}
