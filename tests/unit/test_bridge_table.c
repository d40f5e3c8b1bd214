/* The bridges that a node knows are those that the coordinator has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <time.h>
#include <cmocka.h>

#include "node/bridges/bridge_table.h"
#include "node/coordinator/local.h"
#include "tests/lib/store_fixture.h"

#define USER BYTES_LITERAL("8:orgid:u")
#define DEADLINE_S 60

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
    fixture_close(&fixture);
    return 0;
}

static void put(struct bytes name, struct bytes identity) {
    struct bridge before, bridge = {.name = name, .identities = &identity, .identities_count = 1};
    uint64_t version = 0;
    int rc = bridge_store_get(coordinator, name, &fixture.arena, &before, &version);
    assert_true(rc == STATUS_OK || rc == STATUS_STORE_MISSING || rc == STATUS_RECORD_CORRUPT);
    version = rc == STATUS_STORE_MISSING ? 0 : version;
    assert_int_equal(bridge_store_put(coordinator, &bridge, &fixture.arena, version), STATUS_OK);
}

static void put_damaged(const char *path) {
    struct bytes before;
    uint64_t version = 0;
    coordinator_get(coordinator, path, &fixture.arena, &before, &version);
    assert_int_equal(coordinator_swap(coordinator, path, version, BYTES_LITERAL("{}"), NULL), STATUS_OK);
}

/* The coordinator tells on a thread of its own. */
static void wait_for(struct bridge_table *table, struct bytes name, int rc) {
    time_t end = time(NULL) + DEADLINE_S;
    const struct timespec moment = {.tv_nsec = 1000000};
    while (bridge_table_check(table, name, USER) != rc) {
        assert_true(time(NULL) < end);
        nanosleep(&moment, NULL);
    }
}

static void what_there_is_at_the_start_is_known_at_once(void **state) {
    (void)state;
    put(BYTES_LITERAL("first"), BYTES_LITERAL("8:orgid:*"));
    put(BYTES_LITERAL("other"), BYTES_LITERAL("8:dod:*"));
    put_damaged(BRIDGES_FOLDER "damaged");
    struct bridge_table *table = bridge_table_new(coordinator);
    assert_int_equal(bridge_table_check(table, BYTES_LITERAL("first"), USER), STATUS_OK);
    assert_int_equal(bridge_table_check(table, BYTES_LITERAL("other"), USER), STATUS_FORBIDDEN);
    assert_int_equal(bridge_table_check(table, BYTES_LITERAL("third"), USER), STATUS_NOT_FOUND);
    assert_int_equal(bridge_table_check(table, BYTES_LITERAL("damaged"), USER), STATUS_NOT_FOUND);
    coordinator_close(coordinator);
    bridge_table_free(table);
}

static void what_changes_is_learnt_and_forgotten(void **state) {
    (void)state;
    struct bytes name = BYTES_LITERAL("first");
    struct bridge bridge;
    uint64_t version;
    struct bridge_table *table = bridge_table_new(coordinator);
    assert_int_equal(bridge_table_check(table, name, USER), STATUS_NOT_FOUND);
    put(name, BYTES_LITERAL("8:orgid:*"));
    wait_for(table, name, STATUS_OK);
    put(name, BYTES_LITERAL("8:orgid:v"));
    wait_for(table, name, STATUS_FORBIDDEN);
    put_damaged(BRIDGES_FOLDER "first");
    wait_for(table, name, STATUS_NOT_FOUND);
    put(name, USER);
    wait_for(table, name, STATUS_OK);
    assert_int_equal(bridge_store_get(coordinator, name, &fixture.arena, &bridge, &version), STATUS_OK);
    assert_int_equal(bridge_store_remove(coordinator, name, version), STATUS_OK);
    wait_for(table, name, STATUS_NOT_FOUND);
    coordinator_close(coordinator);
    bridge_table_free(table);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_there_is_at_the_start_is_known_at_once),
        TEST(what_changes_is_learnt_and_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
