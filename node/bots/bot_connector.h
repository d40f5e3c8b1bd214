#pragma once
/* The Bot Framework connector's interface: what bots say, change and take back in threads, with tokens as users have
 * them. A conversation is a thread, an activity a message. */
#include "node/gateway/router.h"

extern const struct http_route_table bot_connector_routes;
