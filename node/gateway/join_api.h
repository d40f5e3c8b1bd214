#pragma once
/* POST /cluster/join: where a new node asks for what it needs to take part (proto/join.h). */
#include "node/gateway/router.h"

extern const struct http_route_table join_routes;
