#pragma once
/* The HTTP calls by which the official SDK gets to its socket (real-time protocol, section 5): configuration,
 * allocation, handshake, upgrade, registration. The only place where such a client is refused, because refusing or
 * closing a socket makes it start over at once (section 8). */
#include "node/gateway/router.h"

extern const struct http_route_table trouter_routes;

/* Answers `GET /?check=…`, by which the SDK asks whether a host is still a trouter (section 5.6). False: it is some
 * other call, not answered. */
bool trouter_probe(struct http_call *call);
