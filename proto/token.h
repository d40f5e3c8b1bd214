#pragma once
/* User access tokens: JWTs signed with Ed25519 (RFC 7519, RFC 8037), with the claims that official clients read
 * (contract 2.3). Verifying here covers form, signature, resource and expiry; whether the identity still exists and
 * when its tokens were revoked is the caller's question to the user's range. */
#include "proto/arena.h"
#include "proto/bytes.h"

enum token_scope {
    TOKEN_SCOPE_CHAT = 1,
    TOKEN_SCOPE_CHAT_JOIN = 2,
    TOKEN_SCOPE_CHAT_JOIN_LIMITED = 4,
    TOKEN_SCOPE_VOIP = 8,
    TOKEN_SCOPE_VOIP_JOIN = 16
};
#define TOKEN_SCOPE_ANY_CHAT (TOKEN_SCOPE_CHAT | TOKEN_SCOPE_CHAT_JOIN | TOKEN_SCOPE_CHAT_JOIN_LIMITED)

/* "chat", "chat.join", "chat.join.limited", "voip", "voip.join". 0 for any other. */
unsigned token_scope_parse(struct bytes name);

#define TOKEN_SEED_BYTES 32
#define TOKEN_KEY_ID_BYTES 16 /* hexadecimal text of the key's fingerprint */

struct token_key {
    char key_id[TOKEN_KEY_ID_BYTES + 1];
    uint8_t public_key[32];
    uint8_t secret_key[64]; /* all zero when this key only verifies */
};

/* The key id is the first eight bytes of BLAKE2b of the public key. */
void token_key_from_seed(struct token_key *key, const uint8_t seed[TOKEN_SEED_BYTES]);

struct token_claims {
    struct bytes user_id; /* raw id, "8:" + skypeid */
    struct bytes resource_id;
    unsigned scopes;
    int64_t issued_s;
    int64_t expires_s;
};

/* A compact JWT in the arena. */
struct bytes token_mint(struct arena *arena, const struct token_key *key, const struct token_claims *claims);

/* STATUS_UNAUTHORIZED: not a token of ours (form, algorithm, key id, signature, resource, no claim).
 * STATUS_TOKEN_EXPIRED. `now_s` is unix seconds. Claims are in the arena. Never accepts alg "none" or any algorithm but
 * EdDSA. */
int token_verify(struct arena *arena, const struct token_key *keys, size_t key_count, struct bytes resource_id,
                 struct bytes token, int64_t now_s, struct token_claims *claims);
