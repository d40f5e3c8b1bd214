#pragma once
/* The chat REST API (contract sections 6 and 7): from calls to chat_calls.h for what changes, and to thread views for
 * what is read. Scopes, rates, api-versions and paging are checked here. */
#include "node/gateway/router.h"

extern const struct http_route_table chat_routes;
