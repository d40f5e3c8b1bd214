#include "node/gateway/authentication.h"

#include <sodium.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"
#include "storage/user_store.h"

/* Verified signatures of one worker: direct-mapped by the token's hash, so that it needs no eviction and no bound of
 * its own. A verification costs as much CPU as telling ten participants. */
#define TOKEN_CACHE_SLOTS 4096
#define TOKEN_BYTES_MAX 4096
#define TOKEN_HASH_BYTES 32

struct token_slot {
    uint8_t hash[TOKEN_HASH_BYTES]; /* all zero: empty */
    uint8_t *user_id;
    size_t user_id_size;
    unsigned scopes;
    int64_t issued_s;
    int64_t expires_s;
};

struct token_cache {
    struct token_slot slots[TOKEN_CACHE_SLOTS];
};

struct token_cache *token_cache_new(void) {
    struct token_cache *cache = calloc(1, sizeof(*cache));
    check(cache != NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache) {
    for (size_t i = 0; i < TOKEN_CACHE_SLOTS; i++)
        free(cache->slots[i].user_id);
    free(cache);
}

static struct token_slot *slot_of(struct token_cache *cache, const uint8_t hash[TOKEN_HASH_BYTES]) {
    size_t index = ((size_t)hash[0] << 8 | hash[1]) % TOKEN_CACHE_SLOTS;
    return &cache->slots[index];
}

static bool cache_find(struct token_cache *cache, const uint8_t hash[TOKEN_HASH_BYTES], struct arena *arena,
                       struct token_claims *claims) {
    struct token_slot *slot = slot_of(cache, hash);
    if (slot->user_id == NULL || memcmp(slot->hash, hash, TOKEN_HASH_BYTES) != 0)
        return false;
    claims->user_id = arena_copy(arena, bytes_of(slot->user_id, slot->user_id_size));
    claims->scopes = slot->scopes;
    claims->issued_s = slot->issued_s;
    claims->expires_s = slot->expires_s;
    return true;
}

static void cache_put(struct token_cache *cache, const uint8_t hash[TOKEN_HASH_BYTES],
                      const struct token_claims *claims) {
    struct token_slot *slot = slot_of(cache, hash);
    free(slot->user_id);
    memcpy(slot->hash, hash, TOKEN_HASH_BYTES);
    slot->user_id = malloc(claims->user_id.size + 1);
    check(slot->user_id != NULL);
    memcpy(slot->user_id, claims->user_id.data, claims->user_id.size);
    slot->user_id_size = claims->user_id.size;
    slot->scopes = claims->scopes;
    slot->issued_s = claims->issued_s;
    slot->expires_s = claims->expires_s;
}

/* A token is void when its identity is gone, or when it was issued before the revocation and the grace is over. */
static int identity_check(struct gateway_worker *worker, struct arena *arena, const struct caller *caller,
                          int64_t now_s) {
    struct gateway_read read;
    struct user_store store;
    struct user_row row;
    int64_t grace_s = worker->gateway->config->token_revocation_grace_s;
    int rc = gateway_read_begin(worker, arena, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = user_store_open(&store, read.context.transaction, arena, read.context.master, &caller->hash);
    if (rc == STATUS_OK)
        rc = user_row_get(&store, &row);
    gateway_read_end(&read);
    if (rc == STATUS_STORE_MISSING)
        return STATUS_TOKEN_REVOKED;
    if (rc != STATUS_OK)
        return rc;
    /* A revocation is dated a second ahead (identity_api.c). */
    bool is_in_grace = grace_s > 0 && now_s < row.valid_from_s - 1 + grace_s;
    return caller->token_issued_s < row.valid_from_s && !is_in_grace ? STATUS_TOKEN_REVOKED : STATUS_OK;
}

int authenticate_token(struct gateway_worker *worker, struct arena *arena, struct bytes token, struct caller *caller,
                       struct problem *problem) {
    struct gateway *gateway = worker->gateway;
    struct token_claims claims = {0};
    uint8_t hash[TOKEN_HASH_BYTES];
    int64_t now_s = worker_wall_ms() / 1000;
    if (!bytes_is_present(token) || token.size == 0)
        return problem_set(problem, arena, STATUS_UNAUTHORIZED, NULL, "The access token is missing.");
    if (token.size > TOKEN_BYTES_MAX)
        return problem_set(problem, arena, STATUS_UNAUTHORIZED, NULL,
                           "The access token has %zu bytes; the limit is %d.", token.size, TOKEN_BYTES_MAX);
    crypto_generichash(hash, sizeof(hash), token.data, token.size, NULL, 0);
    int rc = STATUS_OK;
    if (!cache_find(worker->tokens, hash, arena, &claims)) {
        rc = token_verify(arena, &gateway->token_key, 1, bytes_of_text(gateway->settings->resource_id), token, now_s,
                          &claims);
        if (rc == STATUS_OK)
            cache_put(worker->tokens, hash, &claims);
    }
    if (rc == STATUS_OK && claims.expires_s <= now_s)
        rc = STATUS_TOKEN_EXPIRED;
    if (rc != STATUS_OK)
        return problem_set(problem, arena, rc, NULL, "%s", status_sentence(rc));
    *caller = (struct caller){.user_id = claims.user_id,
                              .hash = gateway_hash(gateway, claims.user_id),
                              .scopes = claims.scopes,
                              .token_issued_s = claims.issued_s,
                              .token_expires_s = claims.expires_s};
    rc = identity_check(worker, arena, caller, now_s);
    return rc == STATUS_OK ? rc : problem_set(problem, arena, rc, NULL, "%s", status_sentence(rc));
}

/* What follows "<scheme> " in an Authorization header; absent when it has another scheme. */
static struct bytes credentials_of(struct bytes header, const char *scheme) {
    size_t size = strlen(scheme);
    if (header.size <= size || header.data[size] != ' ')
        return BYTES_ABSENT;
    for (size_t i = 0; i < size; i++)
        if ((header.data[i] | 0x20) != (scheme[i] | 0x20))
            return BYTES_ABSENT;
    struct bytes rest = bytes_of(header.data + size + 1, header.size - size - 1);
    while (rest.size > 0 && rest.data[0] == ' ')
        rest = bytes_of(rest.data + 1, rest.size - 1);
    return rest;
}

int authenticate_call(struct gateway_worker *worker, struct http_call *call, const char *header, struct caller *caller,
                      struct problem *problem) {
    struct bytes value = http_call_find_header(call, header);
    struct bytes token = strcmp(header, "authorization") == 0 ? credentials_of(value, "bearer") : value;
    return authenticate_token(worker, &call->arena, token, caller, problem);
}

int authenticate_access_key(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    const char *reason = "";
    struct signed_request request = {.method = call->method,
                                     .target = call->raw_target,
                                     .authorization = http_call_find_header(call, "authorization"),
                                     .date = http_call_find_header(call, "x-ms-date"),
                                     .host = call->host,
                                     .content_sha256 = http_call_find_header(call, "x-ms-content-sha256"),
                                     .body = call->body};
    /* Some clients may only set Date; the signature names x-ms-date, so Date alone is not enough (contract 2.1). */
    int rc = access_key_verify(&worker->gateway->access_keys, &request, worker_wall_ms(),
                               worker->gateway->config->hmac_skew_ms, &reason);
    return rc == STATUS_OK ? rc : problem_set(problem, &call->arena, rc, NULL, "%s", reason);
}

int authenticate_admin(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    struct bytes token = credentials_of(http_call_find_header(call, "authorization"), "bearer");
    struct bytes wanted = worker->gateway->settings->admin_token;
    if (bytes_is_present(token) && token.size == wanted.size &&
        sodium_memcmp(token.data, wanted.data, wanted.size) == 0)
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_UNAUTHORIZED, NULL, "The admin token is missing or wrong.");
}
