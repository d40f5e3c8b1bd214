#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "proto/status.h"
#include "proto/token.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RESOURCE "11111111-2222-3333-4444-555555555555"
#define USER_ID "8:acs:" RESOURCE "_00000010-aaaa-bbbb-cccc-000000000001"
#define SKYPE_ID "acs:" RESOURCE "_00000010-aaaa-bbbb-cccc-000000000001"
#define NOW_S 1767323045
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

struct fixture {
    struct arena arena;
    struct token_key key;
};

static int open_fixture(void **state) {
    static struct fixture fixture;
    const uint8_t seed[TOKEN_SEED_BYTES] = {1, 2, 3};
    arena_init(&fixture.arena);
    token_key_from_seed(&fixture.key, seed);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    arena_close(&fixture->arena);
    return 0;
}

static const struct token_claims claims_of_a_day = {.user_id = {(const uint8_t *)USER_ID, sizeof(USER_ID) - 1},
                                                    .resource_id = {(const uint8_t *)RESOURCE, sizeof(RESOURCE) - 1},
                                                    .scopes = TOKEN_SCOPE_CHAT | TOKEN_SCOPE_VOIP,
                                                    .issued_s = NOW_S,
                                                    .expires_s = NOW_S + 86400};

static int verify_at(struct fixture *fixture, struct bytes token, int64_t now_s, struct token_claims *claims) {
    return token_verify(&fixture->arena, &fixture->key, 1, BYTES_LITERAL(RESOURCE), token, now_s, claims);
}

static int verify(struct fixture *fixture, struct bytes token) {
    struct token_claims claims;
    return verify_at(fixture, token, NOW_S, &claims);
}

static struct bytes base64(struct arena *arena, struct bytes value) {
    size_t size = sodium_base64_encoded_len(value.size, BASE64_VARIANT);
    char *text = arena_alloc(arena, size);
    sodium_bin2base64(text, size, value.data, value.size, BASE64_VARIANT);
    return bytes_of(text, size - 1);
}

/* A token with any header and payload, correctly signed by the fixture's key. */
static struct bytes token_signed(struct fixture *fixture, struct bytes header, struct bytes payload) {
    struct arena *arena = &fixture->arena;
    struct bytes header_text = base64(arena, header);
    struct bytes payload_text = base64(arena, payload);
    struct bytes text = arena_printf(arena, "%.*s.%.*s", BYTES_ARG(header_text), BYTES_ARG(payload_text));
    uint8_t signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, text.data, text.size, fixture->key.secret_key);
    struct bytes signature_text = base64(arena, bytes_of(signature, sizeof(signature)));
    return arena_printf(arena, "%.*s.%.*s", BYTES_ARG(text), BYTES_ARG(signature_text));
}

static struct bytes header_of(struct fixture *fixture) {
    return arena_printf(&fixture->arena, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}", fixture->key.key_id);
}

static struct bytes token_part(struct arena *arena, struct bytes token, unsigned index) {
    const uint8_t *start = token.data;
    for (; index > 0; index--)
        start = (const uint8_t *)memchr(start, '.', (size_t)(token.data + token.size - start)) + 1;
    const uint8_t *end = memchr(start, '.', (size_t)(token.data + token.size - start));
    size_t size = (size_t)((end == NULL ? token.data + token.size : end) - start);
    uint8_t *value = arena_alloc(arena, size + 1);
    size_t value_size;
    assert_int_equal(sodium_base642bin(value, size, (const char *)start, size, NULL, &value_size, NULL, BASE64_VARIANT),
                     0);
    return bytes_of(value, value_size);
}

static void a_minted_token_has_the_claims_of_the_contract(void **state) {
    struct fixture *fixture = *state;
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    assert_true(bytes_equal(token_part(&fixture->arena, token, 0), header_of(fixture)));
    assert_true(bytes_equal_text(token_part(&fixture->arena, token, 1),
                                 "{\"skypeid\":\"" SKYPE_ID "\",\"scp\":1792,\"csi\":\"1767323045\",\"exp\":1767409445,"
                                 "\"iat\":1767323045,\"acsScope\":\"chat,voip\",\"resourceId\":\"" RESOURCE
                                 "\",\"resourceLocation\":\"weft\"}"));
    assert_int_equal(token_part(&fixture->arena, token, 2).size, crypto_sign_BYTES);
}

static void a_minted_token_is_verified_and_its_claims_come_back(void **state) {
    struct fixture *fixture = *state;
    for (unsigned scopes = 1; scopes < 32; scopes++) {
        struct token_claims minted = claims_of_a_day;
        struct token_claims claims;
        minted.scopes = scopes;
        struct bytes token = token_mint(&fixture->arena, &fixture->key, &minted);
        assert_int_equal(verify_at(fixture, token, NOW_S, &claims), 0);
        assert_true(bytes_equal_text(claims.user_id, USER_ID));
        assert_true(bytes_equal_text(claims.resource_id, RESOURCE));
        assert_int_equal(claims.scopes, scopes);
        assert_int_equal(claims.issued_s, NOW_S);
        assert_int_equal(claims.expires_s, NOW_S + 86400);
    }
}

