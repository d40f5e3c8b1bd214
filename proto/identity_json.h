#pragma once
/* The bodies of the identity REST API (contract section 3), both directions. As chat_json.h in every habit. */
#include "proto/arena.h"
#include "proto/problem.h"

struct create_identity_request {
    unsigned scopes; /* token_scope bits; 0: no token wanted */
    uint32_t expires_in_minutes;
};

struct issue_token_request {
    unsigned scopes;
    uint32_t expires_in_minutes;
};

/* The body may be empty or `{}`. */
int create_identity_request_parse(struct arena *arena, struct bytes body, struct create_identity_request *out,
                                  struct problem *problem);
int issue_token_request_parse(struct arena *arena, struct bytes body, struct issue_token_request *out,
                              struct problem *problem);

/* `userId` of a body; absent when it has none. */
int named_user_read(struct arena *arena, struct bytes body, struct bytes *user_id, struct problem *problem);

/* `token` absent: none was asked for. `expires_ms`: epoch milliseconds. */
struct bytes create_identity_response_encode(struct arena *arena, struct bytes user_id, struct bytes token,
                                             int64_t expires_ms);
struct bytes issue_token_response_encode(struct arena *arena, struct bytes token, int64_t expires_ms);
/* Of the admin interface: a token with whose it is. */
struct bytes user_token_response_encode(struct arena *arena, struct bytes user_id, struct bytes token,
                                        int64_t expires_ms);
