#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/presence.h"

static const struct id_hash ANN = {{1}}, BOB = {{2}};

static void a_user_is_there_until_her_last_session_has_gone(void **state) {
    struct presence *presence = presence_new();
    (void)state;
    assert_false(presence_has(presence, &ANN));
    presence_come(presence, &ANN);
    presence_come(presence, &ANN);
    presence_come(presence, &BOB);
    presence_go(presence, &ANN);
    assert_true(presence_has(presence, &ANN));
    presence_go(presence, &ANN);
    assert_false(presence_has(presence, &ANN));
    assert_true(presence_has(presence, &BOB));
    presence_free(presence);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_user_is_there_until_her_last_session_has_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
