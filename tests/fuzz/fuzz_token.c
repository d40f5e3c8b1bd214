/* A token that was not minted here never verifies, whatever its bytes; one that verifies, because this file signed any
 * header or payload with the right key, has claims that can be minted and verified again. */
#include <sodium.h>
#include <stdlib.h>

#include "proto/token.h"

#define RESOURCE "r"
#define NOW_S 1767323045
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static struct bytes base64(struct arena *arena, struct bytes value) {
    size_t size = sodium_base64_encoded_len(value.size, BASE64_VARIANT);
    char *text = arena_alloc(arena, size);
    sodium_bin2base64(text, size, value.data, value.size, BASE64_VARIANT);
    return bytes_of(text, size - 1);
}

static struct bytes token_signed(struct arena *arena, const struct token_key *key, struct bytes header,
                                 struct bytes payload) {
    struct bytes header_text = base64(arena, header);
    struct bytes payload_text = base64(arena, payload);
    struct bytes text = arena_printf(arena, "%.*s.%.*s", BYTES_ARG(header_text), BYTES_ARG(payload_text));
    uint8_t signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, text.data, text.size, key->secret_key);
    struct bytes signature_text = base64(arena, bytes_of(signature, sizeof(signature)));
    return arena_printf(arena, "%.*s.%.*s", BYTES_ARG(text), BYTES_ARG(signature_text));
}

static int verify(struct arena *arena, const struct token_key *key, struct bytes token, struct token_claims *claims) {
    return token_verify(arena, key, 1, BYTES_LITERAL(RESOURCE), token, NOW_S, claims);
}

static void expect_again(struct arena *arena, const struct token_key *key, const struct token_claims *claims) {
    struct token_claims again;
    EXPECT(claims->expires_s > NOW_S && claims->issued_s >= 0 && claims->scopes != 0);
    EXPECT(verify(arena, key, token_mint(arena, key, claims), &again) == 0);
    EXPECT(bytes_equal(again.user_id, claims->user_id) && bytes_equal(again.resource_id, claims->resource_id));
    EXPECT(again.scopes == claims->scopes && again.issued_s == claims->issued_s &&
           again.expires_s == claims->expires_s);
}

static void run(struct arena *arena, const struct token_key *key, uint8_t mode, struct bytes input) {
    struct bytes header = arena_printf(arena, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", key->key_id);
    struct bytes payload = BYTES_LITERAL("{\"skypeid\":\"acs:" RESOURCE "_u\",\"resourceId\":\"" RESOURCE
                                         "\",\"acsScope\":\"chat\",\"exp\":1767323046,\"iat\":0}");
    struct token_claims claims;
    if (mode % 3 == 0)
        EXPECT(verify(arena, key, input, &claims) < 0);
    else if (verify(arena, key,
                    mode % 3 == 1 ? token_signed(arena, key, header, input) : token_signed(arena, key, input, payload),
                    &claims) == 0)
        expect_again(arena, key, &claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t seed[TOKEN_SEED_BYTES] = {1};
    struct token_key key;
    struct arena arena;
    if (size == 0 || sodium_init() < 0)
        return 0;
    token_key_from_seed(&key, seed);
    arena_init(&arena);
    run(&arena, &key, data[0], bytes_of(data + 1, size - 1));
    arena_close(&arena);
    return 0;
}
