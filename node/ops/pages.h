#pragma once
/* What people look at: the chat page and its files from the binary, the health of the node, its metrics for Prometheus.
 */
#include "node/gateway/router.h"

extern const struct http_route_table page_routes;
