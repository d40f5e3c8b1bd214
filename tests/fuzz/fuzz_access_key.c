/* A request whose fields are chance never verifies; the same request signed here always does. A connection string that
 * is read can be written and read again. */
#include <sodium.h>
#include <stdlib.h>

#include "proto/access_key.h"

#define NOW_MS 1767323045000
#define SKEW_MS 900000
#define HOST_BYTES_MAX 400

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

/* The bytes before the next 0xff, which is never part of UTF-8. */
static struct bytes take_field(struct bytes *rest) {
    size_t size = 0;
    while (size < rest->size && rest->data[size] != 0xff)
        size++;
    struct bytes field = bytes_of(rest->data, size);
    size_t consumed = size < rest->size ? size + 1 : size;
    *rest = bytes_of(rest->data + consumed, rest->size - consumed);
    return field;
}

static struct signed_request request_from(struct bytes rest) {
    struct signed_request request = {0};
    request.authorization = take_field(&rest);
    request.date = take_field(&rest);
    request.content_sha256 = take_field(&rest);
    request.host = take_field(&rest);
    request.method = take_field(&rest);
    request.target = take_field(&rest);
    request.body = rest;
    return request;
}

static void expect_forgery_refused_and_signature_accepted(struct arena *arena, struct bytes input) {
    const struct access_keys keys = {.primary = BYTES_LITERAL("primary"), .secondary = BYTES_LITERAL("secondary")};
    struct signed_request request = request_from(input);
    struct request_signature signature;
    const char *reason = NULL;
    EXPECT(access_key_verify(&keys, &request, NOW_MS, SKEW_MS, &reason) < 0 && reason != NULL);
    access_key_sign(arena, keys.secondary, request.method, request.target, request.host, request.body, NOW_MS,
                    &signature);
    request.authorization = signature.authorization;
    request.content_sha256 = signature.content_sha256;
    request.date = signature.date;
    int rc = access_key_verify(&keys, &request, NOW_MS, SKEW_MS, &reason);
    EXPECT((rc == 0) == (request.host.size <= HOST_BYTES_MAX));
}

static void expect_connection_string_again(struct arena *arena, struct bytes input) {
    struct bytes endpoint;
    struct bytes key;
    struct bytes endpoint_again;
    struct bytes key_again;
    if (!connection_string_parse(arena, input, &endpoint, &key))
        return;
    EXPECT(endpoint.size > 0 && endpoint.data[endpoint.size - 1] != '/' && key.size > 0);
    size_t size = sodium_base64_encoded_len(key.size, sodium_base64_VARIANT_ORIGINAL);
    char *key_text = arena_alloc(arena, size);
    sodium_bin2base64(key_text, size, key.data, key.size, sodium_base64_VARIANT_ORIGINAL);
    struct bytes text = arena_printf(arena, "accessKey=%s;Endpoint=%.*s/;", key_text, BYTES_ARG(endpoint));
    EXPECT(connection_string_parse(arena, text, &endpoint_again, &key_again));
    EXPECT(bytes_equal(endpoint, endpoint_again) && bytes_equal(key, key_again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    if (size == 0)
        return 0;
    arena_init(&arena);
    if (data[0] % 2 == 0)
        expect_forgery_refused_and_signature_accepted(&arena, bytes_of(data + 1, size - 1));
    else
        expect_connection_string_again(&arena, bytes_of(data + 1, size - 1));
    arena_close(&arena);
    return 0;
}
