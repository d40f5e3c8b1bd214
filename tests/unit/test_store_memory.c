/* What the store in memory has beyond the contract, and that it does as the store over LMDB does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/store_memory.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/store_scan.h"

static struct store *store;

static int set_up(void **state) {
    (void)state;
    store = store_memory_new(&(struct store_memory_options){0});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_memory_free(store);
    return 0;
}

static struct store_transaction *begin(enum store_access access) {
    struct store_transaction *transaction = NULL;
    assert_int_equal(store->methods->begin(store, access, &transaction), STATUS_OK);
    return transaction;
}

/* Puts `bytes` of key and value. */
static int put_bytes(struct store_transaction *transaction, const char *key, size_t bytes) {
    static const uint8_t zeros[1000];
    return store_put(transaction, STORE_STATE, bytes_of_text(key), bytes_of(zeros, bytes - strlen(key)));
}

static int put_alone(enum store_access access, const char *key, size_t bytes) {
    struct store_transaction *transaction = begin(access);
    int rc = put_bytes(transaction, key, bytes);
    int commit_rc = store_commit(transaction);
    assert_int_equal(rc, commit_rc);
    return rc;
}

static bool has(const char *key) {
    struct store_transaction *transaction = begin(STORE_READ);
    struct bytes value;
    int rc = store_get(transaction, STORE_STATE, bytes_of_text(key), &value);
    store_abort(transaction);
    return rc == STATUS_OK;
}

static void a_restored_store_holds_what_was_committed_at_its_snapshot(void **state) {
    (void)state;
    assert_int_equal(put_alone(STORE_WRITE, "a", 10), STATUS_OK);
    struct store_transaction *writer = begin(STORE_WRITE);
    assert_int_equal(put_bytes(writer, "open", 10), STATUS_OK);
    struct store_memory_snapshot *durable = store_memory_snapshot(store);
    assert_int_equal(store_commit(writer), STATUS_OK);
    assert_int_equal(put_alone(STORE_WRITE, "a", 20), STATUS_OK);
    struct store_transaction *reader = begin(STORE_READ);
    for (int round = 0; round < 2; round++) {
        store_memory_restore(store, durable);
        assert_true(has("a") && !has("open"));
        assert_int_equal(store_memory_bytes(store), 10);
        assert_int_equal(put_alone(STORE_WRITE, "b", 30), STATUS_OK);
    }
    struct bytes value;
    assert_int_equal(store_get(reader, STORE_STATE, BYTES_LITERAL("open"), &value), STATUS_OK);
    store_abort(reader);
    store_memory_snapshot_free(durable);
    assert_true(has("b"));
}

static void a_commit_that_is_made_to_fail_leaves_nothing_and_the_next_succeeds(void **state) {
    static const int failures[] = {STATUS_STORAGE_FAILED, STATUS_STORAGE_FULL, STATUS_SERVICE_UNAVAILABLE};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        store_memory_fail_commits(store, failures[i], 2);
        for (int commit = 0; commit < 3; commit++) {
            struct store_transaction *transaction = begin(STORE_WRITE);
            assert_int_equal(put_bytes(transaction, "a", 10), STATUS_OK);
            assert_int_equal(store_commit(transaction), commit < 2 ? failures[i] : STATUS_OK);
            assert_int_equal(has("a"), commit == 2);
        }
        struct store_transaction *transaction = begin(STORE_WRITE);
        assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("a")), STATUS_OK);
        assert_int_equal(store_commit(transaction), STATUS_OK);
        assert_int_equal(store_memory_bytes(store), 0);
    }
}

static void a_full_store_refuses_and_gives_the_reserve_to_removals_only(void **state) {
    static const struct {
        enum store_access access;
        const char *key;
        size_t bytes;
        int rc;
    } puts[] = {
        {STORE_WRITE, "a", 60, STATUS_OK},
        {STORE_WRITE, "b", 41, STATUS_STORAGE_FULL},
        {STORE_WRITE, "b", 40, STATUS_OK},
        {STORE_WRITE, "c", 1, STATUS_STORAGE_FULL},
        {STORE_WRITE, "a", 60, STATUS_OK}, /* no larger than before */
        {STORE_REMOVE, "c", 21, STATUS_STORAGE_FULL},
        {STORE_REMOVE, "c", 20, STATUS_OK},
        {STORE_WRITE, "c", 19, STATUS_OK},
        {STORE_WRITE, "c", 20, STATUS_STORAGE_FULL},
        {STORE_WRITE, "a", 30, STATUS_OK},
        {STORE_WRITE, "d", 11, STATUS_OK},
        {STORE_WRITE, "e", 1, STATUS_STORAGE_FULL},
    };
    (void)state;
    store_memory_free(store);
    store = store_memory_new(&(struct store_memory_options){.bytes_max = 100, .reserve_bytes = 20});
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++)
        assert_int_equal(put_alone(puts[i].access, puts[i].key, puts[i].bytes), puts[i].rc);
    assert_int_equal(store_memory_bytes(store), 100);
    store_memory_bound(store, 0);
    assert_int_equal(put_alone(STORE_WRITE, "e", 1000), STATUS_OK);
}

