#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "node/push/push_payload.h"
#include "proto/check.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ANN BYTES_LITERAL("8:acs:r_ann")
#define BOB BYTES_LITERAL("8:acs:r_bob")

static struct change message_of(struct bytes content) {
    return (struct change){.kind = CHANGE_MESSAGE_RECEIVED,
                           .thread_id = BYTES_LITERAL("19:t@thread.v2"),
                           .offset = 7,
                           .message = {.id = 1767323045100,
                                       .type = MESSAGE_TEXT,
                                       .actor_id = ANN,
                                       .display_name = BYTES_LITERAL("Ann"),
                                       .content = content}};
}

static struct bytes filled(struct arena *arena, size_t size, const char *with) {
    uint8_t *bytes = arena_alloc(arena, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)with[i % strlen(with)];
    return bytes_of(bytes, size);
}

static json_t *parsed(struct push_payload payload) {
    json_t *tree = json_loadb((const char *)payload.json.data, payload.json.size, 0, NULL);
    assert_non_null(tree);
    return tree;
}

static void assert_member(const json_t *tree, const char *name, const char *value) {
    assert_non_null(json_object_get(tree, name));
    assert_string_equal(json_string_value(json_object_get(tree, name)), value);
}

static void a_message_is_told_as_in_real_time(void **state) {
    struct change change = message_of(BYTES_LITERAL("hello"));
    struct push_payload payload = push_payload_make(&change, BOB, 4000, *state);
    assert_int_equal(payload.event_id, 200);
    json_t *tree = parsed(payload);
    assert_int_equal(json_integer_value(json_object_get(tree, "eventId")), 200);
    assert_member(tree, "groupId", "19:t@thread.v2");
    assert_member(tree, "messageId", "1767323045100");
    assert_member(tree, "messageBody", "hello");
    assert_member(tree, "senderDisplayName", "Ann");
    assert_member(tree, "recipientMri", "8:acs:r_bob");
    assert_member(tree, "recipientId", "acs:r_bob");
    json_decref(tree);
}

static void a_long_message_is_cut_between_characters(void **state) {
    static const char *const contents[] = {"a", "\"", "\xc3\xa4", "\xf0\x9f\x98\x80", "\x01"};
    for (size_t i = 0; i < COUNT(contents); i++) {
        struct change change = message_of(filled(*state, 28 * 1024, contents[i]));
        struct push_payload payload = push_payload_make(&change, BOB, 3000, *state);
        assert_int_equal(payload.event_id, 200);
        assert_true(payload.json.size <= 3000);
        json_t *tree = parsed(payload);
        assert_member(tree, "groupId", "19:t@thread.v2");
        json_decref(tree);
    }
}

static void metadata_goes_before_text_does(void **state) {
    struct metadata_pair pair = {BYTES_LITERAL("key"), filled(*state, 1000, "\"")};
    struct change change = message_of(BYTES_LITERAL("short"));
    change.message.metadata = (struct metadata){.is_present = true, .pairs = &pair, .count = 1};
    struct push_payload payload = push_payload_make(&change, BOB, 1500, *state);
    json_t *tree = parsed(payload);
    assert_member(tree, "messageBody", "short");
    assert_member(tree, "acsChatMessageMetadata", "{}");
    json_decref(tree);
}

static void what_is_said_only_in_real_time_is_not_told(void **state) {
    struct push_registration browser = {.transport = PUSH_WEB};
    struct push_registration android = {.transport = PUSH_FCM, .aes_key = BYTES_LITERAL("k")};
    struct change message = message_of(BYTES_LITERAL("x"));
    struct change typing = {.kind = CHANGE_TYPING}, topic = message, edited = message;
    topic.message.type = MESSAGE_TOPIC_UPDATED;
    edited.kind = CHANGE_MESSAGE_EDITED;
    assert_true(push_payload_is_for(&browser, &message));
    assert_true(push_payload_is_for(&android, &message));
    assert_false(push_payload_is_for(&browser, &typing));
    assert_false(push_payload_is_for(&android, &typing));
    assert_false(push_payload_is_for(&browser, &topic));
    assert_int_equal(push_payload_make(&topic, BOB, 4000, *state).event_id, 0);
    assert_false(push_payload_is_for(&browser, &edited));
    assert_true(push_payload_is_for(&android, &edited));
    assert_int_equal(push_payload_make(&edited, BOB, 4000, *state).event_id, 247);
}

static void a_sealed_payload_opens_as_the_contract_says(void **state) {
    struct push_registration device = {.transport = PUSH_FCM,
                                       .aes_key = filled(*state, PUSH_MOBILE_KEY_BYTES, "aes"),
                                       .auth_key = filled(*state, PUSH_MOBILE_KEY_BYTES, "auth")};
    uint8_t initial[PUSH_INITIAL_BYTES] = {1, 2, 3}, raw[512], key[32], mac[32], plain[512];
    size_t size;
    struct bytes text = push_payload_seal(&device, initial, BYTES_LITERAL("{\"eventId\":200}"), *state);
    assert_int_equal(sodium_base642bin(raw, sizeof(raw), (const char *)text.data, text.size, NULL, &size, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_int_equal(size, 1 + 16 + 16 + 32);
    assert_int_equal(raw[0], 0x70);
    assert_memory_equal(raw + 1, initial, sizeof(initial));
    crypto_hash_sha256(key, device.auth_key.data, device.auth_key.size);
    crypto_auth_hmacsha256(mac, raw, size - 32, key);
    assert_memory_equal(raw + size - 32, mac, sizeof(mac));
    int written = 0, last = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_256_cbc(), NULL, device.aes_key.data, initial), 1);
    assert_int_equal(EVP_DecryptUpdate(context, plain, &written, raw + 17, 16), 1);
    assert_int_equal(EVP_DecryptFinal_ex(context, plain + written, &last), 1);
    EVP_CIPHER_CTX_free(context);
    assert_text(bytes_of(plain, (size_t)(written + last)), "{\"eventId\":200}");
}

static void people_read_no_tags(void **state) {
    static const struct {
        enum message_type type;
        const char *content;
        size_t bytes_max;
        const char *text;
    } cases[] = {{MESSAGE_TEXT, "a < b > c", 100, "a < b > c"},
                 {MESSAGE_HTML, "<p>Hello <b>you</b></p>", 100, "Hello you"},
                 {MESSAGE_HTML, "cut <img src=\"", 100, "cut "},
                 {MESSAGE_TEXT, "\xc3\xa4\xc3\xb6\xc3\xbc", 5, "\xc3\xa4\xc3\xb6"},
                 {MESSAGE_TEXT, "one\ntwo", 100, "one two"},
                 {MESSAGE_TEXT, "", 100, ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message message = {.type = cases[i].type, .content = bytes_of_text(cases[i].content)};
        assert_text(push_payload_text(&message, cases[i].bytes_max, *state), cases[i].text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_told_as_in_real_time),
        TEST(a_long_message_is_cut_between_characters),
        TEST(metadata_goes_before_text_does),
        TEST(what_is_said_only_in_real_time_is_not_told),
        TEST(a_sealed_payload_opens_as_the_contract_says),
        TEST(people_read_no_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
