/* Since when devices are told, at a coordinator of a node that is alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/coordinator/local.h"
#include "node/push/push_since.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static struct coordinator *coordinator;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    coordinator = coordinator_local_new(fixture.store, &fixture.master);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    coordinator_close(coordinator);
    fixture_close(&fixture);
    return 0;
}

static void assert_since(int64_t now_ms, int64_t expected_ms) {
    int64_t since_ms;
    assert_int_equal(push_since_get(coordinator, now_ms, &since_ms), STATUS_OK);
    assert_true(since_ms == expected_ms);
}

static void it_begins_when_it_is_switched_on_and_again_after_off(void **state) {
    (void)state;
    assert_int_equal(push_since_forget(coordinator), STATUS_OK);
    assert_since(1000, 1000);
    assert_since(2000, 1000);
    assert_int_equal(push_since_forget(coordinator), STATUS_OK);
    assert_since(3000, 3000);
}

static void one_that_cannot_be_or_cannot_be_read_is_made_anew(void **state) {
    const char *const wrong[] = {"2026-11-23", "99999999999999999999999", "9000000"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(push_since_forget(coordinator), STATUS_OK);
        assert_int_equal(coordinator_swap(coordinator, "push/since", 0, bytes_of_text(wrong[i]), NULL), STATUS_OK);
        assert_since(2000, 2000);
        assert_since(3000, 2000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_begins_when_it_is_switched_on_and_again_after_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_or_cannot_be_read_is_made_anew, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
