/* The coordinator of a node that is alone: what every coordinator promises, over a real store. */
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

static void expect(const char *name, const char *value, uint64_t version) {
    struct bytes found = BYTES_ABSENT;
    uint64_t found_version = 99;
    int rc = coordinator_get(coordinator, name, &fixture.arena, &found, &found_version);
    assert_int_equal(rc, value == NULL ? STATUS_STORE_MISSING : STATUS_OK);
    if (value == NULL)
        return;
    assert_true(bytes_equal_text(found, value));
    assert_int_equal(found_version, version);
}

static int swap(const char *name, uint64_t version, const char *value) {
    return coordinator_swap(coordinator, name, version, bytes_of_text(value));
}

static void a_value_is_swapped_only_by_whoever_knows_its_version(void **state) {
    (void)state;
    expect("a", NULL, 0);
    assert_int_equal(swap("a", 1, "too early"), STATUS_CONFLICT);
    expect("a", NULL, 0);
    assert_int_equal(swap("a", 0, "one"), STATUS_OK);
    expect("a", "one", 1);
    assert_int_equal(swap("a", 0, "again"), STATUS_CONFLICT);
    assert_int_equal(swap("a", 2, "again"), STATUS_CONFLICT);
    expect("a", "one", 1);
    assert_int_equal(swap("a", 1, ""), STATUS_OK);
    expect("a", "", 2);
    assert_int_equal(swap("a", 2, "three"), STATUS_OK);
    expect("a", "three", 3);
}

static void names_are_kept_apart(void **state) {
    (void)state;
    assert_int_equal(swap("a", 0, "1"), STATUS_OK);
    assert_int_equal(swap("ab", 0, "2"), STATUS_OK);
    expect("a", "1", 1);
    expect("ab", "2", 1);
    expect("b", NULL, 0);
}

static void values_survive_closing_and_opening(void **state) {
    (void)state;
    assert_int_equal(swap("a", 0, "1"), STATUS_OK);
    coordinator_close(coordinator);
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, 16 << 20, 0);
    coordinator = coordinator_local_new(fixture.store, &fixture.master);
    expect("a", "1", 1);
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
        COORDINATED(a_value_is_swapped_only_by_whoever_knows_its_version),
        COORDINATED(names_are_kept_apart),
        COORDINATED(values_survive_closing_and_opening),
        COORDINATED(a_damaged_value_is_neither_given_nor_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
