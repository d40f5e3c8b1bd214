#pragma once
/* A node that is started with `join` asks the node there how to take part in its cluster (proto/join.h), keeps what it
 * is told in its data folder, and goes on as if that had been configured. Called once at start, before the data folder
 * is opened. Later starts need neither `join` nor the node that was asked. */
#include "node/config.h"

/* Asks, if `join` is set: again and again for JOIN_ASK_S while nobody answers there; once if this node has joined
 * before, and then it goes on with what it was told. Completes the configuration. STATUS_FORBIDDEN: the secrets differ;
 * STATUS_CONFLICT: the data folder is of another cluster, or what is configured is; STATUS_SERVICE_UNAVAILABLE: nobody
 * answers. Errors have been logged. */
#define JOIN_ASK_S 30
int joining_prepare(struct config *config);
