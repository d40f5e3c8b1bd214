/* By which address another machine is reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/reaching.h"
#include "proto/status.h"

static void this_machine_is_reached_by_its_own_address(void **state) {
    struct reached reached;
    (void)state;
    assert_int_equal(reach("127.0.0.1:8443", &reached), STATUS_OK);
    assert_string_equal(reached.from, "127.0.0.1");
    assert_true(reached.is_this_machine);
    assert_int_equal(reach("127.0.0.9:8443", &reached), STATUS_OK);
    assert_true(reached.is_this_machine);
    if (reach("localhost:8443", &reached) == STATUS_OK) /* a bare machine may know no names */
        assert_true(reached.is_this_machine);
    if (reach("[::1]:8443", &reached) == STATUS_OK) {
        assert_string_equal(reached.from, "::1");
        assert_true(reached.is_this_machine);
    }
}

static void what_is_no_address_leads_nowhere(void **state) {
    const char *rows[] = {"", ":", ":8443", "127.0.0.1", "[]:8443", "[::1]", "127.0.0.1:123456789", "no such host:1"};
    struct reached reached;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(reach(rows[i], &reached), STATUS_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_is_reached_by_its_own_address),
        cmocka_unit_test(what_is_no_address_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
