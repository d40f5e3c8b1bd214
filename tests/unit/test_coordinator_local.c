/* The coordinator of a node that is alone, where it differs from others: its rows can be damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/coordinator/local.h"
#include "storage/keys.h"
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

static int swap(const char *name, uint64_t version, const char *value) {
    return coordinator_swap(coordinator, name, version, bytes_of_text(value), NULL);
}

static void a_damaged_value_is_neither_given_nor_replaced(void **state) {
    struct store_transaction *transaction = NULL;
    struct bytes found;
    uint64_t version;
    (void)state;
    assert_int_equal(swap("a", 0, "1"), STATUS_OK);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(store_put(transaction, STORE_META, BYTES_LITERAL("coordinator/a"), BYTES_LITERAL("x")) == STATUS_OK);
    check(sealed_put(transaction, &fixture.master, STORE_META, BYTES_LITERAL("coordinator/short"),
                     BYTES_LITERAL("x")) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
    assert_int_equal(coordinator_get(coordinator, "a", &fixture.arena, &found, &version), STATUS_RECORD_CORRUPT);
    assert_int_equal(coordinator_get(coordinator, "short", &fixture.arena, &found, &version), STATUS_RECORD_CORRUPT);
    assert_int_equal(swap("a", 0, "2"), STATUS_RECORD_CORRUPT);
    assert_int_equal(swap("a", 1, "2"), STATUS_RECORD_CORRUPT);
}

int main(void) {
#define COORDINATED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        COORDINATED(a_damaged_value_is_neither_given_nor_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
