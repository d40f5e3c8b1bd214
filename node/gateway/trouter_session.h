#pragma once
/* The official SDK's socket (real-time protocol, sections 6 to 8): connects, answers, pushes, waits for a lost client's
 * return. Whoever has a valid ticket always gets a socket; refusing is for trouter_api.c. */
#include "node/gateway/endpoint_claim.h"
#include "node/gateway/handover.h"
#include "node/gateway/http.h"
#include "proto/trouter.h"

/* Who comes, from the ticket in `sid`. */
struct trouter_arrival {
    struct caller caller;
    struct bytes endpoint_id;
};

/* Upgrades the call; it must not be touched afterwards. */
void trouter_session_open(struct gateway_worker *worker, struct http_call *call, const struct trouter_arrival *arrival);

/* What an endpoint is called among the workers of a node. */
struct id_hash trouter_endpoint_hash(const struct gateway *gateway, struct bytes user_id, struct bytes endpoint_id);

/* For endpoint_claim.c: who held the endpoint of the session `holder` before it. */
void trouter_claimed(struct gateway_worker *worker, const struct id_hash *user, const struct endpoint_holder *holder,
                     const struct endpoint_claimed *claimed);
/* Likewise: `newest` holds it by now. */
void trouter_outdated(struct gateway_worker *worker, const struct id_hash *user, const struct endpoint_holder *holder,
                      const struct endpoint_place *newest);

/* For handover.c. True: the session that is asked keeps the hand-over, because it waits for one itself. Otherwise it
 * is filled. */
bool trouter_handover_give(struct gateway_worker *worker, struct handover *handover);
void trouter_handover_take(struct gateway_worker *worker, struct handover *handover);
void trouter_left_pushes_take(struct gateway_worker *worker, struct handover *handover);
