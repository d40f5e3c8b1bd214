#include "storage/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/status.h"

#define GROWTH_THRESHOLD_PERCENT 70
#define ROOM_ASKED_BYTES (64 * 1024)
#define PAGES_FREE_MIN 4096 /* room one batch may need: copies of every page it touches */

struct store_lmdb {
    struct store store;
    MDB_env *environment;
    MDB_dbi tree;             /* all tables, see tree_key */
    _Atomic size_t map_bytes; /* changed by the writer, read by whoever asks for statistics */
    size_t bytes_max;
    size_t page_bytes;
    int lock_fd;
    /* Held for reading by every transaction, for writing while the map grows: LMDB forbids growing under readers.
     * Whoever waits to grow goes first, otherwise readers that overlap all the time would put it off for ever. */
    pthread_rwlock_t map_lock;
};

struct lmdb_transaction {
    struct store_transaction transaction;
    struct store_lmdb *store;
    MDB_txn *txn;
    bool is_write;
    int failed; /* LMDB's first error at a write: the commit must not succeed after it */
};

struct lmdb_cursor {
    struct store_cursor cursor;
    enum store_table table;
    MDB_cursor *cursor_handle;
};

/* All tables are one B-tree, told apart by the first byte of the key. A commit rewrites every page on the way to what
 * it touches, and these pages are most of its cost: with a tree for each table and LMDB's table of tables above them,
 * the commit of one message rewrote four pages more. The log is last, even behind the guard, so that MDB_APPEND works
 * for it. */
struct tree_key {
    uint8_t data[1 + STORE_KEY_BYTES_MAX];
    size_t size;
};

static const uint8_t format_version = STORE_FORMAT_VERSION;
#define FORMAT_KEY BYTES_LITERAL("format")

static const uint8_t table_bytes[STORE_TABLES] = {
    [STORE_META] = 'a', [STORE_OUTBOX] = 'b', [STORE_STATE] = 'c', [STORE_LOG] = 'z'};

/* A node of format 1 looks for a tree of this name, and where there is none it makes its own and begins anew, with new
 * keys, in the midst of our rows. A row of that name stops it before it has changed anything. */
#define GUARD_KEY BYTES_LITERAL("state")
#define GUARD_TEXT BYTES_LITERAL("all tables are one tree")

static int status_of(int error) {
    switch (error) {
    case MDB_SUCCESS:
        return STATUS_OK;
    case MDB_NOTFOUND:
        return STATUS_STORE_MISSING;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_STORAGE_FULL;
    default:
        return STATUS_STORAGE_FAILED;
    }
}

static MDB_val value_of(struct bytes b) {
    return (MDB_val){.mv_size = b.size, .mv_data = (void *)(uintptr_t)b.data};
}

static struct bytes bytes_of_value(MDB_val value) {
    return bytes_of(value.mv_data, value.mv_size);
}

static struct tree_key tree_key(enum store_table table, struct bytes key) {
    struct tree_key tree_key = {.size = 1 + key.size};
    check(key.size <= STORE_KEY_BYTES_MAX);
    tree_key.data[0] = table_bytes[table];
    if (key.size > 0)
        memcpy(tree_key.data + 1, key.data, key.size);
    return tree_key;
}

static MDB_val value_of_key(struct tree_key *key) {
    return (MDB_val){.mv_size = key->size, .mv_data = key->data};
}

static size_t used_bytes(const struct store_lmdb *self) {
    MDB_envinfo info;
    check(mdb_env_info(self->environment, &info) == 0);
    return (info.me_last_pgno + 1) * self->page_bytes;
}

/* LMDB gives the old map up before it asks for the new one and cannot go back, so asking comes first. */
static bool address_space_is_there(size_t bytes) {
    void *place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED)
        return false;
    munmap(place, bytes);
    return true;
}

static bool map_resize(struct store_lmdb *self, size_t wanted) {
    if (!address_space_is_there(wanted))
        return false;
    pthread_rwlock_wrlock(&self->map_lock);
    int error = mdb_env_set_mapsize(self->environment, wanted);
    if (error == 0)
        self->map_bytes = wanted;
    pthread_rwlock_unlock(&self->map_lock);
    return error == 0;
}

/* Makes the map larger, within its bound. False: it stays as it is. */
static bool map_grow(struct store_lmdb *self) {
    size_t wanted = self->map_bytes > SIZE_MAX / 2 ? SIZE_MAX : self->map_bytes * 2;
    if (self->bytes_max != 0 && wanted > self->bytes_max)
        wanted = self->bytes_max;
    return wanted > self->map_bytes && map_resize(self, wanted);
}

