#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/events/event_signature.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The example of the rules' own specification. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
/* Of 66 bytes. */
#define A_22 "AAAAAAAAAAAAAAAAAAAAAA"
#define LONG_SECRET "whsec_" A_22 A_22 A_22 A_22

static void a_delivery_is_signed_as_the_specification_does(void **state) {
    struct event_secret secrets[2];
    struct bytes id = BYTES_LITERAL("msg_p5jXN8AQM9LWM0D4loKWxJek"), body = BYTES_LITERAL("{\"test\": 2432232314}");
    assert_true(event_secret_parse(BYTES_LITERAL(SECRET), &secrets[0]));
    assert_true(event_secret_parse(BYTES_LITERAL(OTHER), &secrets[1]));
    assert_text(event_signature(secrets, 1, id, 1614265330, body, *state),
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    struct bytes both = event_signature(secrets, 2, id, 1614265330, body, *state);
    assert_true(bytes_starts_with(both, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"));
    assert_int_equal(both.size, 2 * 47 + 1);
}

static void a_secret_is_written_as_it_was_read(void **state) {
    struct event_secret secret, again;
    assert_true(event_secret_parse(BYTES_LITERAL(SECRET), &secret));
    assert_int_equal(secret.size, 24);
    assert_text(event_secret_format(&secret, *state), SECRET);
    event_secret_make(&secret);
    assert_true(event_secret_parse(event_secret_format(&secret, *state), &again));
    assert_int_equal(again.size, secret.size);
    assert_memory_equal(again.bytes, secret.bytes, secret.size);
}

static void what_is_no_secret_is_refused(void **state) {
    static const char *const cases[] = {"",
                                        "whsec_",
                                        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La",
                                        LONG_SECRET};
    struct event_secret secret;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (event_secret_parse(bytes_of_text(cases[i]), &secret))
            fail_msg("\"%s\" is taken for a secret", cases[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_delivery_is_signed_as_the_specification_does),
        TEST(a_secret_is_written_as_it_was_read),
        TEST(what_is_no_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
