#pragma once
/* How an endpoint of the official SDK moves from an old session to the one of its newest socket, which may be on
 * another worker or another node: what the client has not answered, and where each thread was left. The offsets make it
 * exact: whatever the old session did not see is told from the store.
 *
 *   newest session ─ endpoint_claim.h: who held it? ─▶ handover_ask ─▶ old session ─ handover_give ─▶ newest session */
#include "node/gateway/endpoint_buffer.h"
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/listening.h"
#include "proto/question.h"

struct handover {
    struct parcel parcel;
    struct gateway *gateway;
    struct id_hash user;
    struct id_hash endpoint;
    struct endpoint_holder giver;
    struct endpoint_place taker;
    struct endpoint_place instead; /* not found: who has got it from the giver; session 0: nobody */
    bool is_search;                /* nobody has said that the giver held it */
    struct endpoint_buffer pushes;
    struct listening_position *positions;
    size_t positions_count;
    bool is_found;    /* the giver was still there, and knew its threads */
    void *asked_from; /* the question of another node, answered by handover_give; NULL: none */
    void (*on_given)(void *asked_from, struct bytes encoded);
};

/* Who asks for an endpoint: a session on this node. */
struct handover_wish {
    struct id_hash user;
    struct id_hash endpoint;
    struct endpoint_place taker;
    bool is_search;
};

/* Asks `giver`, or, as a search, whoever of giver->node holds the endpoint if its session is 0. The answer comes to
 * trouter_handover_take, always. */
void handover_ask(struct gateway *gateway, const struct handover_wish *wish, const struct endpoint_holder *giver);

/* The giver's session stops listening; where it stood goes into the hand-over. */
void handover_positions_take(struct handover *handover, struct session *session);

/* Sends what the giver gave; takes the hand-over. */
void handover_give(struct handover *handover);
void handover_free(struct handover *handover);

/* Pushes that an old socket left behind, for whoever holds the endpoint now. Takes the pushes. */
void handover_leave(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *taker,
                    struct endpoint_buffer *pushes);

/* ---- what other nodes ask, for serve.c ---- */

/* QUESTION_HANDOVER. on_given is called exactly once, on a worker's thread; the answer is borrowed until return.
 * STATUS_MALFORMED: it is not called. */
int handover_serve(struct gateway *gateway, const struct question *question, void *asked_from,
                   void (*on_given)(void *asked_from, struct bytes encoded));
/* QUESTION_PUSHES. STATUS_MALFORMED. */
int handover_pushes_serve(struct gateway *gateway, const struct question *question);
