#pragma once
/* In a cluster: which session held an endpoint of the official SDK before the one of its newest socket, whatever the
 * node. The node that leads the user knows; what it knows lives in its memory only, so sessions say it again to whoever
 * leads the user next. */
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/gateway.h"
#include "proto/question.h"

struct endpoint_claimed {
    uint64_t turn;                   /* of the claim; 0: nobody could be asked */
    struct endpoint_holder previous; /* who held it before; session 0: nobody */
    bool is_unsure; /* who leads the user does so since a moment ago: a holder on any node may not have told it yet */
};

/* `holder`, on this worker, holds the user's endpoint from now on. Who did before comes to trouter_claimed, always;
 * where nobody can be asked, or nobody is sure, that is `previous_here`. */
void endpoint_claim_ask(struct gateway_worker *worker, const struct id_hash *user, const struct id_hash *endpoint,
                        const struct endpoint_holder *holder, const struct endpoint_holder *previous_here);

/* It still does, by the claim that had this turn. If another one does by now, that comes to trouter_outdated. */
void endpoint_claim_renew(struct gateway_worker *worker, const struct id_hash *user, const struct id_hash *endpoint,
                          const struct endpoint_place *place);

/* QUESTION_ENDPOINT, for serve.c: the answer is appended. STATUS_MALFORMED; STATUS_NOT_PRIMARY. */
int endpoint_claim_serve(struct gateway *gateway, const struct question *question, struct buffer *answer);
