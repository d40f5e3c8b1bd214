#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/ids.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RESOURCE "11111111-2222-3333-4444-555555555555"
#define USER "00000010-aaaa-bbbb-cccc-000000000001"

/* The first vectors of the reference implementation of SipHash-2-4-128: key 00…0f, no input and the byte 00. */
static void an_id_hash_is_siphash_with_128_bits(void **state) {
    (void)state;
    const uint8_t key[ID_HASH_KEY_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct id_hash of_nothing = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93}};
    struct id_hash of_zero = {
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45}};
    struct id_hash made = id_hash_make(key, BYTES_LITERAL(""));
    assert_true(id_hash_equal(&made, &of_nothing));
    made = id_hash_make(key, BYTES_LITERAL("\0"));
    assert_true(id_hash_equal(&made, &of_zero));
    assert_false(id_hash_equal(&made, &of_nothing));
    assert_true(id_hash_position(&of_nothing) == 0xa3817f04ba25a8e6ULL);
}

static void thread_ids_are_recognised_by_their_form(void **state) {
    (void)state;
    const struct {
        struct bytes text;
        bool is_valid;
    } rows[] = {
        {BYTES_LITERAL("19:acsV1_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ1@thread.v2"), true},
        {BYTES_LITERAL("19:0123456789abcdef0123456789abcdef@thread.v2"), true},
        {BYTES_LITERAL("19:-@thread.v2"), true},
        {BYTES_LITERAL("19:@thread.v2"), false},
        {BYTES_LITERAL("19:a@thread.v3"), false},
        {BYTES_LITERAL("19:a b@thread.v2"), false},
        {BYTES_LITERAL("19:a/b@thread.v2"), false},
        {BYTES_LITERAL("19:a@b@thread.v2"), false},
        {BYTES_LITERAL("19:a\0@thread.v2"), false},
        {BYTES_LITERAL("18:a@thread.v2"), false},
        {BYTES_LITERAL("19:a@thread.v2 "), false},
        {BYTES_LITERAL("19:thread.v2"), false},
        {BYTES_LITERAL(""), false},
        {BYTES_ABSENT, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(thread_id_is_valid(rows[i].text), rows[i].is_valid);
}

static void a_made_thread_id_has_the_form_of_the_contract(void **state) {
    uint8_t entropy[THREAD_ID_ENTROPY_BYTES];
    memset(entropy, 0xff, sizeof(entropy));
    struct bytes id = thread_id_make(*state, entropy);
    assert_true(bytes_equal_text(id, "19:acsV1___________________________________________81@thread.v2"));
    assert_true(thread_id_is_valid(id));
    assert_int_equal(id.size, strlen("19:acsV1_") + 43 + strlen("1@thread.v2"));
    entropy[0] = 0;
    assert_false(bytes_equal(thread_id_make(*state, entropy), id));
}

static void a_made_user_id_belongs_to_its_resource_only(void **state) {
    const uint8_t entropy[USER_ID_ENTROPY_BYTES] = {0,    0,    0, 0x10, 0xaa, 0xaa, 0xbb, 0xbb,
                                                    0xcc, 0xcc, 0, 0,    0,    0,    0,    1};
    struct bytes id = user_id_make(*state, BYTES_LITERAL(RESOURCE), entropy);
    assert_true(bytes_equal_text(id, "8:acs:" RESOURCE "_" USER));
    assert_true(user_id_is_of_resource(id, BYTES_LITERAL(RESOURCE)));
    assert_false(user_id_is_of_resource(id, BYTES_LITERAL("21111111-2222-3333-4444-555555555555")));
    assert_false(user_id_is_of_resource(id, BYTES_LITERAL("1111")));
}

static void ids_that_are_no_users_of_the_resource_are_refused(void **state) {
    (void)state;
    const char *ids[] = {"",
                         "8:acs:",
                         "8:acs:" RESOURCE,
                         "8:acs:" RESOURCE "_",
                         "8:acs:" RESOURCE "_tenant_user",
                         "8:acs:" RESOURCE "-" USER,
                         "8:acs:" RESOURCE "_a:b",
                         "8:acs:" RESOURCE "_a\"b",
                         "8:gcch-acs:" RESOURCE "_" USER,
                         "28:orgid:" USER};
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_false(user_id_is_of_resource(bytes_of_text(ids[i]), BYTES_LITERAL(RESOURCE)));
}

static void a_uuid_says_version_four_and_its_variant(void **state) {
    (void)state;
    uint8_t entropy[16];
    char text[37];
    memset(entropy, 0xff, sizeof(entropy));
    uuid_format(entropy, text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    memset(entropy, 0, sizeof(entropy));
    uuid_format(entropy, text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
    assert_true(uuid_is_valid(bytes_of_text(text)));
}

static void uuids_are_recognised_by_their_form(void **state) {
    (void)state;
    assert_true(uuid_is_valid(BYTES_LITERAL("0123ABCD-abcd-EF01-2345-6789abcdefAB")));
    assert_false(uuid_is_valid(BYTES_LITERAL("0123abcdabcdef0123456789abcdefab")));
    assert_false(uuid_is_valid(BYTES_LITERAL("0123abcd-abcd-ef01-2345-6789abcdefa")));
    assert_false(uuid_is_valid(BYTES_LITERAL("0123abcd-abcd-ef01-2345-6789abcdefag")));
    assert_false(uuid_is_valid(BYTES_LITERAL("0123abcd-abcd-ef01-23456-789abcdefab")));
    assert_false(uuid_is_valid(BYTES_LITERAL("{123abcd-abcd-ef01-2345-6789abcdefab")));
    assert_false(uuid_is_valid(BYTES_ABSENT));
}

static void decimals_are_digits_of_at_most_nineteen_places(void **state) {
    (void)state;
    const struct {
        const char *text;
        bool is_decimal;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"1767323049123", true, 1767323049123},
        {"9999999999999999999", true, 9999999999999999999ULL},
        {"10000000000000000000", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t value = 0;
        assert_int_equal(decimal_parse(bytes_of_text(rows[i].text), &value), rows[i].is_decimal);
        assert_true(value == rows[i].value);
    }
}

static void identifiers_have_the_kind_their_prefix_says(void **state) {
    (void)state;
    const struct {
        const char *raw_id;
        enum identifier_kind kind;
        const char *value;
        const char *cloud;
        bool is_anonymous;
    } rows[] = {
        {"8:acs:res_user", IDENTIFIER_COMMUNICATION_USER, "8:acs:res_user", NULL, false},
        {"8:gcch-acs:res_user", IDENTIFIER_COMMUNICATION_USER, "8:gcch-acs:res_user", NULL, false},
        {"8:dod-acs:res_user", IDENTIFIER_COMMUNICATION_USER, "8:dod-acs:res_user", NULL, false},
        {"8:spool:free_form_here_too", IDENTIFIER_COMMUNICATION_USER, "8:spool:free_form_here_too", NULL, false},
        {"8:acs:res_tenant_user", IDENTIFIER_TEAMS_EXTENSION_USER, "user", "public", false},
        {"8:gcch-acs:res_tenant_user", IDENTIFIER_TEAMS_EXTENSION_USER, "user", "gcch", false},
        {"8:dod-acs:res_tenant_user", IDENTIFIER_TEAMS_EXTENSION_USER, "user", "dod", false},
        {"8:orgid:u", IDENTIFIER_TEAMS_USER, "u", "public", false},
        {"8:dod:u", IDENTIFIER_TEAMS_USER, "u", "dod", false},
        {"8:gcch:u", IDENTIFIER_TEAMS_USER, "u", "gcch", false},
        {"8:teamsvisitor:u", IDENTIFIER_TEAMS_USER, "u", "public", true},
        {"28:orgid:a", IDENTIFIER_TEAMS_APP, "a", "public", false},
        {"28:dod:a", IDENTIFIER_TEAMS_APP, "a", "dod", false},
        {"28:gcch:a", IDENTIFIER_TEAMS_APP, "a", "gcch", false},
        {"4:+15550100", IDENTIFIER_PHONE_NUMBER, "+15550100", NULL, false},
        {"4:anonymous", IDENTIFIER_PHONE_NUMBER, "anonymous", NULL, true},
        {"4:+15550100_asserted:x", IDENTIFIER_PHONE_NUMBER, "+15550100_asserted:x", NULL, false},
        {"8:acs:invalidUserId", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:acs:res_", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:acs:_user", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:acs:res__user", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:acs:a_b_c_d", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:acs:a_b:c", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:orgid:", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"8:orgid:a:b", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"48:system", IDENTIFIER_UNKNOWN, NULL, NULL, false},
        {"", IDENTIFIER_UNKNOWN, NULL, NULL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct identifier got = identifier_parse(bytes_of_text(rows[i].raw_id));
        assert_int_equal(got.kind, rows[i].kind);
        assert_true(bytes_equal_text(got.raw_id, rows[i].raw_id));
        assert_int_equal(bytes_is_present(got.value), rows[i].value != NULL);
        assert_true(bytes_equal(got.value, bytes_of_text(rows[i].value)));
        assert_true(rows[i].cloud == NULL ? got.cloud == NULL : strcmp(got.cloud, rows[i].cloud) == 0);
        assert_int_equal(got.is_anonymous, rows[i].is_anonymous);
    }
    assert_int_equal(identifier_parse(BYTES_ABSENT).kind, IDENTIFIER_UNKNOWN);
}

static void a_teams_extension_user_names_resource_and_tenant(void **state) {
    (void)state;
    struct identifier got = identifier_parse(BYTES_LITERAL("8:acs:res_tenant_user"));
    assert_true(bytes_equal_text(got.resource_id, "res"));
    assert_true(bytes_equal_text(got.tenant_id, "tenant"));
    got = identifier_parse(BYTES_LITERAL("8:acs:res_user"));
    assert_false(bytes_is_present(got.resource_id));
    assert_false(bytes_is_present(got.tenant_id));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_hash_is_siphash_with_128_bits),
        cmocka_unit_test(thread_ids_are_recognised_by_their_form),
        cmocka_unit_test_setup_teardown(a_made_thread_id_has_the_form_of_the_contract, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_made_user_id_belongs_to_its_resource_only, open_arena, close_arena),
        cmocka_unit_test(ids_that_are_no_users_of_the_resource_are_refused),
        cmocka_unit_test(a_uuid_says_version_four_and_its_variant),
        cmocka_unit_test(uuids_are_recognised_by_their_form),
        cmocka_unit_test(decimals_are_digits_of_at_most_nineteen_places),
        cmocka_unit_test(identifiers_have_the_kind_their_prefix_says),
        cmocka_unit_test(a_teams_extension_user_names_resource_and_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