/* Only the writer asks: nobody else changes the map. */
static bool map_is_roomy(const struct store_lmdb *self) {
    size_t used = used_bytes(self);
    size_t threshold = self->map_bytes / 100 * GROWTH_THRESHOLD_PERCENT;
    return used < threshold && self->map_bytes - used > PAGES_FREE_MIN * self->page_bytes;
}

/* With the reserve or without it. A map never gets smaller than what is in use. */
static void map_bound(struct store_lmdb *self, enum store_access access) {
    size_t reserve = access == STORE_REMOVE ? STORE_RESERVE_BYTES : 0;
    bool is_at_bound = self->bytes_max != 0 && self->map_bytes >= self->bytes_max;
    size_t used = used_bytes(self);
    size_t wanted = self->bytes_max + reserve;
    if (wanted < used)
        wanted = used;
    if (is_at_bound && wanted != self->map_bytes)
        map_resize(self, wanted);
}

static int lmdb_begin(struct store *store, enum store_access access, struct store_transaction **transaction) {
    struct store_lmdb *self = (struct store_lmdb *)store;
    bool is_write = access != STORE_READ;
    if (is_write && !map_is_roomy(self))
        map_grow(self);
    if (is_write)
        map_bound(self, access);
    struct lmdb_transaction *begun = calloc(1, sizeof(*begun));
    check(begun != NULL);
    begun->transaction.methods = store->methods;
    begun->store = self;
    begun->is_write = is_write;
    pthread_rwlock_rdlock(&self->map_lock);
    int error = mdb_txn_begin(self->environment, NULL, is_write ? 0 : MDB_RDONLY, &begun->txn);
    if (error != 0) {
        pthread_rwlock_unlock(&self->map_lock);
        free(begun);
        return status_of(error);
    }
    *transaction = &begun->transaction;
    return STATUS_OK;
}

static void transaction_end(struct lmdb_transaction *self) {
    pthread_rwlock_unlock(&self->store->map_lock);
    free(self);
}

static void lmdb_abort(struct store_transaction *transaction) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    mdb_txn_abort(self->txn);
    transaction_end(self);
}

/* LMDB reports a write that was cut short as EIO, and so it is with the first one that meets a full disk. Asking for
 * room at the end of the file tells a full disk from a broken one. */
static int commit_error(const struct store_lmdb *self, int error) {
    struct stat file;
    mdb_filehandle_t fd;
    if (error != EIO || mdb_env_get_fd(self->environment, &fd) != 0 || fstat(fd, &file) != 0)
        return error;
    int room = posix_fallocate(fd, file.st_size, ROOM_ASKED_BYTES);
    return room == 0 ? error : room;
}

/* What a transaction frees is there for the second one after it, and a refused one does not count. So that a full store
 * finds the room that a removal made, each refusal is followed by the smallest of all commits. */
static void turn(struct store_lmdb *self) {
    MDB_txn *txn = NULL;
    struct tree_key format = tree_key(STORE_META, FORMAT_KEY);
    MDB_val key = value_of_key(&format);
    MDB_val value = value_of(bytes_of(&format_version, sizeof(format_version)));
    if (mdb_txn_begin(self->environment, NULL, 0, &txn) != 0)
        return;
    if (mdb_put(txn, self->tree, &key, &value, 0) == 0)
        mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
}

static int lmdb_commit(struct store_transaction *transaction) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    struct store_lmdb *store = self->store;
    int error = self->failed;
    if (error != 0)
        mdb_txn_abort(self->txn);
    else
        error = commit_error(store, mdb_txn_commit(self->txn));
    int rc = status_of(error);
    if (rc == STATUS_STORAGE_FULL)
        turn(store);
    transaction_end(self);
    /* A full disk does not get emptier by a larger map. */
    return error == MDB_MAP_FULL && map_grow(store) ? STATUS_SERVICE_UNAVAILABLE : rc;
}

static int write_failed(struct lmdb_transaction *self, int error) {
    if (error != 0 && error != MDB_NOTFOUND && self->failed == 0)
        self->failed = error;
    return status_of(error);
}

static int lmdb_get(struct store_transaction *transaction, enum store_table table, struct bytes key,
                    struct bytes *value) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    struct tree_key tree = tree_key(table, key);
    MDB_val k = value_of_key(&tree);
    MDB_val v = {0};
    int error = mdb_get(self->txn, self->store->tree, &k, &v);
    if (error == 0)
        *value = bytes_of_value(v);
    return status_of(error);
}

