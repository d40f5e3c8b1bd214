/* A struct goes into a sealed row and comes out of it, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/rows.h"
#include "storage/sealed_row.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static const struct id_hash SUBJECT = {{1, 2, 3}};

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct store_transaction *write_begin(void) {
    struct store_transaction *transaction = NULL;
    assert_int_equal(store_begin_write(fixture.store, &transaction), STATUS_OK);
    return transaction;
}

static int counters_get(struct store_transaction *transaction, const struct key *key,
                        struct thread_counters *counters) {
    return sealed_row_get(transaction, &fixture.master, STORE_STATE, key, &THREAD_COUNTERS_TABLE, &fixture.arena,
                          counters);
}

static void what_is_put_is_got(void **state) {
    struct thread_counters put = {.offset = 7, .sequence = 5, .version = 9};
    struct thread_counters got;
    struct key key = key_of_row(&SUBJECT, ROW_COUNTERS);
    (void)state;
    struct store_transaction *transaction = write_begin();
    assert_int_equal(counters_get(transaction, &key, &got), STATUS_STORE_MISSING);
    assert_int_equal(sealed_row_put(transaction, &fixture.master, STORE_STATE, &key, &THREAD_COUNTERS_TABLE, &put),
                     STATUS_OK);
    assert_int_equal(counters_get(transaction, &key, &got), STATUS_OK);
    assert_memory_equal(&got, &put, sizeof(put));
    store_abort(transaction);
}

static void a_record_at_another_key_does_not_open(void **state) {
    struct thread_counters counters = {.offset = 7};
    struct key key = key_of_row(&SUBJECT, ROW_COUNTERS);
    struct key other = key_of_row(&SUBJECT, ROW_THREAD);
    struct bytes sealed;
    (void)state;
    struct store_transaction *transaction = write_begin();
    assert_int_equal(sealed_row_put(transaction, &fixture.master, STORE_STATE, &key, &THREAD_COUNTERS_TABLE, &counters),
                     STATUS_OK);
    assert_int_equal(store_get(transaction, STORE_STATE, key_bytes(&key), &sealed), STATUS_OK);
    struct bytes copy = arena_copy(&fixture.arena, sealed);
    assert_int_equal(sealed_row_open(&fixture.master, STORE_STATE, key_bytes(&key), copy, &THREAD_COUNTERS_TABLE,
                                     &fixture.arena, &counters),
                     STATUS_OK);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&other), copy), STATUS_OK);
    assert_int_equal(counters_get(transaction, &other, &counters), STATUS_RECORD_CORRUPT);
    store_abort(transaction);
}

static void what_opens_but_is_no_row_is_corrupt(void **state) {
    struct thread_counters counters;
    struct key key = key_of_row(&SUBJECT, ROW_COUNTERS);
    (void)state;
    struct store_transaction *transaction = write_begin();
    assert_int_equal(
        sealed_put(transaction, &fixture.master, STORE_STATE, key_bytes(&key), BYTES_LITERAL("no map at all")),
        STATUS_OK);
    assert_int_equal(counters_get(transaction, &key, &counters), STATUS_RECORD_CORRUPT);
    store_abort(transaction);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(what_is_put_is_got),
        ROW(a_record_at_another_key_does_not_open),
        ROW(what_opens_but_is_no_row_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