static void a_token_expires_at_its_second(void **state) {
    struct fixture *fixture = *state;
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    struct token_claims claims;
    assert_int_equal(verify_at(fixture, token, NOW_S + 86399, &claims), 0);
    assert_int_equal(verify_at(fixture, token, NOW_S + 86400, &claims), STATUS_TOKEN_EXPIRED);
}

static void any_of_several_keys_verifies(void **state) {
    struct fixture *fixture = *state;
    struct token_key keys[2];
    struct token_claims claims;
    const uint8_t other_seed[TOKEN_SEED_BYTES] = {9};
    token_key_from_seed(&keys[0], other_seed);
    keys[1] = fixture->key;
    memset(keys[1].secret_key, 0, sizeof(keys[1].secret_key));
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    assert_int_equal(token_verify(&fixture->arena, keys, 2, BYTES_LITERAL(RESOURCE), token, NOW_S, &claims), 0);
    assert_int_equal(token_verify(&fixture->arena, keys, 1, BYTES_LITERAL(RESOURCE), token, NOW_S, &claims),
                     STATUS_UNAUTHORIZED);
    assert_int_equal(token_verify(&fixture->arena, keys, 0, BYTES_LITERAL(RESOURCE), token, NOW_S, &claims),
                     STATUS_UNAUTHORIZED);
}

static void another_key_with_the_same_id_does_not_verify(void **state) {
    struct fixture *fixture = *state;
    struct token_key other;
    struct token_claims claims;
    const uint8_t other_seed[TOKEN_SEED_BYTES] = {9};
    token_key_from_seed(&other, other_seed);
    assert_string_not_equal(other.key_id, fixture->key.key_id);
    memcpy(other.key_id, fixture->key.key_id, sizeof(other.key_id));
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    assert_int_equal(token_verify(&fixture->arena, &other, 1, BYTES_LITERAL(RESOURCE), token, NOW_S, &claims),
                     STATUS_UNAUTHORIZED);
}

static void every_changed_byte_voids_a_token(void **state) {
    struct fixture *fixture = *state;
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    uint8_t *changed = (uint8_t *)arena_text(&fixture->arena, token);
    for (size_t i = 0; i < token.size; i++) {
        changed[i] = token.data[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(fixture, bytes_of(changed, token.size)), STATUS_UNAUTHORIZED);
        changed[i] = token.data[i];
    }
    for (size_t size = 0; size < token.size; size++)
        assert_int_equal(verify(fixture, bytes_of(token.data, size)), STATUS_UNAUTHORIZED);
    assert_int_equal(verify(fixture, bytes_of(changed, token.size)), 0);
}

static void a_token_of_another_resource_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct bytes token = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    struct token_claims claims;
    struct bytes other = BYTES_LITERAL("21111111-2222-3333-4444-555555555555");
    assert_int_equal(token_verify(&fixture->arena, &fixture->key, 1, other, token, NOW_S, &claims),
                     STATUS_UNAUTHORIZED);
}

static void headers_other_than_ours_are_refused_even_when_signed(void **state) {
    struct fixture *fixture = *state;
    struct bytes payload = token_part(&fixture->arena, token_mint(&fixture->arena, &fixture->key, &claims_of_a_day), 1);
    assert_int_equal(verify(fixture, token_signed(fixture, header_of(fixture), payload)), 0);
    const char *formats[] = {
        "{\"alg\":\"none\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"kid\":\"%s\"}",
        "{\"alg\":\"eddsa\",\"kid\":\"%s\"}",
        "{\"alg\":[\"EdDSA\"],\"kid\":\"%s\"}",
        "{\"alg\":null,\"kid\":\"%s\"}",
        "{\"kid\":\"%s\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s0\"}",
        "{\"alg\":\"EdDSA\",\"key\":\"%s\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"EdDSA\",\"kid\":\"%s\"",
        "[\"EdDSA\",\"%s\"]",
        "%s",
    };
    for (size_t i = 0; i < COUNT(formats); i++) {
        char header[200];
        int size = snprintf(header, sizeof(header), formats[i], fixture->key.key_id);
        assert_int_equal(verify(fixture, token_signed(fixture, bytes_of(header, (size_t)size), payload)),
                         STATUS_UNAUTHORIZED);
    }
}

#define CLAIMS_BUT_TIMES "\"skypeid\":\"" SKYPE_ID "\",\"acsScope\":\"chat\",\"resourceId\":\"" RESOURCE "\""
#define CLAIMS_BUT_TEXTS "\"exp\":1767409445,\"iat\":1767323045"

