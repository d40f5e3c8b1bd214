#include "node/gateway/authentication.h"

#include <sodium.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"

/* Verified signatures of one worker: direct-mapped by the token's hash, so that it needs no eviction and no bound of
 * its own. A verification costs as much CPU as telling ten participants. */
#define TOKEN_CACHE_SLOTS 4096
#define TOKEN_BYTES_MAX 4096
#define FACT_KEPT_MS_MAX 10000

struct token_slot {
    uint8_t hash[TOKEN_HASH_BYTES]; /* all zero: empty */
    uint8_t *user_id;
    size_t user_id_size;
    unsigned scopes;
    int64_t issued_s;
    int64_t expires_s;
    uint64_t fact_until_ms; /* how long the rest counts, which another node said of the user */
    int64_t valid_from_s;
    bool is_user_there;
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
    slot->fact_until_ms = 0;
}

/* ---- what the user's range says ---- */

/* A token is void when its identity is gone, or when it was issued before the revocation and the grace is over. */
static int fact_check(const struct gateway *gateway, const struct caller *caller, const struct fact *fact) {
    int64_t grace_s = gateway->config->token_revocation_grace_s;
    int64_t now_s = worker_wall_ms() / 1000;
    if (!fact->is_there)
        return STATUS_TOKEN_REVOKED;
    /* A revocation is dated a second ahead (identity_api.c). */
    bool is_in_grace = grace_s > 0 && now_s < fact->valid_from_s - 1 + grace_s;
    return caller->token_issued_s < fact->valid_from_s && !is_in_grace ? STATUS_TOKEN_REVOKED : STATUS_OK;
}

static int fact_read(struct gateway_worker *worker, struct arena *arena, const struct id_hash *user,
                     struct fact *fact) {
    struct question_subject subject = {*user};
    struct question question = {.kind = QUESTION_USERS, .subjects = &subject, .subjects_count = 1};
    return facts_read(worker, arena, &question, fact);
}

/* What another node said may be old by as much as a revocation may be late. */
static uint64_t fact_kept_ms(const struct gateway *gateway) {
    int64_t grace_ms = gateway->config->token_revocation_grace_s * 1000;
    return grace_ms < FACT_KEPT_MS_MAX ? (uint64_t)grace_ms : FACT_KEPT_MS_MAX;
}

static bool fact_find(const struct authentication *self, struct fact *fact) {
    const struct token_slot *slot = slot_of(self->worker->tokens, self->token_hash);
    if (memcmp(slot->hash, self->token_hash, TOKEN_HASH_BYTES) != 0 ||
        worker_now_ms(self->worker->worker) >= slot->fact_until_ms)
        return false;
    *fact = (struct fact){.is_there = slot->is_user_there, .valid_from_s = slot->valid_from_s};
    return true;
}

static void fact_keep(struct authentication *self, const struct fact *fact) {
    struct token_slot *slot = slot_of(self->worker->tokens, self->token_hash);
    if (memcmp(slot->hash, self->token_hash, TOKEN_HASH_BYTES) != 0)
        return;
    slot->is_user_there = fact->is_there;
    slot->valid_from_s = fact->valid_from_s;
    slot->fact_until_ms = self->asked_ms + fact_kept_ms(self->worker->gateway);
}

static int problem_of(struct authentication *self, int rc) {
    return rc == STATUS_OK ? rc : problem_set(&self->problem, self->arena, rc, NULL, "%s", status_sentence(rc));
}

static void on_fact(struct facts *facts, int rc) {
    struct authentication *self = facts->context;
    if (rc == STATUS_OK) {
        fact_keep(self, &facts->items[0]);
        rc = fact_check(self->worker->gateway, &self->caller, &facts->items[0]);
    } else {
        rc = STATUS_SERVICE_UNAVAILABLE;
    }
    self->on_done(self, problem_of(self, rc));
}

static int fact_ask(struct authentication *self) {
    self->asked_ms = worker_now_ms(self->worker->worker);
    self->facts = (struct facts){.worker = self->worker,
                                 .arena = self->arena,
                                 .kind = QUESTION_USERS,
                                 .subjects = &self->caller.hash,
                                 .count = 1,
                                 .deadline_ms = self->deadline_ms,
                                 .context = self,
                                 .on_done = on_fact};
    int rc = facts_ask(&self->facts);
    return rc == STATUS_OK ? AUTHENTICATION_WAITS : rc;
}

