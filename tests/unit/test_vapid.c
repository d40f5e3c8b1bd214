#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include "node/push/json_web_token.h"
#include "node/push/vapid.h"
#include "proto/check.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes decoded(struct arena *arena, struct bytes text) {
    uint8_t *bytes = arena_alloc(arena, text.size);
    size_t size;
    check(sodium_base642bin(bytes, text.size, (const char *)text.data, text.size, NULL, &size, NULL,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
    return bytes_of(bytes, size);
}

/* Up to the next `end`, which is taken too. */
static struct bytes next_part(struct bytes *text, char end) {
    const uint8_t *at = memchr(text->data, end, text->size);
    size_t size = at == NULL ? text->size : (size_t)(at - text->data);
    struct bytes part = bytes_of(text->data, size);
    size_t taken = size + (at != NULL);
    *text = bytes_of(text->data + taken, text->size - taken);
    return part;
}

static EVP_PKEY *public_key(struct bytes point) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.size);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(parts);
    check(EVP_PKEY_fromdata_init(context) == 1);
    check(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(parts);
    EVP_PKEY_CTX_free(context);
    return key;
}

static bool is_signed(struct bytes point, struct bytes message, struct bytes signature) {
    ECDSA_SIG *parts = ECDSA_SIG_new();
    uint8_t *der = NULL;
    check(signature.size == ELLIPTIC_SIGNATURE_BYTES);
    ECDSA_SIG_set0(parts, BN_bin2bn(signature.data, 32, NULL), BN_bin2bn(signature.data + 32, 32, NULL));
    int size = i2d_ECDSA_SIG(parts, &der);
    EVP_PKEY *key = public_key(point);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    bool is_valid = EVP_DigestVerify(context, der, (size_t)size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    ECDSA_SIG_free(parts);
    return is_valid;
}

static void a_push_service_can_tell_who_asks(void **state) {
    struct elliptic_key key;
    elliptic_make(&key);
    struct bytes value = vapid_authorization(&key, BYTES_LITERAL("https://push.example.net:8080/p/JzLQ3raZJfFB"),
                                             BYTES_LITERAL("mailto:push@example.com"), 1453480568, *state);
    assert_text(next_part(&value, '='), "vapid t");
    struct bytes token = next_part(&value, ',');
    assert_text(next_part(&value, '='), " k");
    struct bytes point = decoded(*state, value);
    assert_memory_equal(point.data, key.point, sizeof(key.point));

    struct bytes rest = token;
    struct bytes header = next_part(&rest, '.'), claims = next_part(&rest, '.');
    assert_text(decoded(*state, header), "{\"typ\":\"JWT\",\"alg\":\"ES256\"}");
    assert_text(decoded(*state, claims),
                "{\"aud\":\"https://push.example.net:8080\",\"exp\":1453523768,\"sub\":\"mailto:push@example.com\"}");
    struct bytes message = bytes_of(token.data, header.size + 1 + claims.size);
    assert_true(is_signed(point, message, decoded(*state, rest)));
    assert_false(is_signed(point, claims, decoded(*state, rest)));
}

static void the_origin_of_an_endpoint_ends_with_its_host(void **state) {
    static const struct {
        const char *url, *origin;
    } cases[] = {{"https://fcm.googleapis.com/fcm/send/abc", "https://fcm.googleapis.com"},
                 {"https://updates.example:444/wpush/v2/x", "https://updates.example:444"},
                 {"https://updates.example", "https://updates.example"},
                 {"https://updates.example?x", "https://updates.example"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_text(vapid_origin(bytes_of_text(cases[i].url)), cases[i].origin);
}

static void nobody_has_to_be_named(void **state) {
    struct elliptic_key key;
    elliptic_make(&key);
    struct bytes value =
        vapid_authorization(&key, BYTES_LITERAL("https://a.example/x"), BYTES_LITERAL(""), 100, *state);
    next_part(&value, '.');
    assert_text(decoded(*state, next_part(&value, '.')), "{\"aud\":\"https://a.example\",\"exp\":43300}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_push_service_can_tell_who_asks),
        TEST(the_origin_of_an_endpoint_ends_with_its_host),
        TEST(nobody_has_to_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
