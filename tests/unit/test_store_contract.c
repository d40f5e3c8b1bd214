/* What every implementation of store.h promises. A new implementation adds its opener to STORES. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/store_memory.h"
#include "tests/lib/store_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An implementation under test: made empty, closed and opened again with its contents, removed. */
struct store_kind {
    const char *name;
    void (*make)(void);
    void (*reopen)(void);
    void (*remove)(void);
};

static struct fixture fixture;

static void lmdb_make(void) {
    fixture_open(&fixture);
}

static void lmdb_reopen(void) {
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, 16 << 20, 0);
}

static void lmdb_remove(void) {
    fixture_close(&fixture);
}

static void memory_make(void) {
    fixture.store = store_memory_new(&(struct store_memory_options){0});
}

static void memory_reopen(void) {
    struct store_memory_snapshot *durable = store_memory_snapshot(fixture.store);
    store_memory_free(fixture.store);
    memory_make();
    store_memory_restore(fixture.store, durable);
    store_memory_snapshot_free(durable);
}

static void memory_remove(void) {
    store_memory_free(fixture.store);
}

static const struct store_kind STORES[] = {
    {"lmdb", lmdb_make, lmdb_reopen, lmdb_remove},
    {"memory", memory_make, memory_reopen, memory_remove},
};

static const struct store_kind *kind;

static struct store_transaction *begin(bool is_write) {
    struct store_transaction *transaction = NULL;
    assert_int_equal(is_write ? store_begin_write(fixture.store, &transaction)
                              : store_begin_read(fixture.store, &transaction),
                     STATUS_OK);
    return transaction;
}

static void put(struct store_transaction *transaction, enum store_table table, const char *key, const char *value) {
    assert_int_equal(store_put(transaction, table, bytes_of_text(key), bytes_of_text(value)), STATUS_OK);
}

static void put_alone(enum store_table table, const char *key, const char *value) {
    struct store_transaction *transaction = begin(true);
    put(transaction, table, key, value);
    assert_int_equal(store_commit(transaction), STATUS_OK);
}

static void expect(struct store_transaction *transaction, enum store_table table, const char *key, const char *value) {
    struct bytes found = BYTES_ABSENT;
    int rc = store_get(transaction, table, bytes_of_text(key), &found);
    assert_int_equal(rc, value == NULL ? STATUS_STORE_MISSING : STATUS_OK);
    if (value != NULL)
        assert_true(bytes_equal_text(found, value));
}

static void expect_alone(enum store_table table, const char *key, const char *value) {
    struct store_transaction *transaction = begin(false);
    expect(transaction, table, key, value);
    store_abort(transaction);
}

static void what_is_put_is_got_and_what_is_removed_is_missing(void) {
    struct store_transaction *transaction = begin(true);
    expect(transaction, STORE_STATE, "a", NULL);
    put(transaction, STORE_STATE, "a", "1");
    expect(transaction, STORE_STATE, "a", "1");
    put(transaction, STORE_STATE, "a", "a longer value");
    expect(transaction, STORE_STATE, "a", "a longer value");
    put(transaction, STORE_STATE, "empty", "");
    expect(transaction, STORE_STATE, "empty", "");
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("a")), STATUS_OK);
    expect(transaction, STORE_STATE, "a", NULL);
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("a")), STATUS_STORE_MISSING);
    assert_int_equal(store_commit(transaction), STATUS_OK);
    expect_alone(STORE_STATE, "empty", "");
}

static void a_remove_that_finds_nothing_does_not_spoil_the_transaction(void) {
    struct store_transaction *transaction = begin(true);
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("never")), STATUS_STORE_MISSING);
    put(transaction, STORE_STATE, "a", "1");
    assert_int_equal(store_commit(transaction), STATUS_OK);
    expect_alone(STORE_STATE, "a", "1");
}

static void tables_do_not_see_each_other(void) {
    struct store_transaction *transaction = begin(true);
    for (int table = 0; table < STORE_TABLES; table++)
        put(transaction, (enum store_table)table, "key", table == STORE_LOG ? "log" : "other");
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("key")), STATUS_OK);
    expect(transaction, STORE_STATE, "key", NULL);
    expect(transaction, STORE_LOG, "key", "log");
    expect(transaction, STORE_OUTBOX, "key", "other");
    expect(transaction, STORE_META, "key", "other");
    store_abort(transaction);
}

