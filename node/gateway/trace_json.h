#pragma once
/* The body of GET /admin/trace: the way of each change from the log to its readers. Times are microseconds of Unix time
 * on the clock of the node that was asked; those of other nodes are set right by how far their clocks are ahead of it,
 * which is said with how uncertain that is. What no node remembers is absent. */
#include "node/gateway/trace_asking.h"

/* In the arena. */
struct bytes trace_encode(const struct tracing *tracing, struct arena *arena);
