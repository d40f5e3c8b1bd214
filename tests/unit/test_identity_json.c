#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/identity_json.h"
#include "proto/token.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_creation_says_which_token_it_wants(void **state) {
    const struct {
        const char *body;
        unsigned scopes;
        uint32_t minutes;
    } rows[] = {
        {"", 0, 1440},
        {" \r\n", 0, 1440},
        {"{}", 0, 1440},
        {"{\"createTokenWithScopes\":[]}", 0, 1440},
        {"{\"createTokenWithScopes\":null,\"expiresInMinutes\":null}", 0, 1440},
        {"{\"createTokenWithScopes\":[\"chat\"],\"expiresInMinutes\":60}", TOKEN_SCOPE_CHAT, 60},
        {"{\"createTokenWithScopes\":[\"chat\",\"voip\",\"chat\"],\"expiresInMinutes\":1440}",
         TOKEN_SCOPE_CHAT | TOKEN_SCOPE_VOIP, 1440},
        {"{\"createTokenWithScopes\":[\"chat.join\",\"chat.join.limited\",\"voip.join\"],\"customId\":\"x\"}",
         TOKEN_SCOPE_CHAT_JOIN | TOKEN_SCOPE_CHAT_JOIN_LIMITED | TOKEN_SCOPE_VOIP_JOIN, 1440},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct create_identity_request request;
        struct problem problem;
        assert_int_equal(create_identity_request_parse(*state, bytes_of_text(rows[i].body), &request, &problem), 0);
        assert_int_equal(request.scopes, rows[i].scopes);
        assert_int_equal(request.expires_in_minutes, rows[i].minutes);
    }
    struct create_identity_request request;
    struct problem problem;
    assert_int_equal(create_identity_request_parse(*state, BYTES_ABSENT, &request, &problem), 0);
}

struct refusal {
    const char *body;
    int rc;
    const char *target;
    const char *message; /* NULL: any */
};

static void assert_refused(int rc, const struct problem *problem, const struct refusal *expected) {
    assert_int_equal(rc, expected->rc);
    assert_int_equal(problem->rc, expected->rc);
    assert_true(bytes_equal(problem->target, bytes_of_text(expected->target)));
    assert_true(problem->message.size > 0);
    if (expected->message != NULL)
        assert_true(bytes_equal_text(problem->message, expected->message));
}

