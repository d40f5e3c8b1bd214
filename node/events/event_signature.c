#include "node/events/event_signature.h"

#include <inttypes.h>
#include <sodium.h>

#include "proto/check.h"

#define MADE_BYTES 32
#define SIGNATURE_TEXT_BYTES 45 /* base64 of 32 bytes, and the NUL */

bool event_secret_parse(struct bytes text, struct event_secret *secret) {
    size_t prefix = strlen(EVENT_SECRET_PREFIX);
    const char *end = NULL;
    if (!bytes_starts_with(text, EVENT_SECRET_PREFIX))
        return false;
    const char *encoded = (const char *)text.data + prefix;
    if (sodium_base642bin(secret->bytes, sizeof(secret->bytes), encoded, text.size - prefix, NULL, &secret->size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    return end == encoded + text.size - prefix && secret->size >= EVENT_SECRET_BYTES_MIN;
}

struct bytes event_secret_format(const struct event_secret *secret, struct arena *arena) {
    char text[sodium_base64_ENCODED_LEN(EVENT_SECRET_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof(text), secret->bytes, secret->size, sodium_base64_VARIANT_ORIGINAL);
    return arena_printf(arena, "%s%s", EVENT_SECRET_PREFIX, text);
}

void event_secret_make(struct event_secret *secret) {
    secret->size = MADE_BYTES;
    randombytes_buf(secret->bytes, secret->size);
}

static void sign(const struct event_secret *secret, struct bytes before, struct bytes body,
                 char text[SIGNATURE_TEXT_BYTES]) {
    uint8_t signature[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret->bytes, secret->size);
    crypto_auth_hmacsha256_update(&state, before.data, before.size);
    crypto_auth_hmacsha256_update(&state, body.data, body.size);
    crypto_auth_hmacsha256_final(&state, signature);
    sodium_bin2base64(text, SIGNATURE_TEXT_BYTES, signature, sizeof(signature), sodium_base64_VARIANT_ORIGINAL);
}

struct bytes event_signature(const struct event_secret *secrets, size_t secrets_count, struct bytes id, int64_t time_s,
                             struct bytes body, struct arena *arena) {
    struct bytes before = arena_printf(arena, "%.*s.%" PRId64 ".", BYTES_ARG(id), time_s);
    struct bytes all = BYTES_LITERAL("");
    check(memchr(id.data, '.', id.size) == NULL);
    for (size_t i = 0; i < secrets_count; i++) {
        char text[SIGNATURE_TEXT_BYTES];
        sign(&secrets[i], before, body, text);
        all = arena_printf(arena, "%.*s%sv1,%s", BYTES_ARG(all), i == 0 ? "" : " ", text);
    }
    return all;
}
