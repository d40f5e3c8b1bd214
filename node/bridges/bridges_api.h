#pragma once
/* The admin interface of bridges, at any node.
 *
 *   GET /admin/bridges              GET, PUT, DELETE /admin/bridges/{name} */
#include "node/gateway/router.h"

extern const struct http_route_table bridges_routes;