static void a_creation_that_breaks_a_rule_is_refused_by_name(void **state) {
    const struct refusal rows[] = {
        {"[", STATUS_BAD_REQUEST, NULL, NULL},
        {"[]", STATUS_BAD_REQUEST, NULL, NULL},
        {"\"chat\"", STATUS_BAD_REQUEST, NULL, NULL},
        {"{} x", STATUS_BAD_REQUEST, NULL, NULL},
        {"{\"createTokenWithScopes\":\"chat\"}", STATUS_VALIDATION_ERROR, "createTokenWithScopes",
         "createTokenWithScopes must be an array of strings, not a string."},
        {"{\"createTokenWithScopes\":[\"chat\",7]}", STATUS_VALIDATION_ERROR, "createTokenWithScopes",
         "Invalid scopes - a scope must be a string, not a number."},
        {"{\"createTokenWithScopes\":[null]}", STATUS_VALIDATION_ERROR, "createTokenWithScopes", NULL},
        {"{\"createTokenWithScopes\":[\"fly\"]}", STATUS_VALIDATION_ERROR, "createTokenWithScopes",
         "Invalid scopes - \"fly\" is none of chat, chat.join, chat.join.limited, voip, voip.join."},
        {"{\"expiresInMinutes\":59}", STATUS_VALIDATION_ERROR, "expiresInMinutes",
         "expiresInMinutes is 59; it must be from 60 to 1440."},
        {"{\"expiresInMinutes\":1441}", STATUS_VALIDATION_ERROR, "expiresInMinutes",
         "expiresInMinutes is 1441; it must be from 60 to 1440."},
        {"{\"expiresInMinutes\":-9223372036854775808}", STATUS_VALIDATION_ERROR, "expiresInMinutes",
         "expiresInMinutes is -9223372036854775808; it must be from 60 to 1440."},
        {"{\"expiresInMinutes\":4294967356}", STATUS_VALIDATION_ERROR, "expiresInMinutes", NULL},
        {"{\"expiresInMinutes\":99999999999999999999}", STATUS_BAD_REQUEST, NULL, NULL},
        {"{\"expiresInMinutes\":60.5}", STATUS_VALIDATION_ERROR, "expiresInMinutes",
         "expiresInMinutes must be a whole number of minutes, not a fraction."},
        {"{\"expiresInMinutes\":\"60\"}", STATUS_VALIDATION_ERROR, "expiresInMinutes",
         "expiresInMinutes must be a whole number of minutes, not a string."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct create_identity_request request;
        struct problem problem = {0};
        int rc = create_identity_request_parse(*state, bytes_of_text(rows[i].body), &request, &problem);
        assert_refused(rc, &problem, &rows[i]);
    }
}

static void nesting_beyond_the_limit_is_refused(void **state) {
    static uint8_t brackets[100000];
    memset(brackets, '[', sizeof(brackets));
    struct create_identity_request request;
    struct problem problem;
    assert_int_equal(create_identity_request_parse(*state, bytes_of(brackets, sizeof(brackets)), &request, &problem),
                     STATUS_BAD_REQUEST);
}

static void an_issue_needs_scopes(void **state) {
    static const char required[] = "Invalid scopes - Scopes field is required.";
    const struct refusal rows[] = {
        {"", STATUS_VALIDATION_ERROR, "scopes", required},
        {"{}", STATUS_VALIDATION_ERROR, "scopes", required},
        {"{\"scopes\":null}", STATUS_VALIDATION_ERROR, "scopes", required},
        {"{\"scopes\":[]}", STATUS_VALIDATION_ERROR, "scopes", required},
        {"{\"scopes\":[\"\"]}", STATUS_VALIDATION_ERROR, "scopes", NULL},
        {"{\"scopes\":{}}", STATUS_VALIDATION_ERROR, "scopes", "scopes must be an array of strings, not an object."},
        {"{\"scopes\":[\"chat\"],\"expiresInMinutes\":59}", STATUS_VALIDATION_ERROR, "expiresInMinutes", NULL},
        {"nonsense", STATUS_BAD_REQUEST, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct issue_token_request request;
        struct problem problem = {0};
        int rc = issue_token_request_parse(*state, bytes_of_text(rows[i].body), &request, &problem);
        assert_refused(rc, &problem, &rows[i]);
    }
}

static void an_issue_is_read(void **state) {
    struct issue_token_request request;
    struct problem problem;
    struct bytes body = BYTES_LITERAL("{\"scopes\":[\"voip\",\"chat\"],\"expiresInMinutes\":61,\"other\":{}}");
    assert_int_equal(issue_token_request_parse(*state, body, &request, &problem), 0);
    assert_int_equal(request.scopes, TOKEN_SCOPE_CHAT | TOKEN_SCOPE_VOIP);
    assert_int_equal(request.expires_in_minutes, 61);
    assert_int_equal(issue_token_request_parse(*state, BYTES_LITERAL("{\"scopes\":[\"chat\"]}"), &request, &problem),
                     0);
    assert_int_equal(request.expires_in_minutes, 1440);
}

static void answers_have_the_members_of_the_contract(void **state) {
    assert_true(bytes_equal_text(create_identity_response_encode(*state, BYTES_LITERAL("8:acs:r_u"), BYTES_ABSENT, 0),
                                 "{\"identity\":{\"id\":\"8:acs:r_u\"}}"));
    assert_true(bytes_equal_text(
        create_identity_response_encode(*state, BYTES_LITERAL("8:acs:r_u"), BYTES_LITERAL("a.b.c"), 1767323045058),
        "{\"identity\":{\"id\":\"8:acs:r_u\"},\"accessToken\":{\"token\":\"a.b.c\",\"expiresOn\":"
        "\"2026-01-02T03:04:05.0580000+00:00\"}}"));
    assert_true(bytes_equal_text(issue_token_response_encode(*state, BYTES_LITERAL("a.b.c"), 1767323045058),
                                 "{\"token\":\"a.b.c\",\"expiresOn\":\"2026-01-02T03:04:05.0580000+00:00\"}"));
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ARENA(a_creation_says_which_token_it_wants),
        WITH_ARENA(a_creation_that_breaks_a_rule_is_refused_by_name),
        WITH_ARENA(nesting_beyond_the_limit_is_refused),
        WITH_ARENA(an_issue_needs_scopes),
        WITH_ARENA(an_issue_is_read),
        WITH_ARENA(answers_have_the_members_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