static int put_with(struct store_transaction *transaction, enum store_table table, struct bytes key, struct bytes value,
                    unsigned flags) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    check(key.size > 0);
    struct tree_key tree = tree_key(table, key);
    MDB_val k = value_of_key(&tree);
    MDB_val v = value_of(value);
    return write_failed(self, mdb_put(self->txn, self->store->tree, &k, &v, flags));
}

static int lmdb_put(struct store_transaction *transaction, enum store_table table, struct bytes key,
                    struct bytes value) {
    return put_with(transaction, table, key, value, 0);
}

static int lmdb_append(struct store_transaction *transaction, enum store_table table, struct bytes key,
                       struct bytes value) {
    check(table == STORE_LOG);
    return put_with(transaction, table, key, value, MDB_APPEND);
}

static int lmdb_remove(struct store_transaction *transaction, enum store_table table, struct bytes key) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    struct tree_key tree = tree_key(table, key);
    MDB_val k = value_of_key(&tree);
    return write_failed(self, mdb_del(self->txn, self->store->tree, &k, NULL));
}

static int lmdb_cursor_open(struct store_transaction *transaction, enum store_table table,
                            struct store_cursor **cursor) {
    struct lmdb_transaction *self = (struct lmdb_transaction *)transaction;
    struct lmdb_cursor *opened = calloc(1, sizeof(*opened));
    check(opened != NULL);
    opened->cursor.methods = transaction->methods;
    opened->table = table;
    int error = mdb_cursor_open(self->txn, self->store->tree, &opened->cursor_handle);
    if (error != 0) {
        free(opened);
        return status_of(error);
    }
    *cursor = &opened->cursor;
    return STATUS_OK;
}

static void lmdb_cursor_close(struct store_cursor *cursor) {
    struct lmdb_cursor *self = (struct lmdb_cursor *)cursor;
    mdb_cursor_close(self->cursor_handle);
    free(self);
}

/* Beyond the first or last key of a table lies another table. */
static int cursor_move(struct lmdb_cursor *self, MDB_cursor_op operation, MDB_val k, struct bytes *found,
                       struct bytes *value) {
    MDB_val v = {0};
    int error = mdb_cursor_get(self->cursor_handle, &k, &v, operation);
    if (error != 0)
        return status_of(error);
    struct bytes key = bytes_of_value(k);
    if (key.data[0] != table_bytes[self->table])
        return STATUS_STORE_MISSING;
    *found = bytes_of(key.data + 1, key.size - 1);
    *value = bytes_of_value(v);
    return STATUS_OK;
}

static int lmdb_cursor_seek(struct store_cursor *cursor, struct bytes key, struct bytes *found, struct bytes *value) {
    struct lmdb_cursor *self = (struct lmdb_cursor *)cursor;
    struct tree_key tree = tree_key(self->table, key);
    return cursor_move(self, MDB_SET_RANGE, value_of_key(&tree), found, value);
}

static int lmdb_cursor_next(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    return cursor_move((struct lmdb_cursor *)cursor, MDB_NEXT, (MDB_val){0}, found, value);
}

static int lmdb_cursor_previous(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    return cursor_move((struct lmdb_cursor *)cursor, MDB_PREV, (MDB_val){0}, found, value);
}

static int lmdb_cursor_last(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    struct lmdb_cursor *self = (struct lmdb_cursor *)cursor;
    uint8_t above = (uint8_t)(table_bytes[self->table] + 1);
    MDB_val k = {.mv_size = 1, .mv_data = &above};
    MDB_val v = {0};
    int error = mdb_cursor_get(self->cursor_handle, &k, &v, MDB_SET_RANGE);
    if (error != 0 && error != MDB_NOTFOUND)
        return status_of(error);
    return cursor_move(self, error == 0 ? MDB_PREV : MDB_LAST, (MDB_val){0}, found, value);
}

static const struct store_methods lmdb_methods = {
    .begin = lmdb_begin,
    .commit = lmdb_commit,
    .abort = lmdb_abort,
    .get = lmdb_get,
    .put = lmdb_put,
    .append = lmdb_append,
    .remove = lmdb_remove,
    .cursor_open = lmdb_cursor_open,
    .cursor_close = lmdb_cursor_close,
    .cursor_seek = lmdb_cursor_seek,
    .cursor_next = lmdb_cursor_next,
    .cursor_previous = lmdb_cursor_previous,
    .cursor_last = lmdb_cursor_last,
};

/* LMDB would let a second node process open the same folder; its log numbers would then collide with ours. */
static int folder_lock(const char *folder) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/lock", folder);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int guard_put(struct store_lmdb *self, struct lmdb_transaction *transaction) {
    MDB_val key = value_of(GUARD_KEY);
    MDB_val value = value_of(GUARD_TEXT);
    return write_failed(transaction, mdb_put(transaction->txn, self->tree, &key, &value, 0));
}

