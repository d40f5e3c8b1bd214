/* What the server gives to bots. */
#include "node/bots/bot_kind.h"
#include "node/bots/bot_streams.h"
#include "node/bots/bots_api.h"
#include "node/events/delivery.h"
#include "node/public_address.h"
#include "node/server_parts.h"

void bots_setup_open(struct server *server) {
    struct gateway_bots *bots = ARENA_NEW(&server->folder.arena, struct gateway_bots);
    *bots = (struct gateway_bots){.items = bot_items(server->folder.coordinator, &server->folder.master),
                                  .may_be_private = server->config.events_allow_private,
                                  .roster = bot_roster_new(),
                                  .streams = bot_streams_new()};
    server->gateway.bots = bots;
}

void bots_setup_close(struct server *server) {
    if (server->gateway.bots != NULL) {
        bot_roster_free(server->gateway.bots->roster);
        bot_streams_free(server->gateway.bots->streams);
    }
    server->gateway.bots = NULL;
}

static void wake(void *context) {
    struct server *server = context;
    struct delivery *delivery = server->delivery;
    if (delivery != NULL)
        delivery_wake(delivery);
}

/* "": bots are not told where to answer but in their answers. What leads only here is told, too: bots of this machine.
 */
static struct bytes service_url_of(struct server *server) {
    const char *host = server->config.listen.host;
    unsigned port = server->workers[0].ports[0];
    char address[NODE_ADDRESS_BYTES_MAX + 1];
    public_address_make(&server->config, server->workers[0].ports[0], address);
    if (address[0] != '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        return arena_copy(&server->folder.arena, bytes_of_text(address));
    bool is_ipv6 = strchr(host, ':') != NULL;
    return arena_printf(&server->folder.arena, "https://%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

struct consumer_kind *bots_setup_kind(struct server *server) {
    struct bot_kind_options options = {
        .items = server->gateway.bots->items,
        .webhooks = {.may_be_private = server->config.events_allow_private, .ca_file = server->config.events_ca_file},
        .service_url = service_url_of(server),
        .roster = server->gateway.bots->roster,
        .gateway = &server->gateway,
        .wake = wake,
        .context = server};
    return bot_kind_new(&options);
}
