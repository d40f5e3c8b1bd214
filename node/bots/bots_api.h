#pragma once
/* The admin interface of bots, and where a bot gets a token for its secret, as from the Bot Framework's login. */
#include "node/bots/bot_roster.h"
#include "node/gateway/router.h"

struct bot_streams;

/* What the gateway's handlers need of bots. */
struct gateway_bots {
    struct sealed_items items;
    bool may_be_private;
    struct bot_roster *roster;
    struct bot_streams *streams;
};

extern const struct http_route_table bots_routes;