static int version_check(struct store_lmdb *self, const char **reason) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_write(&self->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    MDB_stat stat;
    struct bytes value;
    check(mdb_stat(((struct lmdb_transaction *)transaction)->txn, self->tree, &stat) == 0);
    rc = store_get(transaction, STORE_META, FORMAT_KEY, &value);
    if (rc == STATUS_STORE_MISSING && stat.ms_entries == 0) {
        rc = guard_put(self, (struct lmdb_transaction *)transaction);
        if (rc == STATUS_OK)
            rc = store_put(transaction, STORE_META, FORMAT_KEY, bytes_of(&format_version, 1));
        return rc == STATUS_OK ? store_commit(transaction) : (store_abort(transaction), rc);
    }
    if (rc == STATUS_STORE_MISSING || (rc == STATUS_OK && (value.size != 1 || value.data[0] != format_version))) {
        *reason = "the data folder has another format version";
        rc = STATUS_CONFLICT;
    }
    store_abort(transaction);
    return rc;
}

static int tree_open(struct store_lmdb *self) {
    MDB_txn *txn = NULL;
    int error = mdb_txn_begin(self->environment, NULL, 0, &txn);
    if (error != 0)
        return error;
    error = mdb_dbi_open(txn, NULL, 0, &self->tree);
    if (error != 0) {
        mdb_txn_abort(txn);
        return error;
    }
    return mdb_txn_commit(txn);
}

static void map_lock_init(pthread_rwlock_t *lock) {
    pthread_rwlockattr_t attributes;
    check(pthread_rwlockattr_init(&attributes) == 0);
    check(pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    check(pthread_rwlock_init(lock, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
}

int store_lmdb_open(const struct store_lmdb_options *options, struct store **store, const char **reason) {
    struct store_lmdb *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->store.methods = &lmdb_methods;
    self->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    self->map_bytes = (options->map_bytes + self->page_bytes - 1) / self->page_bytes * self->page_bytes;
    self->bytes_max = options->bytes_max;
    map_lock_init(&self->map_lock);
    *reason = "";

    int rc = STATUS_CONFLICT;
    self->lock_fd = folder_lock(options->folder);
    if (self->lock_fd < 0) {
        *reason = "the data folder is locked by another process or cannot be written";
        goto free_self;
    }
    int error = mdb_env_create(&self->environment);
    check(error == 0);
    mdb_env_set_maxreaders(self->environment, options->readers_max);
    mdb_env_set_mapsize(self->environment, self->map_bytes);
    /* NOTLS: a read transaction belongs to its struct, not to the thread that began it. NORDAHEAD: rows are read here
     * and there; reading ahead would only push out what is in use. */
    error = mdb_env_open(self->environment, options->folder, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (error == 0) {
        MDB_envinfo info; /* a map that grew in an earlier life stays as large */
        mdb_env_info(self->environment, &info);
        if (info.me_mapsize > self->map_bytes)
            self->map_bytes = info.me_mapsize;
        error = tree_open(self);
    }
    if (error != 0) {
        *reason = mdb_strerror(error);
        rc = STATUS_STORAGE_FAILED;
        goto close_environment;
    }
    rc = version_check(self, reason);
    if (rc != STATUS_OK)
        goto close_environment;
    *store = &self->store;
    return STATUS_OK;

close_environment:
    mdb_env_close(self->environment);
    close(self->lock_fd);
free_self:
    pthread_rwlock_destroy(&self->map_lock);
    free(self);
    return rc;
}

void store_lmdb_close(struct store *store) {
    struct store_lmdb *self = (struct store_lmdb *)store;
    mdb_env_close(self->environment);
    close(self->lock_fd);
    pthread_rwlock_destroy(&self->map_lock);
    free(self);
}

void store_lmdb_statistics(struct store *store, struct store_lmdb_statistics *statistics) {
    struct store_lmdb *self = (struct store_lmdb *)store;
    struct store_transaction *transaction = NULL;
    *statistics = (struct store_lmdb_statistics){.map_bytes = self->map_bytes};
    if (store_begin_read(store, &transaction) != STATUS_OK)
        return;
    statistics->used_bytes = used_bytes(self); /* reads the map, which must not grow meanwhile */
    MDB_stat stat;
    if (mdb_stat(((struct lmdb_transaction *)transaction)->txn, self->tree, &stat) == 0)
        statistics->records = stat.ms_entries;
    store_abort(transaction);
}
