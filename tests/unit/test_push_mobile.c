#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/push/push_mobile.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void an_answer_says_what_becomes_of_a_device(void **state) {
    static const struct {
        enum push_transport transport;
        long status;
        const char *body;
        enum push_outcome outcome;
    } cases[] = {
        {PUSH_FCM, 200, "{}", PUSH_SENT},
        {PUSH_FCM, 404, "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}", PUSH_GONE},
        {PUSH_FCM, 404, "{\"error\":{\"status\":\"NOT_FOUND\"}}", PUSH_REFUSED},
        {PUSH_FCM, 401, "", PUSH_TOKEN_SPENT},
        {PUSH_FCM, 400, "{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}", PUSH_REFUSED},
        {PUSH_FCM, 429, "", PUSH_AGAIN},
        {PUSH_FCM, 503, "", PUSH_AGAIN},
        {PUSH_APNS, 200, "", PUSH_SENT},
        {PUSH_APNS, 410, "{\"reason\":\"Unregistered\"}", PUSH_GONE},
        {PUSH_APNS, 400, "{\"reason\":\"BadDeviceToken\"}", PUSH_GONE},
        {PUSH_APNS, 400, "{\"reason\":\"BadTopic\"}", PUSH_REFUSED},
        {PUSH_APNS, 403, "{\"reason\":\"ExpiredProviderToken\"}", PUSH_TOKEN_SPENT},
        {PUSH_APNS, 403, "{\"reason\":\"InvalidProviderToken\"}", PUSH_REFUSED},
        {PUSH_APNS, 404, "{\"reason\":\"BadPath\"}", PUSH_REFUSED},
        {PUSH_APNS, 429, "", PUSH_AGAIN},
        {PUSH_APNS, 0, "", PUSH_AGAIN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct webhook_answer answer = {.status = cases[i].status, .body = bytes_of_text(cases[i].body)};
        if (push_outcome_of(cases[i].transport, &answer) != cases[i].outcome)
            fail_msg("case %zu", i);
    }
}

static void a_google_account_is_refused_by_its_file(void **state) {
    struct push_account_files files = {.fcm_account_file = "/dev/null", .apns_key_file = ""};
    struct push_account account;
    struct bytes reason;
    assert_int_equal(push_account_load(&files, *state, &account, &reason), STATUS_VALIDATION_ERROR);
    assert_true(bytes_starts_with(reason, "/dev/null is no key file of a Google service account"));
    files = (struct push_account_files){.fcm_account_file = "", .apns_key_file = "/nowhere/key.p8"};
    assert_int_equal(push_account_load(&files, *state, &account, &reason), STATUS_VALIDATION_ERROR);
    assert_text(reason, "/nowhere/key.p8 cannot be read");
    files.apns_key_file = "";
    assert_int_equal(push_account_load(&files, *state, &account, &reason), STATUS_OK);
    assert_false(bytes_is_present(account.fcm_url) || bytes_is_present(account.apns_url));
}

static void what_is_granted_is_a_token_of_plain_characters(void **state) {
    struct bytes token;
    int64_t lasts_s;
    assert_true(push_account_granted(BYTES_LITERAL("{\"access_token\":\"ya29.x\",\"expires_in\":600}"), *state, &token,
                                     &lasts_s));
    assert_text(token, "ya29.x");
    assert_int_equal(lasts_s, 600);
    assert_true(
        push_account_granted(BYTES_LITERAL("{\"access_token\":\"x\",\"expires_in\":-1}"), *state, &token, &lasts_s));
    assert_int_equal(lasts_s, 3600);
    assert_false(push_account_granted(BYTES_LITERAL("{\"access_token\":\"x\\r\\ny: z\"}"), *state, &token, &lasts_s));
    assert_false(push_account_granted(BYTES_LITERAL("{}"), *state, &token, &lasts_s));
    assert_false(push_account_granted(BYTES_LITERAL("no JSON"), *state, &token, &lasts_s));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_answer_says_what_becomes_of_a_device),
        TEST(a_google_account_is_refused_by_its_file),
        TEST(what_is_granted_is_a_token_of_plain_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
