#pragma once
/* What survives a crash, as an ordered map in a few tables: the interface that thread and user rules are written
 * against. The LMDB store (store_lmdb.h) is one implementation; its twin in memory (store_memory.h) keeps the same
 * promises. Values read are borrowed until the transaction ends or, in a write transaction, until its next write. */
#include "proto/bytes.h"

enum store_table {
    STORE_STATE = 0,  /* everything of threads and users; keys start with the subject's hash (keys.h) */
    STORE_LOG = 1,    /* entries of all ranges, keyed by a node-wide rising number */
    STORE_OUTBOX = 2, /* what threads still have to tell users' ranges */
    STORE_META = 3,   /* marks of ranges; what the cluster agreed on; version of the format */
    STORE_TABLES = 4
};

/* Keys are at most this long (LMDB's compiled-in bound is 511). */
#define STORE_KEY_BYTES_MAX 128

struct store;
struct store_transaction;
struct store_cursor;

enum store_access {
    STORE_READ,
    STORE_WRITE,
    STORE_REMOVE /* a write that leaves less than it found: may use the reserve that is kept from others */
};

/* The methods of a store. All return 0, STATUS_STORE_MISSING, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED. */
struct store_methods {
    int (*begin)(struct store *store, enum store_access access, struct store_transaction **transaction);
    /* Ends the transaction whatever it returns; on an error nothing of it is there. Durable when it returns 0.
     * STATUS_SERVICE_UNAVAILABLE: the store has made room meanwhile; the same transaction is to be tried again. */
    int (*commit)(struct store_transaction *transaction);
    void (*abort)(struct store_transaction *transaction);
    int (*get)(struct store_transaction *transaction, enum store_table table, struct bytes key, struct bytes *value);
    int (*put)(struct store_transaction *transaction, enum store_table table, struct bytes key, struct bytes value);
    /* STORE_LOG only; the key must be greater than every key of the table. */
    int (*append)(struct store_transaction *transaction, enum store_table table, struct bytes key, struct bytes value);
    int (*remove)(struct store_transaction *transaction, enum store_table table, struct bytes key);
    int (*cursor_open)(struct store_transaction *transaction, enum store_table table, struct store_cursor **cursor);
    void (*cursor_close)(struct store_cursor *cursor);
    /* The first key not below `key` and its value. */
    int (*cursor_seek)(struct store_cursor *cursor, struct bytes key, struct bytes *found, struct bytes *value);
    int (*cursor_next)(struct store_cursor *cursor, struct bytes *found, struct bytes *value);
    int (*cursor_previous)(struct store_cursor *cursor, struct bytes *found, struct bytes *value);
    int (*cursor_last)(struct store_cursor *cursor, struct bytes *found, struct bytes *value);
};

/* Implementations put these first in their own structs. */
struct store {
    const struct store_methods *methods;
};
struct store_transaction {
    const struct store_methods *methods;
};
struct store_cursor {
    const struct store_methods *methods;
};

static inline int store_begin_read(struct store *store, struct store_transaction **transaction) {
    return store->methods->begin(store, STORE_READ, transaction);
}
/* One at a time; the caller sees to it that only the disk worker asks. */
static inline int store_begin_write(struct store *store, struct store_transaction **transaction) {
    return store->methods->begin(store, STORE_WRITE, transaction);
}
/* As store_begin_write, for transactions that only remove: they find room in a store that is full for others. */
static inline int store_begin_remove(struct store *store, struct store_transaction **transaction) {
    return store->methods->begin(store, STORE_REMOVE, transaction);
}
static inline int store_commit(struct store_transaction *transaction) {
    return transaction->methods->commit(transaction);
}
static inline void store_abort(struct store_transaction *transaction) {
    transaction->methods->abort(transaction);
}
static inline int store_get(struct store_transaction *transaction, enum store_table table, struct bytes key,
                            struct bytes *value) {
    return transaction->methods->get(transaction, table, key, value);
}
static inline int store_put(struct store_transaction *transaction, enum store_table table, struct bytes key,
                            struct bytes value) {
    return transaction->methods->put(transaction, table, key, value);
}
static inline int store_append(struct store_transaction *transaction, enum store_table table, struct bytes key,
                               struct bytes value) {
    return transaction->methods->append(transaction, table, key, value);
}
static inline int store_remove(struct store_transaction *transaction, enum store_table table, struct bytes key) {
    return transaction->methods->remove(transaction, table, key);
}
static inline int store_cursor_open(struct store_transaction *transaction, enum store_table table,
                                    struct store_cursor **cursor) {
    return transaction->methods->cursor_open(transaction, table, cursor);
}
static inline void store_cursor_close(struct store_cursor *cursor) {
    cursor->methods->cursor_close(cursor);
}
static inline int store_cursor_seek(struct store_cursor *cursor, struct bytes key, struct bytes *found,
                                    struct bytes *value) {
    return cursor->methods->cursor_seek(cursor, key, found, value);
}
static inline int store_cursor_next(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    return cursor->methods->cursor_next(cursor, found, value);
}
static inline int store_cursor_previous(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    return cursor->methods->cursor_previous(cursor, found, value);
}
static inline int store_cursor_last(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    return cursor->methods->cursor_last(cursor, found, value);
}