static int identity_check(struct authentication *self) {
    struct fact fact;
    int rc = fact_read(self->worker, self->arena, &self->caller.hash, &fact);
    if (rc == STATUS_NOT_PRIMARY)
        rc = fact_find(self, &fact) ? STATUS_OK : fact_ask(self);
    return rc == STATUS_OK ? fact_check(self->worker->gateway, &self->caller, &fact) : rc;
}

/* ---- what the token says ---- */

static int token_check(struct authentication *self, struct bytes token) {
    struct gateway *gateway = self->worker->gateway;
    struct token_claims claims = {0};
    int64_t now_s = worker_wall_ms() / 1000;
    int rc = STATUS_OK;
    crypto_generichash(self->token_hash, TOKEN_HASH_BYTES, token.data, token.size, NULL, 0);
    if (!cache_find(self->worker->tokens, self->token_hash, self->arena, &claims)) {
        rc = token_verify(self->arena, &gateway->token_key, 1, bytes_of_text(gateway->settings->resource_id), token,
                          now_s, &claims);
        if (rc == STATUS_OK)
            cache_put(self->worker->tokens, self->token_hash, &claims);
    }
    if (rc == STATUS_OK && claims.expires_s <= now_s)
        rc = STATUS_TOKEN_EXPIRED;
    if (rc == STATUS_OK)
        self->caller = (struct caller){.user_id = claims.user_id,
                                       .hash = gateway_hash(gateway, claims.user_id),
                                       .scopes = claims.scopes,
                                       .token_issued_s = claims.issued_s,
                                       .token_expires_s = claims.expires_s};
    return rc;
}

int authenticate_token(struct authentication *self, struct bytes token) {
    if (!bytes_is_present(token) || token.size == 0)
        return problem_set(&self->problem, self->arena, STATUS_UNAUTHORIZED, NULL, "The access token is missing.");
    if (token.size > TOKEN_BYTES_MAX)
        return problem_set(&self->problem, self->arena, STATUS_UNAUTHORIZED, NULL,
                           "The access token has %zu bytes; the limit is %d.", token.size, TOKEN_BYTES_MAX);
    int rc = token_check(self, token);
    if (rc == STATUS_OK)
        rc = identity_check(self);
    return rc == AUTHENTICATION_WAITS ? rc : problem_of(self, rc);
}

int authenticate_user(struct authentication *self) {
    /* No token has this hash, so what is remembered of tokens stays out of it. */
    crypto_generichash(self->token_hash, TOKEN_HASH_BYTES, self->caller.user_id.data, self->caller.user_id.size, NULL,
                       0);
    int rc = identity_check(self);
    return rc == AUTHENTICATION_WAITS ? rc : problem_of(self, rc);
}

void authentication_cancel(struct authentication *self) {
    facts_cancel(&self->facts);
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

int authenticate_call(struct authentication *self, struct http_call *call, const char *header) {
    struct bytes value = http_call_find_header(call, header);
    return authenticate_token(self, strcmp(header, "authorization") == 0 ? credentials_of(value, "bearer") : value);
}

int authenticate_bridge(struct gateway_worker *worker, struct http_call *call, struct bytes bridge,
                        struct bytes acting_as, struct problem *problem) {
    const char *reason = "";
    struct signed_request request = {.method = call->method,
                                     .target = call->raw_target,
                                     .authorization = http_call_find_header(call, "authorization"),
                                     .date = http_call_find_header(call, "x-ms-date"),
                                     .host = call->host,
                                     .content_sha256 = http_call_find_header(call, "x-ms-content-sha256"),
                                     .bridge = bridge,
                                     .acting_as = acting_as,
                                     .body = call->body};
    /* Some clients may only set Date; the signature names x-ms-date, so Date alone is not enough (contract 2.1). */
    int rc = access_key_verify(&worker->gateway->access_keys, &request, worker_wall_ms(),
                               worker->gateway->config->hmac_skew_ms, &reason);
    return rc == STATUS_OK ? rc : problem_set(problem, &call->arena, rc, NULL, "%s", reason);
}

int authenticate_access_key(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    return authenticate_bridge(worker, call, BYTES_ABSENT, BYTES_ABSENT, problem);
}

int authenticate_admin(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    struct bytes token = credentials_of(http_call_find_header(call, "authorization"), "bearer");
    struct bytes wanted = worker->gateway->settings->admin_token;
    if (bytes_is_present(token) && token.size == wanted.size &&
        sodium_memcmp(token.data, wanted.data, wanted.size) == 0)
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_UNAUTHORIZED, NULL, "The admin token is missing or wrong.");
}
