#pragma once
/* Whole stores, compared row by row: for tests that do the same to two of them. */
#include "proto/bytes.h"
#include "proto/status.h"
#include "storage/store.h"

/* LMDB keeps the version of its format where the twin in memory needs none. */
static inline bool store_scan_is_ours(enum store_table table, struct bytes key) {
    return table != STORE_META || !bytes_equal_text(key, "format");
}

static inline int store_scan_next(struct store_cursor *cursor, enum store_table table, bool is_first, struct bytes *key,
                                  struct bytes *value) {
    int rc =
        is_first ? store_cursor_seek(cursor, BYTES_LITERAL("\0"), key, value) : store_cursor_next(cursor, key, value);
    if (rc == STATUS_OK && !store_scan_is_ours(table, *key))
        rc = store_cursor_next(cursor, key, value);
    return rc;
}

static inline void assert_tables_equal(struct store_transaction *a, struct store_transaction *b,
                                       enum store_table table) {
    struct store_cursor *cursors[2];
    struct bytes keys[2];
    struct bytes values[2];
    int rcs[2] = {STATUS_OK, STATUS_OK};
    assert_int_equal(store_cursor_open(a, table, &cursors[0]), STATUS_OK);
    assert_int_equal(store_cursor_open(b, table, &cursors[1]), STATUS_OK);
    for (bool is_first = true; rcs[0] == STATUS_OK; is_first = false) {
        for (int i = 0; i < 2; i++)
            rcs[i] = store_scan_next(cursors[i], table, is_first, &keys[i], &values[i]);
        assert_int_equal(rcs[0], rcs[1]);
        if (rcs[0] != STATUS_OK)
            break;
        assert_true(bytes_equal(keys[0], keys[1]));
        assert_true(bytes_equal(values[0], values[1]));
    }
    assert_int_equal(rcs[0], STATUS_STORE_MISSING);
    for (int i = 0; i < 2; i++)
        store_cursor_close(cursors[i]);
}

/* Committed contents, all tables. */
static inline void assert_stores_equal(struct store *a, struct store *b) {
    struct store_transaction *transactions[2];
    assert_int_equal(store_begin_read(a, &transactions[0]), STATUS_OK);
    assert_int_equal(store_begin_read(b, &transactions[1]), STATUS_OK);
    for (int table = 0; table < STORE_TABLES; table++)
        assert_tables_equal(transactions[0], transactions[1], (enum store_table)table);
    for (int i = 0; i < 2; i++)
        store_abort(transactions[i]);
}
