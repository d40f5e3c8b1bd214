#pragma once
/* A bridge that acts for a user of Teams: a trusted service with the access key or the admin token, which says by
 * headers who it is and for whom. Every such call with the right credentials is
 * written in the log, whether it is let through or not. */
#include "node/gateway/authentication.h"
#include "node/gateway/router.h"

/* Of requests; each without the other is refused. */
#define ACTING_BRIDGE_HEADER "x-weft-bridge"
#define ACTING_USER_HEADER "x-weft-acting-as"

/* True: the call says that it is a bridge's. Only of calls that come from clients. */
bool acting_is_claimed(struct http_call *call);

/* Who acts, with the scope `chat`; in the call's arena. STATUS_BAD_REQUEST, STATUS_UNAUTHORIZED, STATUS_FORBIDDEN. */
int acting_authenticate(struct gateway_worker *worker, const struct http_route *route, struct http_call *call,
                        struct caller *caller, struct problem *problem);
