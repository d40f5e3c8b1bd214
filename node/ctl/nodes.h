#pragma once
/* The nodes of a cluster as a table. */
#include <stdio.h>

#include "node/ctl/overview.h"
#include "node/ctl/terminal.h"

enum nodes_view { NODES_AT_WORK, NODES_IN_BALANCE };

/* `view`: what matters most where not everything fits. */
void nodes_print(const struct terminal *terminal, const struct overview *overview, enum nodes_view view, FILE *out);

/* "alive", "draining", "silent" */
const char *node_state(const struct node *node);
enum tint node_state_tint(const struct node *node);
/* The largest share of load that a node has: what the longest bar stands for. */
double nodes_largest_share(const struct overview *overview);
