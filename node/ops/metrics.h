#pragma once
/* The node's numbers in the Prometheus text format, at GET /metrics, for holders of the admin token. */
#include "node/cluster.h"
#include "node/core/node_core.h"
#include "node/disk.h"
#include "node/events/delivery_facts.h"
#include "node/gateway/router.h"

/* The disk is borrowed as long as the node runs. Once, before the workers start. */
void metrics_init(struct disk *disk);

/* The core's numbers as of now, from the core's thread; `event_threads`: those that have events to be delivered;
 * `cluster` is NULL for a node alone. */
void metrics_core_update(const struct node_core_statistics *core, size_t event_threads,
                         const struct cluster_statistics *cluster);

/* Who gets server events from here, and how that goes, as of now; of those that have names. From one thread; copied. */
void metrics_events_update(const struct delivery_fact *facts, size_t count, int64_t now_ms);

extern const struct http_route_table metrics_routes;
