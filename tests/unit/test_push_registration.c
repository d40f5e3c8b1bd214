#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/json_tree.h"
#include "proto/push_registration.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW 1767323045000
#define POINT "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define AUTH "BTBZMqHH6r4Tts7J_aSIgg"
#define KEYS "\"keys\":{\"p256dh\":\"" POINT "\",\"auth\":\"" AUTH "\"}"
#define ENDPOINT "\"endpoint\":\"https://push.example/send/abc\""
#define AES "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CLIENT                                                                                                         \
    "\"clientDescription\":{\"appId\":\"AcsAndroid\",\"cryptoMethod\":\"0x70\",\"aesKey\":\"" AES                      \
    "\",\"authKey\":\"" AES "\"}"
#define DEVICE "\"transports\":{\"FCM\":[{\"ttl\":2700,\"path\":\"a-token\",\"context\":\"\"}]}"

/* As Chromium's PushSubscription.toJSON() has it. */
static void a_browser_registers_with_its_own_words(void **state) {
    struct push_registration browser;
    struct problem problem = {0};
    assert_int_equal(push_subscription_parse(*state, BYTES_LITERAL("{" ENDPOINT ",\"expirationTime\":null," KEYS "}"),
                                             NOW, &browser, &problem),
                     STATUS_OK);
    assert_int_equal(browser.transport, PUSH_WEB);
    assert_text(browser.address, "https://push.example/send/abc");
    assert_int_equal(browser.public_key.size, PUSH_PUBLIC_KEY_BYTES);
    assert_int_equal(browser.auth.size, PUSH_AUTH_BYTES);
    assert_int_equal(browser.id.size, 32);
    assert_true(browser.created_ms == NOW && browser.expires_ms == 0);
    assert_int_equal(push_registration_check(&browser), STATUS_OK);
}

static void an_android_device_registers_as_the_sdk_does(void **state) {
    struct push_registration device;
    struct problem problem = {0};
    assert_int_equal(push_device_parse(*state, BYTES_LITERAL("{\"registrationId\":\"r-1\"," CLIENT "," DEVICE "}"), NOW,
                                       &device, &problem),
                     STATUS_OK);
    assert_int_equal(device.transport, PUSH_FCM);
    assert_text(device.id, "r-1");
    assert_text(device.address, "a-token");
    assert_int_equal(device.aes_key.size, PUSH_MOBILE_KEY_BYTES);
    assert_true(device.expires_ms == NOW + 2700 * 1000);
    assert_int_equal(push_registration_check(&device), STATUS_OK);
}

static void keys_are_only_for_those_who_ask_for_secrecy(void **state) {
    struct push_registration device;
    struct problem problem = {0};
    assert_int_equal(push_device_parse(*state,
                                       BYTES_LITERAL("{\"registrationId\":\"r\",\"transports\":{\"APNS\":[{\"path\":"
                                                     "\"00ff\"}]}}"),
                                       NOW, &device, &problem),
                     STATUS_OK);
    assert_int_equal(device.transport, PUSH_APNS);
    assert_false(bytes_is_present(device.aes_key));
    assert_int_equal(push_registration_check(&device), STATUS_OK);
    device.auth_key = BYTES_LITERAL("0123456789abcdef0123456789abcdef");
    assert_int_equal(push_registration_check(&device), STATUS_MALFORMED);
}

static void what_is_wrong_is_named(void **state) {
    static const struct {
        bool is_device;
        const char *body;
        const char *message;
    } cases[] = {
        {false, "{" KEYS "}", "endpoint is required."},
        {false, "{\"endpoint\":\"\"," KEYS "}", "endpoint must have 1 to 2048 printable characters, and no spaces."},
        {false, "{\"endpoint\":\"https://a b\"," KEYS "}",
         "endpoint must have 1 to 2048 printable characters, and no spaces."},
        {false, "{" ENDPOINT "}", "keys must be an object with p256dh and auth."},
        {false, "{" ENDPOINT ",\"keys\":{\"auth\":\"" AUTH "\"}}", "p256dh is required."},
        {false, "{" ENDPOINT ",\"keys\":{\"p256dh\":\"" AUTH "\",\"auth\":\"" AUTH "\"}}",
         "p256dh must be base64 of 65 bytes."},
        {false, "{" ENDPOINT ",\"keys\":{\"p256dh\":\"" POINT "\",\"auth\":\"!\"}}",
         "auth must be base64 of 16 bytes."},
        {false, "{" ENDPOINT ",\"expirationTime\":5," KEYS "}",
         "expirationTime must be null, or a moment to come in ms since 1970."},
        {true, "{" DEVICE "}", "registrationId is required."},
        {true, "{\"registrationId\":\"r\"}",
         "transports must be {\"APNS\"|\"FCM\": [{\"ttl\", \"path\"}]} with one device."},
        {true, "{\"registrationId\":\"r\",\"transports\":{\"FCM\":[{}]}}", "path is required."},
        {true, "{\"registrationId\":\"r\",\"transports\":{\"APNS\":[{\"path\":\"../x\"}]}}",
         "path must be the token of a device, hexadecimal, for APNS."},
        {true, "{\"registrationId\":\"r\",\"transports\":{\"FCM\":[{\"path\":\"p\",\"ttl\":0}]}}",
         "ttl must be a whole number of seconds, 1 to 604800."},
        {true, "{\"registrationId\":\"r\"," DEVICE ",\"clientDescription\":{\"cryptoMethod\":\"0x71\"}}",
         "cryptoMethod must be 0x70, not \"0x71\"."},
        {true, "{\"registrationId\":\"r\"," DEVICE ",\"clientDescription\":{\"cryptoMethod\":\"0x70\"}}",
         "aesKey is required."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct push_registration registration;
        struct problem problem = {0};
        int rc = (cases[i].is_device ? push_device_parse : push_subscription_parse)(
            *state, bytes_of_text(cases[i].body), NOW, &registration, &problem);
        assert_int_equal(rc, STATUS_VALIDATION_ERROR);
        assert_text(problem.message, cases[i].message);
    }
}

static void its_owner_is_shown_no_secrets(void **state) {
    struct push_registration browser;
    struct problem problem = {0};
    assert_int_equal(push_subscription_parse(*state,
                                             BYTES_LITERAL("{" ENDPOINT "," KEYS ",\"displayName\":\"at home\"}"), NOW,
                                             &browser, &problem),
                     STATUS_OK);
    browser.id = BYTES_LITERAL("i");
    assert_text(json_text_take(*state, push_registration_json(&browser)),
                "{\"id\":\"i\",\"transport\":\"web\",\"host\":\"push.example\",\"displayName\":\"at home\","
                "\"createdOn\":\"2026-01-02T03:04:05Z\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_browser_registers_with_its_own_words),
        TEST(an_android_device_registers_as_the_sdk_does),
        TEST(keys_are_only_for_those_who_ask_for_secrecy),
        TEST(what_is_wrong_is_named),
        TEST(its_owner_is_shown_no_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
