#pragma once
/* Bridges at the coordinator, `bridges/<name>`, as their JSON: there are no secrets in them. Everything may take as
 * long as the coordinator does, and gives its codes. */
#include "node/bridges/bridge.h"
#include "node/coordinator/coordinator.h"

#define BRIDGES_FOLDER "bridges/"

/* STATUS_STORE_MISSING; STATUS_RECORD_CORRUPT, with the version. In the arena. */
int bridge_store_get(struct coordinator *coordinator, struct bytes name, struct arena *arena, struct bridge *bridge,
                     uint64_t *version);
/* `version` is what it has now, 0 if it is new. STATUS_CONFLICT: it has another one. */
int bridge_store_put(struct coordinator *coordinator, const struct bridge *bridge, struct arena *arena,
                     uint64_t version);
int bridge_store_remove(struct coordinator *coordinator, struct bytes name, uint64_t version);
/* In the order of their names, as of `revision`. A record that cannot be read is left out, and logged. */
int bridge_store_list(struct coordinator *coordinator, struct arena *arena, struct bridge **bridges, size_t *count,
                      uint64_t *revision);
