#pragma once
/* What of a cluster is not as it should be. */
#include <stdio.h>

#include "node/ctl/overview.h"
#include "node/ctl/terminal.h"

struct health {
    size_t nodes_alive, nodes_draining;
    size_t ranges_without_primary, ranges_that_refuse, ranges_with_few_copies;
    double copies_wanted; /* of each range: the replication factor, or fewer if there are not as many nodes */
};

void health_look(const struct overview *overview, struct health *health);
/* A line for each thing, after `indent`; nothing if all is well. */
void health_print(const struct terminal *terminal, const struct overview *overview, const struct health *health,
                  const char *indent, FILE *out);
bool health_is_good(const struct overview *overview, const struct health *health);
