#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sodium.h>

#include "node/push/json_web_token.h"
#include "node/push/web_push_encrypt.h"
#include "proto/check.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

/* RFC 8291, section 5 and appendix A. */
#define PLAIN "When I grow up, I want to be a watermelon"
#define OUR_SECRET "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
#define OUR_POINT "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
#define THEIR_POINT "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define SALT "DGv6ra1nlYgDCS1FRnbzlw"
#define AUTH "BTBZMqHH6r4Tts7J_aSIgg"
#define BODY                                                                                                           \
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl" \
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"

static struct bytes decoded(struct arena *arena, const char *text) {
    uint8_t *bytes = arena_alloc(arena, strlen(text));
    size_t size;
    check(sodium_base642bin(bytes, strlen(text), text, strlen(text), NULL, &size, NULL,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
    return bytes_of(bytes, size);
}

static struct push_registration browser_of(struct arena *arena) {
    return (struct push_registration){
        .transport = PUSH_WEB, .public_key = decoded(arena, THEIR_POINT), .auth = decoded(arena, AUTH)};
}

static void the_example_of_the_rfc_comes_out_as_it_says(void **state) {
    struct push_registration browser = browser_of(*state);
    struct elliptic_key ours;
    assert_true(elliptic_from_secret(decoded(*state, OUR_SECRET).data, &ours));
    assert_text(base64url_encode(bytes_of(ours.point, sizeof(ours.point)), *state), OUR_POINT);
    struct bytes body = web_push_encrypt(&browser, &ours, decoded(*state, SALT).data, BYTES_LITERAL(PLAIN), *state);
    assert_text(base64url_encode(body, *state), BODY);
}

static void the_longest_payload_fits_one_record(void **state) {
    struct push_registration browser = browser_of(*state);
    struct elliptic_key ours;
    uint8_t salt[WEB_PUSH_SALT_BYTES] = {0};
    elliptic_make(&ours);
    struct bytes plain = bytes_of(arena_alloc(*state, WEB_PUSH_PLAIN_BYTES_MAX), WEB_PUSH_PLAIN_BYTES_MAX);
    assert_int_equal(web_push_encrypt(&browser, &ours, salt, plain, *state).size, WEB_PUSH_RECORD_BYTES);
    assert_int_equal(web_push_encrypt(&browser, &ours, salt, BYTES_LITERAL(""), *state).size,
                     WEB_PUSH_RECORD_BYTES - WEB_PUSH_PLAIN_BYTES_MAX);
}

static void a_key_that_is_not_on_the_curve_is_refused(void **state) {
    struct push_registration browser = browser_of(*state);
    struct elliptic_key ours;
    uint8_t salt[WEB_PUSH_SALT_BYTES] = {0}, wrong[PUSH_PUBLIC_KEY_BYTES];
    elliptic_make(&ours);
    memcpy(wrong, browser.public_key.data, sizeof(wrong));
    wrong[40] ^= 1;
    assert_true(elliptic_point_is_valid(browser.public_key));
    assert_false(elliptic_point_is_valid(bytes_of(wrong, sizeof(wrong))));
    assert_false(elliptic_point_is_valid(bytes_of(browser.public_key.data, 64)));
    assert_false(elliptic_point_is_valid(BYTES_LITERAL("")));
    browser.public_key = bytes_of(wrong, sizeof(wrong));
    assert_false(bytes_is_present(web_push_encrypt(&browser, &ours, salt, BYTES_LITERAL("x"), *state)));
}

static void a_secret_beyond_the_curve_is_none(void **state) {
    uint8_t zero[ELLIPTIC_SECRET_BYTES] = {0}, high[ELLIPTIC_SECRET_BYTES];
    struct elliptic_key key;
    (void)state;
    memset(high, 0xff, sizeof(high));
    assert_false(elliptic_from_secret(zero, &key));
    assert_false(elliptic_from_secret(high, &key));
    assert_false(elliptic_from_pem(BYTES_LITERAL("-----BEGIN PRIVATE KEY-----"), &key));
}

static void both_sides_agree(void **state) {
    struct elliptic_key one, other;
    uint8_t first[ELLIPTIC_SECRET_BYTES], second[ELLIPTIC_SECRET_BYTES];
    (void)state;
    elliptic_make(&one);
    elliptic_make(&other);
    assert_true(elliptic_agree(&one, bytes_of(other.point, sizeof(other.point)), first));
    assert_true(elliptic_agree(&other, bytes_of(one.point, sizeof(one.point)), second));
    assert_memory_equal(first, second, sizeof(first));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_example_of_the_rfc_comes_out_as_it_says),
        TEST(the_longest_payload_fits_one_record),
        TEST(a_key_that_is_not_on_the_curve_is_refused),
        TEST(a_secret_beyond_the_curve_is_none),
        TEST(both_sides_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