static void keys_and_values_of_every_length_come_back(void) {
    uint8_t key[STORE_KEY_BYTES_MAX];
    static uint8_t value[100000];
    struct store_transaction *transaction = begin(true);
    for (size_t size = 1; size <= sizeof(key); size++) {
        memset(key, (int)size, sizeof(key));
        memset(value, (int)size, sizeof(value));
        size_t value_size = size * size * size % sizeof(value);
        assert_int_equal(store_put(transaction, STORE_STATE, bytes_of(key, size), bytes_of(value, value_size)), 0);
    }
    assert_int_equal(store_commit(transaction), STATUS_OK);
    transaction = begin(false);
    for (size_t size = 1; size <= sizeof(key); size++) {
        struct bytes found;
        memset(key, (int)size, sizeof(key));
        memset(value, (int)size, sizeof(value));
        assert_int_equal(store_get(transaction, STORE_STATE, bytes_of(key, size), &found), STATUS_OK);
        assert_true(bytes_equal(found, bytes_of(value, size * size * size % sizeof(value))));
    }
    store_abort(transaction);
}

static void an_append_below_the_last_key_is_refused(void) {
    struct store_transaction *transaction = begin(true);
    assert_int_equal(store_append(transaction, STORE_LOG, BYTES_LITERAL("b"), BYTES_LITERAL("1")), STATUS_OK);
    assert_int_equal(store_append(transaction, STORE_LOG, BYTES_LITERAL("c"), BYTES_LITERAL("2")), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
    static const char *const not_above[] = {"a", "b", "c"};
    for (size_t i = 0; i < COUNT(not_above); i++) {
        transaction = begin(true);
        assert_int_not_equal(store_append(transaction, STORE_LOG, bytes_of_text(not_above[i]), BYTES_LITERAL("x")), 0);
        store_abort(transaction);
    }
    expect_alone(STORE_LOG, "b", "1");
    expect_alone(STORE_LOG, "c", "2");
}

/* What the log does: the newest are appended while the oldest are taken away. */
static void appends_go_on_after_the_oldest_or_all_have_been_removed(void) {
    for (uint64_t number = 1; number <= 300; number++) {
        struct key key = key_of_log(number);
        struct key oldest = key_of_log(number - 3);
        struct store_transaction *transaction = begin(true);
        assert_int_equal(store_append(transaction, STORE_LOG, key_bytes(&key), BYTES_LITERAL("entry")), STATUS_OK);
        if (number > 3)
            assert_int_equal(store_remove(transaction, STORE_LOG, key_bytes(&oldest)), STATUS_OK);
        assert_int_equal(store_commit(transaction), STATUS_OK);
    }
    struct store_transaction *transaction = begin(true);
    for (uint64_t number = 298; number <= 300; number++) {
        struct key key = key_of_log(number);
        assert_int_equal(store_remove(transaction, STORE_LOG, key_bytes(&key)), STATUS_OK);
    }
    struct key next = key_of_log(301);
    assert_int_equal(store_append(transaction, STORE_LOG, key_bytes(&next), BYTES_LITERAL("entry")), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
}

static struct store_cursor *cursor_open(struct store_transaction *transaction) {
    struct store_cursor *cursor = NULL;
    assert_int_equal(store_cursor_open(transaction, STORE_STATE, &cursor), STATUS_OK);
    return cursor;
}

static void expect_at(int rc, struct bytes key, struct bytes value, const char *expected) {
    assert_int_equal(rc, expected == NULL ? STATUS_STORE_MISSING : STATUS_OK);
    if (expected == NULL)
        return;
    assert_true(bytes_equal_text(key, expected));
    assert_true(bytes_equal_text(value, expected));
}

static void a_cursor_walks_in_the_order_of_bytes_both_ways(void) {
    static const char *const names[] = {"a", "a\x01", "aa", "a\x7f", "b", "z", "\xff"};
    static const size_t written[] = {3, 0, 6, 1, 5, 2, 4};
    struct store_transaction *transaction = begin(true);
    struct bytes key;
    struct bytes value;
    for (size_t i = 0; i < COUNT(names); i++)
        put(transaction, STORE_STATE, names[written[i]], names[written[i]]);
    struct store_cursor *cursor = cursor_open(transaction);
    expect_at(store_cursor_seek(cursor, BYTES_LITERAL("\x01"), &key, &value), key, value, names[0]);
    for (size_t i = 1; i < COUNT(names); i++)
        expect_at(store_cursor_next(cursor, &key, &value), key, value, names[i]);
    assert_int_equal(store_cursor_next(cursor, &key, &value), STATUS_STORE_MISSING);
    expect_at(store_cursor_last(cursor, &key, &value), key, value, names[COUNT(names) - 1]);
    for (size_t i = COUNT(names) - 1; i-- > 0;)
        expect_at(store_cursor_previous(cursor, &key, &value), key, value, names[i]);
    assert_int_equal(store_cursor_previous(cursor, &key, &value), STATUS_STORE_MISSING);
    store_cursor_close(cursor);
    store_abort(transaction);
}

static void a_seek_finds_the_first_key_not_below(void) {
    static const struct {
        const char *sought, *found, *before, *after;
    } seeks[] = {
        {"a", "b", NULL, "d"}, {"b", "b", NULL, "d"},   {"c", "d", "b", "f"},
        {"f", "f", "d", NULL}, {"g", NULL, NULL, NULL}, {"bb", "d", "b", "f"},
    };
    struct bytes key;
    struct bytes value;
    struct store_transaction *transaction = begin(true);
    put(transaction, STORE_STATE, "b", "b");
    put(transaction, STORE_STATE, "d", "d");
    put(transaction, STORE_STATE, "f", "f");
    assert_int_equal(store_commit(transaction), STATUS_OK);
    transaction = begin(false);
    for (size_t i = 0; i < COUNT(seeks); i++) {
        struct store_cursor *cursor = cursor_open(transaction);
        struct bytes sought = bytes_of_text(seeks[i].sought);
        expect_at(store_cursor_seek(cursor, sought, &key, &value), key, value, seeks[i].found);
        if (seeks[i].found != NULL) {
            expect_at(store_cursor_previous(cursor, &key, &value), key, value, seeks[i].before);
            expect_at(store_cursor_seek(cursor, sought, &key, &value), key, value, seeks[i].found);
            expect_at(store_cursor_next(cursor, &key, &value), key, value, seeks[i].after);
        } else {
            expect_at(store_cursor_last(cursor, &key, &value), key, value, "f");
        }
        store_cursor_close(cursor);
    }
    store_abort(transaction);
}

static void an_empty_table_has_no_first_and_no_last_key(void) {
    struct bytes key;
    struct bytes value;
    for (int is_write = 0; is_write < 2; is_write++) {
        struct store_transaction *transaction = begin(is_write != 0);
        struct store_cursor *cursor = cursor_open(transaction);
        assert_int_equal(store_cursor_seek(cursor, BYTES_LITERAL("a"), &key, &value), STATUS_STORE_MISSING);
        assert_int_equal(store_cursor_last(cursor, &key, &value), STATUS_STORE_MISSING);
        store_cursor_close(cursor);
        store_abort(transaction);
    }
}

static void a_cursor_sees_what_its_own_transaction_has_written(void) {
    struct bytes key;
    struct bytes value;
    put_alone(STORE_STATE, "b", "b");
    struct store_transaction *transaction = begin(true);
    put(transaction, STORE_STATE, "c", "c");
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("b")), STATUS_OK);
    struct store_cursor *cursor = cursor_open(transaction);
    expect_at(store_cursor_seek(cursor, BYTES_LITERAL("a"), &key, &value), key, value, "c");
    assert_int_equal(store_cursor_next(cursor, &key, &value), STATUS_STORE_MISSING);
    store_cursor_close(cursor);
    store_abort(transaction);
}

