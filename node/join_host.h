#pragma once
/* The side of a cluster in proto/join.h: tells a node that proves to have the cluster's secret what it needs to take
 * part. Asked by the gateway's workers. A challenge is good once and for JOIN_CHALLENGE_MS, so a question that somebody
 * has recorded is answered no second time, and nowhere else. */
#include "node/config.h"
#include "proto/join.h"
#include "storage/seal.h"

#define JOIN_CHALLENGE_MS 30000
#define JOIN_ANSWERS_MAX 256     /* within JOIN_CHALLENGE_MS: their challenges are remembered */
#define JOIN_WRONG_BURST 10      /* questions with a wrong proof that are looked at from one address at once, and ... */
#define JOIN_WRONG_PER_MINUTE 60 /* ... in the long run: a secret that a person has made must not be guessed */

struct join_host;

/* `secret`: the cluster's; `config`: of this node, borrowed as long as the host lives. STATUS_INTERNAL_ERROR: there is
 * no memory to derive keys. */
int join_host_new(const struct config *config, struct bytes secret, const struct seal_key *master,
                  struct join_host **host);
/* NULL is fine. Wipes what it knew. */
void join_host_free(struct join_host *host);

/* A message from `address`; any thread, `now_ms` is monotonic. Appends the answer. STATUS_REQUEST_ENTITY_TOO_LARGE,
 * STATUS_BAD_REQUEST, STATUS_FORBIDDEN: another secret; STATUS_CONFLICT: the challenge is old, used or not ours;
 * STATUS_TOO_MANY_REQUESTS; STATUS_INTERNAL_ERROR: what is to be told cannot be read. `reason` says what, in static
 * text for whoever asked; what concerns this node is logged. */
int join_host_answer(struct join_host *host, struct bytes address, struct bytes message, int64_t now_ms,
                     struct buffer *answer, const char **reason);
