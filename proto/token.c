#include "proto/token.h"

#include <sodium.h>
#include <stdio.h>

#include "proto/check.h"
#include "proto/ids.h"
#include "proto/json_tree.h"
#include "proto/limits.h"

_Static_assert(TOKEN_SEED_BYTES == crypto_sign_SEEDBYTES, "a seed is an Ed25519 seed");

#define TOKEN_BYTES_MAX 4096 /* ours stay below 1 KB; bounds what a stranger makes us parse */
#define TEXT_BYTES_MAX 512   /* of one claim */
/* 9999-12-31T23:59:59Z: a time beyond it has no text, and its milliseconds need not fit. */
#define TIME_S_MAX 253402300799LL
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SCP 1792 /* the same in every user token of the original service (contract 2.3) */

static const struct {
    const char *name;
    enum token_scope scope;
} scopes[] = {{"chat", TOKEN_SCOPE_CHAT},
              {"chat.join", TOKEN_SCOPE_CHAT_JOIN},
              {"chat.join.limited", TOKEN_SCOPE_CHAT_JOIN_LIMITED},
              {"voip", TOKEN_SCOPE_VOIP},
              {"voip.join", TOKEN_SCOPE_VOIP_JOIN}};
#define SCOPES_COUNT (sizeof(scopes) / sizeof(scopes[0]))

unsigned token_scope_parse(struct bytes name) {
    for (size_t i = 0; i < SCOPES_COUNT; i++)
        if (bytes_equal_text(name, scopes[i].name))
            return scopes[i].scope;
    return 0;
}

void token_key_from_seed(struct token_key *key, const uint8_t seed[TOKEN_SEED_BYTES]) {
    uint8_t fingerprint[crypto_generichash_BYTES];
    check(crypto_sign_seed_keypair(key->public_key, key->secret_key, seed) == 0);
    check(crypto_generichash(fingerprint, sizeof(fingerprint), key->public_key, sizeof(key->public_key), NULL, 0) == 0);
    sodium_bin2hex(key->key_id, sizeof(key->key_id), fingerprint, TOKEN_KEY_ID_BYTES / 2);
}

static void append_base64(struct buffer *out, struct bytes value) {
    size_t size = sodium_base64_encoded_len(value.size, BASE64_VARIANT);
    sodium_bin2base64((char *)buffer_reserve(out, size), size, value.data, value.size, BASE64_VARIANT);
    buffer_added(out, size - 1);
}

/* Absent when `text` is not exactly base64url without padding. */
static struct bytes base64_decode(struct arena *arena, struct bytes text) {
    uint8_t *value = arena_alloc(arena, text.size);
    size_t size;
    if (sodium_base642bin(value, text.size, (const char *)text.data, text.size, NULL, &size, NULL, BASE64_VARIANT) != 0)
        return BYTES_ABSENT;
    return bytes_of(value, size);
}

static struct bytes scopes_format(struct arena *arena, unsigned set) {
    struct bytes text = BYTES_LITERAL("");
    for (size_t i = 0; i < SCOPES_COUNT; i++)
        if (set & scopes[i].scope)
            text = arena_printf(arena, "%.*s%s%s", BYTES_ARG(text), text.size == 0 ? "" : ",", scopes[i].name);
    return text;
}

/* Names that are not known are skipped: a newer node may grant what this one does not know. */
static unsigned scopes_parse(struct bytes text) {
    unsigned set = 0;
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != ',')
            continue;
        set |= token_scope_parse(bytes_of(text.data + start, i - start));
        start = i + 1;
    }
    return set;
}

static struct bytes header_encode(struct arena *arena, const struct token_key *key) {
    return arena_printf(arena, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->key_id);
}

static struct bytes payload_encode(struct arena *arena, const struct token_claims *claims) {
    struct bytes skype_id = bytes_of(claims->user_id.data + 2, claims->user_id.size - 2);
    json_t *payload = json_object_new();
    json_text_set(payload, "skypeid", skype_id);
    json_member_set(payload, "scp", json_integer(SCP));
    json_text_set(payload, "csi", arena_printf(arena, "%lld", (long long)claims->issued_s));
    json_member_set(payload, "exp", json_integer(claims->expires_s));
    json_member_set(payload, "iat", json_integer(claims->issued_s));
    json_text_set(payload, "acsScope", scopes_format(arena, claims->scopes));
    json_text_set(payload, "resourceId", claims->resource_id);
    json_text_set(payload, "resourceLocation", BYTES_LITERAL("weft"));
    return json_text_take(arena, payload);
}

struct bytes token_mint(struct arena *arena, const struct token_key *key, const struct token_claims *claims) {
    check(bytes_starts_with(claims->user_id, "8:"));
    check(!sodium_is_zero(key->secret_key, sizeof(key->secret_key)));
    uint8_t signature[crypto_sign_BYTES];
    struct buffer token;
    buffer_init(&token);
    append_base64(&token, header_encode(arena, key));
    buffer_append_text(&token, ".");
    append_base64(&token, payload_encode(arena, claims));
    check(crypto_sign_detached(signature, NULL, token.data, token.size, key->secret_key) == 0);
    buffer_append_text(&token, ".");
    append_base64(&token, bytes_of(signature, sizeof(signature)));
    struct bytes minted = arena_copy(arena, buffer_bytes(&token));
    buffer_close(&token);
    return minted;
}