static void an_abort_leaves_nothing_and_takes_nothing_away(void) {
    put_alone(STORE_STATE, "kept", "1");
    struct store_transaction *transaction = begin(true);
    put(transaction, STORE_STATE, "kept", "2");
    put(transaction, STORE_STATE, "new", "3");
    assert_int_equal(store_remove(transaction, STORE_STATE, BYTES_LITERAL("kept")), STATUS_OK);
    store_abort(transaction);
    expect_alone(STORE_STATE, "kept", "1");
    expect_alone(STORE_STATE, "new", NULL);
}

static void a_commit_survives_closing_and_opening_again(void) {
    struct store_transaction *transaction = begin(true);
    for (int i = 0; i < 1000; i++) {
        struct key key = key_of_log((uint64_t)i);
        assert_int_equal(store_append(transaction, STORE_LOG, key_bytes(&key), BYTES_LITERAL("entry")), STATUS_OK);
    }
    put(transaction, STORE_OUTBOX, "o", "1");
    assert_int_equal(store_commit(transaction), STATUS_OK);
    kind->reopen();
    expect_alone(STORE_OUTBOX, "o", "1");
    transaction = begin(false);
    for (int i = 0; i < 1000; i++) {
        struct bytes value;
        struct key key = key_of_log((uint64_t)i);
        assert_int_equal(store_get(transaction, STORE_LOG, key_bytes(&key), &value), STATUS_OK);
        assert_true(bytes_equal_text(value, "entry"));
    }
    store_abort(transaction);
}

