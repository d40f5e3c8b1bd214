#pragma once
/* Who is calling: user access tokens (contract 2.3, 2.4) checked for signature, expiry, an existing identity and its
 * revocation time; access-key signatures for the identity API; the admin token. A verified signature is remembered per
 * worker, the user's record is read every time. */
#include "node/gateway/gateway.h"

struct caller {
    struct bytes user_id; /* raw id, in the arena */
    struct id_hash hash;
    unsigned scopes;
    int64_t token_issued_s;
    int64_t token_expires_s;
};

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);

/* STATUS_UNAUTHORIZED, STATUS_TOKEN_EXPIRED, STATUS_TOKEN_REVOKED (also for a deleted identity), each with a problem.
 */
int authenticate_token(struct gateway_worker *worker, struct arena *arena, struct bytes token, struct caller *caller,
                       struct problem *problem);
/* `Authorization: Bearer …` of a call; with `header` "x-skypetoken" the bare token in that header. */
int authenticate_call(struct gateway_worker *worker, struct http_call *call, const char *header, struct caller *caller,
                      struct problem *problem);
/* HMAC-SHA256 with one of the access keys. */
int authenticate_access_key(struct gateway_worker *worker, struct http_call *call, struct problem *problem);
/* `Authorization: Bearer <admin token>`. */
int authenticate_admin(struct gateway_worker *worker, struct http_call *call, struct problem *problem);
