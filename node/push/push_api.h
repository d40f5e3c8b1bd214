#pragma once
/* Where users' devices register, with the tokens that they chat with, at any node:
 *
 *   GET /push/key                      the public key that browsers subscribe with
 *   GET, PUT /push/registrations       a browser's PushSubscription
 *   DELETE /push/registrations/{id}
 *   POST /v2/registrations, DELETE /v2/registrations/{id}     the official mobile SDKs' registrar (contract 13) */
#include "node/gateway/router.h"

extern const struct http_route_table push_routes;
