#pragma once
/* The identity REST API (contract section 3): identities and their tokens, asked for by trusted services with the
 * access key. Reads records itself, changes them only through the core. */
#include "node/gateway/router.h"

extern const struct http_route_table identity_routes;
