#pragma once
/* Who is calling: user access tokens (contract 2.3, 2.4) checked for signature, expiry, an existing identity and its
 * revocation time; access-key signatures for the identity API; the admin token. A verified signature is remembered per
 * worker. The identity is looked up every time: here, or by asking the node that leads the user's range, whose answer
 * is kept as long as a revocation may be late anyway. */
#include "node/gateway/facts.h"

#define TOKEN_HASH_BYTES 32

struct caller {
    struct bytes user_id; /* raw id, in the arena */
    struct id_hash hash;
    unsigned scopes;
    int64_t token_issued_s;
    int64_t token_expires_s;
};

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);

/* One token on its way through the checks. */
struct authentication {
    /* Set by the caller; everything is needed until the end. */
    struct gateway_worker *worker;
    struct arena *arena;
    uint64_t deadline_ms; /* of the worker's clock */
    void *context;
    void (*on_done)(struct authentication *self, int rc);

    struct caller caller;   /* who it is, after 0 */
    struct problem problem; /* why not, after an error */

    /* Private. */
    uint8_t token_hash[TOKEN_HASH_BYTES];
    uint64_t asked_ms;
    struct facts facts;
};

/* 0, or STATUS_UNAUTHORIZED, STATUS_TOKEN_EXPIRED, STATUS_TOKEN_REVOKED (also for a deleted identity),
 * STATUS_SERVICE_UNAVAILABLE; or AUTHENTICATION_WAITS: one of these comes to on_done. The token is borrowed until
 * return. */
#define AUTHENTICATION_WAITS 1
int authenticate_token(struct authentication *self, struct bytes token);
/* `Authorization: Bearer …` of a call; with `header` "x-skypetoken" the bare token in that header. */
int authenticate_call(struct authentication *self, struct http_call *call, const char *header);
/* Of `caller`, who is set and vouched for by something else than a token: is she there, and is what was issued to her
 * at token_issued_s not revoked? */
int authenticate_user(struct authentication *self);
/* on_done is not called any more. */
void authentication_cancel(struct authentication *self);

/* HMAC-SHA256 with one of the access keys. */
int authenticate_access_key(struct gateway_worker *worker, struct http_call *call, struct problem *problem);
/* The same for a bridge that acts for a user: the signature covers who says to be which, so that nobody can turn it. */
int authenticate_bridge(struct gateway_worker *worker, struct http_call *call, struct bytes bridge,
                        struct bytes acting_as, struct problem *problem);
/* `Authorization: Bearer <admin token>`. */
int authenticate_admin(struct gateway_worker *worker, struct http_call *call, struct problem *problem);
