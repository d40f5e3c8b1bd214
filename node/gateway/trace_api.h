#pragma once
/* GET /admin/trace/{threadId}/{message}: the way of a message, by its id, or of the change at an offset ("@17"). */
#include "node/gateway/router.h"

extern const struct http_route_table trace_routes;
