#pragma once
/* What has to be written at the coordinator so that ranges and nodes go where they should: for operators' wishes and
 * for the balancer. All of it may wait for the coordinator. */
#include "node/coordinator/coordinator.h"
#include "node/operator_wish.h"

/* After the check. STATUS_CONFLICT: somebody changed it meanwhile; otherwise as the coordinator. */
int operator_wish_perform(struct coordinator *coordinator, const struct cluster_facts *facts,
                          const struct operator_wish *wish);

/* Writes what should be of a range in place of `version`. */
int placement_write(struct coordinator *coordinator, const struct placement *placement, uint64_t version);
/* Takes a name away, whatever it holds; one that is not there is none. */
int name_remove(struct coordinator *coordinator, const char *name);
/* "drains/<id>" and its like. */
#define NODE_PATH_BYTES 32
void node_path_format(const char *folder, uint64_t node, char path[NODE_PATH_BYTES]);
