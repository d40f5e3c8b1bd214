#pragma once
/* Where the ranges of users are led: who is absent of those whom a change concerns, and which devices they have. */
#include "node/gateway/gateway.h"
#include "proto/question.h"

/* gateway->push. STATUS_NOT_PRIMARY: another node leads one of the users, or this one has so lately that it does not
 * know yet who is present; ask again. STATUS_OVERLOADED: too much waits. */
int push_serve(struct gateway_worker *worker, struct arena *arena, const struct question *question);
