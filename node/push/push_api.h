#pragma once
/* Where users' devices register, with the tokens that they chat with, at any node:
 *
 *   GET /push/key                      the public key that browsers subscribe with
 *   GET, PUT /push/registrations       a browser's PushSubscription
 *   DELETE /push/registrations/{id} */
#include "node/gateway/router.h"

extern const struct http_route_table push_routes;