struct token_parts {
    struct bytes header;
    struct bytes payload;
    struct bytes signature;
    struct bytes signed_text; /* header, dot and payload as they were sent */
};

static bool token_split(struct arena *arena, struct bytes token, struct token_parts *parts) {
    if (token.size == 0 || token.size > TOKEN_BYTES_MAX)
        return false;
    const uint8_t *end = token.data + token.size;
    const uint8_t *first_dot = memchr(token.data, '.', token.size);
    if (first_dot == NULL)
        return false;
    const uint8_t *second_dot = memchr(first_dot + 1, '.', (size_t)(end - first_dot - 1));
    if (second_dot == NULL)
        return false;
    /* A third dot is no base64url, so decoding refuses it. */
    parts->header = base64_decode(arena, bytes_of(token.data, (size_t)(first_dot - token.data)));
    parts->payload = base64_decode(arena, bytes_of(first_dot + 1, (size_t)(second_dot - first_dot - 1)));
    parts->signature = base64_decode(arena, bytes_of(second_dot + 1, (size_t)(end - second_dot - 1)));
    parts->signed_text = bytes_of(token.data, (size_t)(second_dot - token.data));
    return bytes_is_present(parts->header) && bytes_is_present(parts->payload) &&
           parts->signature.size == crypto_sign_BYTES;
}

static const struct token_key *token_key_find(const struct token_key *keys, size_t key_count, struct bytes key_id) {
    for (size_t i = 0; i < key_count; i++)
        if (bytes_equal_text(key_id, keys[i].key_id))
            return &keys[i];
    return NULL;
}

/* The key that the header names; NULL unless the header says EdDSA and asks for no extension (RFC 7515,
 * section 4.1.11). */
static const struct token_key *token_header_read(const struct json_reader *reader, struct bytes header,
                                                 const struct token_key *keys, size_t key_count) {
    json_t *root;
    if (json_body_load(reader, header, &root) != 0)
        return NULL;
    struct bytes algorithm;
    struct bytes key_id;
    const struct token_key *key = NULL;
    if (json_text_require(reader, root, "alg", TEXT_BYTES_MAX, &algorithm) == 0 &&
        json_text_require(reader, root, "kid", TEXT_BYTES_MAX, &key_id) == 0 && bytes_equal_text(algorithm, "EdDSA") &&
        json_object_get(root, "crit") == NULL)
        key = token_key_find(keys, key_count, key_id);
    json_decref(root);
    return key;
}

static bool token_time_read(const json_t *root, const char *name, int64_t *time_s) {
    const json_t *value = json_member_find(root, name);
    if (!json_is_integer(value))
        return false;
    *time_s = json_integer_value(value);
    return *time_s >= 0 && *time_s <= TIME_S_MAX;
}

static bool token_claims_read(const struct json_reader *reader, const json_t *root, struct token_claims *claims) {
    struct bytes skype_id;
    struct bytes scope_names;
    if (json_text_require(reader, root, "skypeid", TEXT_BYTES_MAX, &skype_id) != 0 ||
        json_text_require(reader, root, "resourceId", TEXT_BYTES_MAX, &claims->resource_id) != 0 ||
        json_text_require(reader, root, "acsScope", TEXT_BYTES_MAX, &scope_names) != 0 ||
        !token_time_read(root, "exp", &claims->expires_s) || !token_time_read(root, "iat", &claims->issued_s))
        return false;
    claims->user_id = arena_printf(reader->arena, "8:%.*s", BYTES_ARG(skype_id));
    claims->scopes = scopes_parse(scope_names);
    bool is_cut_at_nul = claims->user_id.size != skype_id.size + 2;
    return claims->scopes != 0 && !is_cut_at_nul;
}

static bool token_payload_read(const struct json_reader *reader, struct bytes payload, struct token_claims *claims) {
    json_t *root;
    if (json_body_load(reader, payload, &root) != 0)
        return false;
    bool is_complete = token_claims_read(reader, root, claims);
    json_decref(root);
    return is_complete;
}

int token_verify(struct arena *arena, const struct token_key *keys, size_t key_count, struct bytes resource_id,
                 struct bytes token, int64_t now_s, struct token_claims *claims) {
    struct problem ignored;
    struct json_reader reader = {arena, &ignored};
    struct token_parts parts;
    *claims = (struct token_claims){0};
    if (!token_split(arena, token, &parts))
        return STATUS_UNAUTHORIZED;
    const struct token_key *key = token_header_read(&reader, parts.header, keys, key_count);
    if (key == NULL || crypto_sign_verify_detached(parts.signature.data, parts.signed_text.data, parts.signed_text.size,
                                                   key->public_key) != 0)
        return STATUS_UNAUTHORIZED;
    struct token_claims read = {0};
    if (!token_payload_read(&reader, parts.payload, &read) || !bytes_equal(read.resource_id, resource_id) ||
        !user_id_is_of_resource(read.user_id, resource_id))
        return STATUS_UNAUTHORIZED;
    *claims = read;
    return now_s >= read.expires_s ? STATUS_TOKEN_EXPIRED : 0;
}
