#pragma once
/* The admin interface of event subscriptions, at any node; and where receivers call back, for anybody who knows the
 * code.
 *
 *   GET /admin/events/subscriptions              GET, PUT, DELETE /admin/events/subscriptions/{name}
 *   POST /admin/events/subscriptions/{name}/validate|test|replay
 *   GET /admin/events/subscriptions/{name}/dead-letters?count=N: those of this node
 *   GET /events/validation/{name}/{code} */
#include "node/gateway/router.h"

extern const struct http_route_table events_routes;
