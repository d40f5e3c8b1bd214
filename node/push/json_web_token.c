#include "node/push/json_web_token.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#include "proto/check.h"
#include "proto/json_tree.h"

struct bytes base64url_encode(struct bytes value, struct arena *arena) {
    size_t size = sodium_base64_encoded_len(value.size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = arena_alloc(arena, size);
    sodium_bin2base64(text, size, value.data, value.size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return bytes_of(text, size - 1);
}

static struct bytes signed_part(const char *algorithm, struct bytes key_id, json_t *claims, struct arena *arena) {
    json_t *header = json_object_new();
    json_text_set(header, "typ", BYTES_LITERAL("JWT"));
    json_text_set(header, "alg", bytes_of_text(algorithm));
    json_text_set_present(header, "kid", key_id);
    struct bytes first = base64url_encode(json_text_take(arena, header), arena);
    struct bytes second = base64url_encode(json_text_take(arena, claims), arena);
    return arena_printf(arena, "%.*s.%.*s", BYTES_ARG(first), BYTES_ARG(second));
}

static struct bytes joined(struct bytes part, struct bytes signature, struct arena *arena) {
    struct bytes last = base64url_encode(signature, arena);
    return arena_printf(arena, "%.*s.%.*s", BYTES_ARG(part), BYTES_ARG(last));
}

struct bytes json_web_token_es256(const struct elliptic_key *key, struct bytes key_id, json_t *claims,
                                  struct arena *arena) {
    uint8_t signature[ELLIPTIC_SIGNATURE_BYTES];
    struct bytes part = signed_part("ES256", key_id, claims, arena);
    elliptic_sign(key, part, signature);
    return joined(part, bytes_of(signature, sizeof(signature)), arena);
}

struct bytes json_web_token_rs256(struct bytes pem, struct bytes key_id, json_t *claims, struct arena *arena) {
    struct bytes part = signed_part("RS256", key_id, claims, arena);
    BIO *source = BIO_new_mem_buf(pem.data, (int)pem.size);
    check(source != NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
    BIO_free(source);
    if (key == NULL || EVP_PKEY_is_a(key, "RSA") != 1) {
        EVP_PKEY_free(key);
        return BYTES_ABSENT;
    }
    size_t size = (size_t)EVP_PKEY_get_size(key);
    uint8_t *signature = arena_alloc(arena, size);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    check(EVP_DigestSign(context, signature, &size, part.data, part.size) == 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return joined(part, bytes_of(signature, size), arena);
}
