#pragma once
/* A node put together: store, coordinator, core loop, disk worker, gateway workers. Performs the core's actions. */
#include "node/config.h"

struct server;

/* Opens the data folder and binds the addresses. A negative status after an error, which has been logged. */
int server_open(const struct config *config, struct server **server);

/* Serves until SIGTERM or SIGINT. The first one drains: real-time clients are told to move, then everything stops; a
 * second one stops at once. */
int server_run(struct server *server);

/* After server_run. */
void server_close(struct server *server);

/* "endpoint=https://…/;accesskey=…" of the node that owns the data folder. As printed by --print-connection-string. */
int server_connection_string(const struct config *config, struct buffer *out, const char **reason);
