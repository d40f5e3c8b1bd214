#pragma once
/* The way of a change as tables. */
#include <stdio.h>

#include "node/ctl/terminal.h"
#include "node/ctl/way.h"

/* `nodes`: those of the answer, for their names. `is_all`: every node remembers whom it told, so that of who is lacking
 * it is known that nobody told them. */
void way_print(const struct terminal *terminal, const json_t *nodes, const char *primary, const struct way *way,
               bool is_all, FILE *out);

/* A node's name, else its id. */
const char *way_node_name(const json_t *nodes, const char *id);
