#pragma once
/* The front of every handler: finds out who calls, whom the call is about, and has it served on the node that leads
 * that user's or thread's range. Nothing blocks: a call that waits for another node is parked. A call that came from
 * another node is served here or not at all, so that none wanders.
 *
 *   client's call ─▶ who calls? ─▶ whom about? ─┬─ led here ──▶ handler ──▶ answer
 *                      │  ▲                     │                 │ not any more
 *                  the user's node              └─ led elsewhere ─┴─▶ the node that leads ──▶ its answer */
#include "node/gateway/gateway.h"
#include "node/gateway/router.h"

/* How long a call may take that has to go to another node, takeovers included. */
#define FORWARD_DEADLINE_MS 10000

/* Takes a call whose route was found. */
void forward_call(struct worker *worker, const struct http_route *route, struct http_call *call);