static void a_transaction_that_met_a_full_store_takes_and_commits_nothing_more(void **state) {
    (void)state;
    store_memory_bound(store, 100);
    struct store_transaction *transaction = begin(STORE_WRITE);
    assert_int_equal(put_bytes(transaction, "a", 50), STATUS_OK);
    assert_int_equal(put_bytes(transaction, "b", 51), STATUS_STORAGE_FULL);
    assert_int_equal(put_bytes(transaction, "c", 1), STATUS_STORAGE_FAILED);
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("a")), STATUS_STORAGE_FAILED);
    assert_int_equal(store_commit(transaction), STATUS_STORAGE_FULL);
    assert_false(has("a"));
}

static uint64_t chance(uint64_t *seed) {
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

/* The same steps on both stores; keys are few, so that puts overwrite and removals find something. */
static void random_step(struct store_transaction *transactions[2], uint64_t *seed, uint64_t *number) {
    static uint8_t value[400];
    enum store_table table = (enum store_table)(chance(seed) % STORE_TABLES);
    struct id_hash subject = {{(uint8_t)(chance(seed) % 50)}};
    struct key key = table == STORE_LOG ? key_of_log(1 + chance(seed) % (*number + 1))
                                        : key_of_row_number(&subject, ROW_MESSAGE, chance(seed) % 40);
    size_t size = (size_t)(chance(seed) % sizeof(value));
    unsigned what = (unsigned)(chance(seed) % 8);
    memset(value, (int)(chance(seed) & 0xff), sizeof(value));
    int rcs[2];
    if (what == 0 && table == STORE_LOG)
        key = key_of_log(++*number);
    for (int i = 0; i < 2; i++) {
        if (what == 0 && table == STORE_LOG)
            rcs[i] = store_append(transactions[i], table, key_bytes(&key), bytes_of(value, size));
        else if (what < 4)
            rcs[i] = store_remove(transactions[i], table, key_bytes(&key));
        else if (table != STORE_LOG)
            rcs[i] = store_put(transactions[i], table, key_bytes(&key), bytes_of(value, size));
        else
            return;
    }
    assert_int_equal(rcs[0], rcs[1]);
}

static void random_transactions_do_the_same_to_both_stores(void **state) {
    struct fixture fixture;
    uint64_t seed = 4711;
    uint64_t number = 0;
    (void)state;
    fixture_open(&fixture);
    for (int round = 0; round < 150; round++) {
        struct store_transaction *transactions[2];
        uint64_t number_before = number;
        assert_int_equal(store_begin_write(fixture.store, &transactions[0]), STATUS_OK);
        assert_int_equal(store_begin_write(store, &transactions[1]), STATUS_OK);
        for (uint64_t steps = chance(&seed) % 200; steps > 0; steps--)
            random_step(transactions, &seed, &number);
        bool is_committed = chance(&seed) % 4 != 0;
        for (int i = 0; i < 2; i++) {
            if (is_committed)
                assert_int_equal(store_commit(transactions[i]), STATUS_OK);
            else
                store_abort(transactions[i]);
        }
        number = is_committed ? number : number_before;
        assert_stores_equal(fixture.store, store);
    }
    assert_true(store_memory_bytes(store) > 10000);
    fixture_close(&fixture);
}

static void a_hundred_thousand_rows_are_kept_in_order(void **state) {
    enum { ROWS = 100000 };
    struct bytes key;
    struct bytes value;
    (void)state;
    struct store_transaction *transaction = begin(STORE_WRITE);
    for (uint64_t i = 0; i < ROWS; i++) {
        struct key row = key_of_log(i);
        assert_int_equal(store_append(transaction, STORE_LOG, key_bytes(&row), bytes_of(&i, sizeof(i))), STATUS_OK);
    }
    assert_int_equal(store_commit(transaction), STATUS_OK);
    transaction = begin(STORE_WRITE);
    for (uint64_t i = 0; i < ROWS; i += 2) {
        struct key row = key_of_log(i);
        assert_int_equal(store_remove(transaction, STORE_LOG, key_bytes(&row)), STATUS_OK);
    }
    assert_int_equal(store_commit(transaction), STATUS_OK);
    struct store_cursor *cursor;
    struct key first = key_of_log(0);
    uint64_t expected = 1;
    transaction = begin(STORE_READ);
    assert_int_equal(store_cursor_open(transaction, STORE_LOG, &cursor), STATUS_OK);
    for (int rc = store_cursor_seek(cursor, key_bytes(&first), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value), expected += 2)
        assert_true(key_suffix_number(key) == expected && memcmp(value.data, &expected, 8) == 0);
    assert_int_equal(expected, ROWS + 1);
    store_cursor_close(cursor);
    store_abort(transaction);
}

int main(void) {
#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORED(a_restored_store_holds_what_was_committed_at_its_snapshot),
        STORED(a_commit_that_is_made_to_fail_leaves_nothing_and_the_next_succeeds),
        STORED(a_full_store_refuses_and_gives_the_reserve_to_removals_only),
        STORED(a_transaction_that_met_a_full_store_takes_and_commits_nothing_more),
        STORED(random_transactions_do_the_same_to_both_stores),
        STORED(a_hundred_thousand_rows_are_kept_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
