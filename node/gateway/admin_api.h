#pragma once
/* The admin interface: what the cluster looks like, what the balancer would do, and what an operator wishes. For
 * holders of the admin token, at any node, which answers from its own view.
 *
 *   GET /admin/cluster                             GET /admin/plan
 *   POST /admin/rebalance/pause|resume|cancel      POST /admin/ranges/{range}/move
 *   POST, DELETE /admin/nodes/{id or name}/drain   (tokens: identity_api.c) */
#include "node/gateway/router.h"

extern const struct http_route_table admin_routes;
