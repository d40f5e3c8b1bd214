#pragma once
/* How an endpoint of the official SDK moves from an old session to the one of its newest socket, which may be on
 * another worker: what the client has not answered, and where each thread was left. The offsets make it exact: whatever
 * the old session did not see is told from the store. */
#include "node/gateway/endpoint_buffer.h"
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/listening.h"

struct handover {
    struct parcel parcel;
    struct gateway *gateway;
    struct id_hash user;
    struct endpoint_holder giver;
    struct endpoint_holder taker;
    struct endpoint_buffer pushes;
    struct listening_position *positions;
    size_t positions_count;
    bool is_found; /* the giver was still there */
};

/* Asks `giver` to hand over to `taker`; its answer comes to trouter_handover_take, always. */
void handover_ask(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *giver,
                  const struct endpoint_holder *taker);

/* The giver's session stops listening; where it stood goes into the hand-over. */
void handover_positions_take(struct handover *handover, struct session *session);

/* Sends what the giver gave; takes the hand-over. */
void handover_give(struct handover *handover);
void handover_free(struct handover *handover);

/* Pushes that an old socket left behind, for whoever holds the endpoint now. Takes the pushes. */
void handover_leave(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *taker,
                    struct endpoint_buffer *pushes);
