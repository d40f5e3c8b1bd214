#pragma once
/* An LMDB store in a temporary folder, and commands applied to it as the disk worker applies them: for unit tests. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/core/apply.h"
#include "node/core/thread_view.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/store_lmdb.h"

struct fixture {
    char folder[64];
    struct store *store;
    struct seal_key master;
    uint8_t hash_key[ID_HASH_KEY_BYTES];
    struct arena arena;     /* of everything since the start */
    struct outcome outcome; /* of the last command */
    int64_t now_ms;
};

/* The folder holds files only. */
static inline void fixture_folder_remove(const char *folder) {
    DIR *directory = opendir(folder);
    struct dirent *item;
    check(directory != NULL);
    while ((item = readdir(directory)) != NULL)
        if (item->d_name[0] != '.')
            check(unlinkat(dirfd(directory), item->d_name, 0) == 0);
    closedir(directory);
    check(rmdir(folder) == 0);
}

static inline void fixture_store_open(struct fixture *fixture, size_t map_bytes, size_t bytes_max) {
    struct store_lmdb_options options = {
        .folder = fixture->folder, .map_bytes = map_bytes, .bytes_max = bytes_max, .readers_max = 16};
    const char *reason;
    check(store_lmdb_open(&options, &fixture->store, &reason) == STATUS_OK);
}

static inline void fixture_open_with(struct fixture *fixture, size_t map_bytes, size_t bytes_max) {
    *fixture = (struct fixture){.now_ms = 1700000000000};
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/weft-test-XXXXXX");
    check(mkdtemp(fixture->folder) != NULL);
    memset(fixture->master.bytes, 7, sizeof(fixture->master.bytes));
    memset(fixture->hash_key, 9, sizeof(fixture->hash_key));
    arena_init(&fixture->arena);
    seal_init();
    fixture_store_open(fixture, map_bytes, bytes_max);
}

static inline void fixture_open(struct fixture *fixture) {
    fixture_open_with(fixture, 16 << 20, 0);
}

static inline void fixture_close(struct fixture *fixture) {
    store_lmdb_close(fixture->store);
    fixture_folder_remove(fixture->folder);
    arena_close(&fixture->arena);
}

static inline struct id_hash fixture_hash(const struct fixture *fixture, struct bytes raw_id) {
    return id_hash_make(fixture->hash_key, raw_id);
}

static inline struct apply_context fixture_context(struct fixture *fixture, struct store_transaction *transaction) {
    return (struct apply_context){.transaction = transaction,
                                  .arena = &fixture->arena,
                                  .master = &fixture->master,
                                  .hash_key = fixture->hash_key};
}

/* Applies one command in a transaction of its own, one millisecond after the last, and gives its result's code. */
static inline int fixture_apply(struct fixture *fixture, struct command *command) {
    struct store_transaction *transaction = NULL;
    check(store_begin_write(fixture->store, &transaction) == STATUS_OK);
    struct apply_context context = fixture_context(fixture, transaction);
    command->time_ms = ++fixture->now_ms;
    int rc = command_apply(&context, command, &fixture->outcome);
    if (rc != STATUS_OK) {
        store_abort(transaction);
        return rc;
    }
    check(store_commit(transaction) == STATUS_OK);
    return fixture->outcome.result.rc;
}

static inline struct store_transaction *fixture_read(struct fixture *fixture) {
    struct store_transaction *transaction = NULL;
    check(store_begin_read(fixture->store, &transaction) == STATUS_OK);
    return transaction;
}

static inline uint64_t fixture_rows(struct fixture *fixture, enum store_table table) {
    struct store_transaction *transaction = fixture_read(fixture);
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    uint64_t count = 0;
    check(store_cursor_open(transaction, table, &cursor) == STATUS_OK);
    for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value))
        count++;
    store_cursor_close(cursor);
    store_abort(transaction);
    return count;
}

/* A wrapped data key for a thread or user that is about to be made. */
static inline struct bytes fixture_key(struct fixture *fixture, const struct id_hash *subject) {
    uint8_t *wrapped = arena_alloc(&fixture->arena, WRAPPED_KEY_BYTES);
    seal_key_make(&fixture->master, subject, wrapped);
    return bytes_of(wrapped, WRAPPED_KEY_BYTES);
}