static void a_missing_or_wrong_claim_voids_a_token(void **state) {
    struct fixture *fixture = *state;
    const struct {
        struct bytes payload;
        int rc;
    } rows[] = {
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES "," CLAIMS_BUT_TEXTS "}"), 0},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":253402300799,\"iat\":0}"), 0},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":1767409445}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":\"1767409445\",\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":1767409445.5,\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":1e300,\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":253402300800,\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":9223372036854775807,\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":99999999999999999999,\"iat\":1767323045}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TIMES ",\"exp\":1767409445,\"iat\":-1}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"acsScope\":\"chat\",\"resourceId\":\"" RESOURCE "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID "\",\"resourceId\":\"" RESOURCE "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID "\",\"acsScope\":\"chat\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID "\",\"acsScope\":\"\",\"resourceId\":\"" RESOURCE
                       "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID
                       "\",\"acsScope\":[\"chat\"],\"resourceId\":\"" RESOURCE "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID
                       "\\u0000x\",\"acsScope\":\"chat\",\"resourceId\":\"" RESOURCE "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"acs:other_user\",\"acsScope\":\"chat\",\"resourceId\":"
                       "\"" RESOURCE "\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID
                       "\",\"acsScope\":\"chat\",\"resourceId\":\"other\"}"),
         STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("{}"), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL(""), STATUS_UNAUTHORIZED},
        {BYTES_LITERAL("null"), STATUS_UNAUTHORIZED},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(verify(fixture, token_signed(fixture, header_of(fixture), rows[i].payload)), rows[i].rc);
}

static void unknown_scopes_beside_known_ones_are_skipped(void **state) {
    struct fixture *fixture = *state;
    struct token_claims claims;
    struct bytes payload = BYTES_LITERAL("{" CLAIMS_BUT_TEXTS ",\"skypeid\":\"" SKYPE_ID
                                         "\",\"acsScope\":\"future,chat.join,,voip\",\"resourceId\":\"" RESOURCE "\"}");
    assert_int_equal(verify_at(fixture, token_signed(fixture, header_of(fixture), payload), NOW_S, &claims), 0);
    assert_int_equal(claims.scopes, TOKEN_SCOPE_CHAT_JOIN | TOKEN_SCOPE_VOIP);
}

static void what_is_no_token_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct bytes good = token_mint(&fixture->arena, &fixture->key, &claims_of_a_day);
    static uint8_t dots[100000];
    memset(dots, '.', sizeof(dots));
    static uint8_t letters[100000];
    memset(letters, 'A', sizeof(letters));
    const struct bytes texts[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("."),
        BYTES_LITERAL(".."),
        BYTES_LITERAL("a.b"),
        BYTES_LITERAL("e30.e30."),
        BYTES_LITERAL("not a token"),
        bytes_of(dots, sizeof(dots)),
        bytes_of(letters, sizeof(letters)),
        arena_printf(&fixture->arena, "%.*s=", BYTES_ARG(good)),
        arena_printf(&fixture->arena, "%.*s.", BYTES_ARG(good)),
        arena_printf(&fixture->arena, " %.*s", BYTES_ARG(good)),
        arena_printf(&fixture->arena, "%.*s\n", BYTES_ARG(good)),
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(verify(fixture, texts[i]), STATUS_UNAUTHORIZED);
}

static void scopes_have_the_names_of_the_contract(void **state) {
    (void)state;
    assert_int_equal(token_scope_parse(BYTES_LITERAL("chat")), TOKEN_SCOPE_CHAT);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("chat.join")), TOKEN_SCOPE_CHAT_JOIN);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("chat.join.limited")), TOKEN_SCOPE_CHAT_JOIN_LIMITED);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("voip")), TOKEN_SCOPE_VOIP);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("voip.join")), TOKEN_SCOPE_VOIP_JOIN);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("Chat")), 0);
    assert_int_equal(token_scope_parse(BYTES_LITERAL("chat ")), 0);
    assert_int_equal(token_scope_parse(BYTES_ABSENT), 0);
}

/* The first test vector of RFC 8032, section 7.1. */
static void a_seed_gives_the_key_of_the_standard(void **state) {
    (void)state;
    struct token_key key;
    uint8_t seed[TOKEN_SEED_BYTES];
    uint8_t public_key[32];
    sodium_hex2bin(seed, sizeof(seed), "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", 64, NULL,
                   NULL, NULL);
    sodium_hex2bin(public_key, sizeof(public_key), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                   64, NULL, NULL, NULL);
    token_key_from_seed(&key, seed);
    assert_memory_equal(key.public_key, public_key, sizeof(public_key));
    assert_int_equal(strlen(key.key_id), TOKEN_KEY_ID_BYTES);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_minted_token_has_the_claims_of_the_contract),
        WITH_FIXTURE(a_minted_token_is_verified_and_its_claims_come_back),
        WITH_FIXTURE(a_token_expires_at_its_second),
        WITH_FIXTURE(any_of_several_keys_verifies),
        WITH_FIXTURE(another_key_with_the_same_id_does_not_verify),
        WITH_FIXTURE(every_changed_byte_voids_a_token),
        WITH_FIXTURE(a_token_of_another_resource_is_refused),
        WITH_FIXTURE(headers_other_than_ours_are_refused_even_when_signed),
        WITH_FIXTURE(a_missing_or_wrong_claim_voids_a_token),
        WITH_FIXTURE(unknown_scopes_beside_known_ones_are_skipped),
        WITH_FIXTURE(what_is_no_token_is_refused),
        cmocka_unit_test(scopes_have_the_names_of_the_contract),
        cmocka_unit_test(a_seed_gives_the_key_of_the_standard),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