static void a_reader_sees_its_snapshot_while_a_writer_commits(void) {
    struct bytes key;
    struct bytes value;
    put_alone(STORE_STATE, "a", "a");
    struct store_transaction *reader = begin(false);
    struct store_transaction *writer = begin(true);
    put(writer, STORE_STATE, "a", "changed");
    put(writer, STORE_STATE, "b", "new");
    expect(reader, STORE_STATE, "a", "a");
    assert_int_equal(store_commit(writer), STATUS_OK);
    expect(reader, STORE_STATE, "a", "a");
    expect(reader, STORE_STATE, "b", NULL);
    struct store_cursor *cursor = cursor_open(reader);
    expect_at(store_cursor_last(cursor, &key, &value), key, value, "a");
    store_cursor_close(cursor);
    store_abort(reader);
    expect_alone(STORE_STATE, "a", "changed");
    expect_alone(STORE_STATE, "b", "new");
}

static void what_is_read_stays_readable_while_other_transactions_commit(void) {
    struct bytes value;
    put_alone(STORE_STATE, "a", "borrowed");
    struct store_transaction *reader = begin(false);
    assert_int_equal(store_get(reader, STORE_STATE, BYTES_LITERAL("a"), &value), STATUS_OK);
    for (int i = 0; i < 50; i++)
        put_alone(STORE_STATE, "a", i % 2 == 0 ? "something else" : "and something longer than it was before");
    assert_true(bytes_equal_text(value, "borrowed"));
    store_abort(reader);
}

static void two_readers_have_a_snapshot_each(void) {
    put_alone(STORE_STATE, "a", "1");
    struct store_transaction *first = begin(false);
    put_alone(STORE_STATE, "a", "2");
    struct store_transaction *second = begin(false);
    put_alone(STORE_STATE, "a", "3");
    expect(first, STORE_STATE, "a", "1");
    expect(second, STORE_STATE, "a", "2");
    store_abort(first);
    expect(second, STORE_STATE, "a", "2");
    store_abort(second);
}

static void promise_keep(void **state) {
    void (*const *promise)(void) = *state;
    for (size_t i = 0; i < COUNT(STORES); i++) {
        kind = &STORES[i];
        kind->make();
        (*promise)();
        kind->remove();
    }
}

int main(void) {
#define PROMISE(promise)                                                                                               \
    {                                                                                                                  \
#promise, promise_keep, NULL, NULL, &(void (*)(void)) {                                                        \
            promise                                                                                                    \
        }                                                                                                              \
    }
    const struct CMUnitTest tests[] = {
        PROMISE(what_is_put_is_got_and_what_is_removed_is_missing),
        PROMISE(a_remove_that_finds_nothing_does_not_spoil_the_transaction),
        PROMISE(tables_do_not_see_each_other),
        PROMISE(keys_and_values_of_every_length_come_back),
        PROMISE(an_append_below_the_last_key_is_refused),
        PROMISE(appends_go_on_after_the_oldest_or_all_have_been_removed),
        PROMISE(a_cursor_walks_in_the_order_of_bytes_both_ways),
        PROMISE(a_seek_finds_the_first_key_not_below),
        PROMISE(an_empty_table_has_no_first_and_no_last_key),
        PROMISE(a_cursor_sees_what_its_own_transaction_has_written),
        PROMISE(an_abort_leaves_nothing_and_takes_nothing_away),
        PROMISE(a_commit_survives_closing_and_opening_again),
        PROMISE(a_reader_sees_its_snapshot_while_a_writer_commits),
        PROMISE(what_is_read_stays_readable_while_other_transactions_commit),
        PROMISE(two_readers_have_a_snapshot_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
