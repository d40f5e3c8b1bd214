/* What operators may say of a bridge, and for whom it acts then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/bridges/bridge.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int set_up(void **state) {
    static struct arena arena;
    arena_init(&arena);
    *state = &arena;
    return 0;
}

static int tear_down(void **state) {
    arena_close(*state);
    return 0;
}

static void a_name_has_letters_digits_and_dashes(void **state) {
    static const struct {
        const char *name;
        bool is_valid;
    } rows[] = {{"contoso", true}, {"A-1", true},    {"ab", false},  {"", false},
                {"a.b", false},    {"a/b/c", false}, {"a b", false}, {"a\nb", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(bridge_name_is_valid(bytes_of_text(rows[i].name)), rows[i].is_valid);
    char longest[BRIDGE_NAME_BYTES_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    assert_true(bridge_name_is_valid(bytes_of(longest, BRIDGE_NAME_BYTES_MAX)));
    assert_false(bridge_name_is_valid(bytes_of(longest, BRIDGE_NAME_BYTES_MAX + 1)));
}

static void it_acts_for_whom_it_was_given_and_for_nobody_else(void **state) {
    static const struct {
        const char *given;
        const char *user;
        bool may_act;
    } rows[] = {
        {"8:orgid:a", "8:orgid:a", true},
        {"8:orgid:a", "8:orgid:ab", false},
        {"8:orgid:a", "8:orgid:b", false},
        {"8:orgid:a", "8:dod:a", false},
        {"8:orgid:*", "8:orgid:a", true},
        {"8:orgid:*", "8:orgid:", false},
        {"8:orgid:*", "8:orgid:a:b", false},
        {"8:orgid:*", "8:gcch:a", false},
        {"8:orgid:*", "8:acs:r_u", false},
        {"8:orgid:2f*", "8:orgid:2f-1", true},
        {"8:orgid:2f*", "8:orgid:2f", false},
        {"8:orgid:2f*", "8:orgid:2e", false},
        {"8:dod:*", "8:dod:a", true},
        {"8:gcch:*", "8:gcch:a", true},
        {"8:teamsvisitor:*", "8:teamsvisitor:a", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bridge bridge;
        struct problem problem = {0};
        struct bytes body = arena_printf(*state, "{\"identities\":[\"8:orgid:other\",\"%s\"]}", rows[i].given);
        assert_int_equal(bridge_parse(body, *state, &bridge, &problem), STATUS_OK);
        assert_int_equal(bridge_may_act_for(&bridge, bytes_of_text(rows[i].user)), rows[i].may_act);
    }
}

static void what_is_no_bridge_is_refused_by_name(void **state) {
    static const struct {
        const char *body;
        int rc;
        const char *target;
        const char *message; /* the beginning of it */
    } rows[] = {
        {"[]", STATUS_BAD_REQUEST, NULL, ""},
        {"{}", STATUS_VALIDATION_ERROR, "identities", "identities must be an array of 1 to 25."},
        {"{\"identities\":[]}", STATUS_VALIDATION_ERROR, "identities", "identities must be an array"},
        {"{\"identities\":\"8:orgid:a\"}", STATUS_VALIDATION_ERROR, "identities", "identities must be an array"},
        {"{\"identities\":[1]}", STATUS_VALIDATION_ERROR, "identities", "An identity must be a string"},
        {"{\"identities\":[\"*\"]}", STATUS_VALIDATION_ERROR, "identities", "\"*\" names no users of Teams"},
        {"{\"identities\":[\"8:*\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:*\" names no"},
        {"{\"identities\":[\"8:orgid:\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:orgid:\" names no"},
        {"{\"identities\":[\"8:orgid:a**\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:orgid:a**\" names no"},
        {"{\"identities\":[\"8:orgid:*a\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:orgid:*a\" names no"},
        {"{\"identities\":[\"8:acs:r_u\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:acs:r_u\" names no"},
        {"{\"identities\":[\"8:acs:*\"]}", STATUS_VALIDATION_ERROR, "identities", "\"8:acs:*\" names no"},
        {"{\"identities\":[\"28:orgid:*\"]}", STATUS_VALIDATION_ERROR, "identities", "\"28:orgid:*\" names no"},
        {"{\"identities\":[\"4:*\"]}", STATUS_VALIDATION_ERROR, "identities", "\"4:*\" names no"},
        {"{\"identities\":[\"8:orgid:a\"],\"url\":1}", STATUS_VALIDATION_ERROR, NULL,
         "A bridge has no member \"url\"."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bridge bridge;
        struct problem problem = {0};
        assert_int_equal(bridge_parse(bytes_of_text(rows[i].body), *state, &bridge, &problem), rows[i].rc);
        assert_true(bytes_starts_with(problem.message, rows[i].message));
        if (rows[i].target != NULL)
            assert_true(bytes_equal_text(problem.target, rows[i].target));
    }
}

static void a_record_is_read_back_as_it_was(void **state) {
    struct bytes identities[] = {BYTES_LITERAL("8:orgid:*"), BYTES_LITERAL("8:dod:a")};
    struct bridge bridge = {BYTES_LITERAL("contoso"), identities, 2, 1767323045123};
    struct bridge again;
    struct bytes stored = json_text_take(*state, bridge_to_json(&bridge));
    assert_int_equal(bridge_decode(stored, *state, &again), STATUS_OK);
    assert_true(bytes_equal(again.name, bridge.name));
    assert_int_equal(again.created_ms, bridge.created_ms);
    assert_int_equal(again.identities_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(bytes_equal(again.identities[i], identities[i]));
    for (size_t size = 0; size < stored.size; size++)
        assert_int_equal(bridge_decode(bytes_of(stored.data, size), *state, &again), STATUS_MALFORMED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_letters_digits_and_dashes),
        TEST(it_acts_for_whom_it_was_given_and_for_nobody_else),
        TEST(what_is_no_bridge_is_refused_by_name),
        TEST(a_record_is_read_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
