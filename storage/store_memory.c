#include "storage/store_memory.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"

/* A treap whose nodes are shared: a writer copies the nodes on its way that anybody else holds too, so a root is a
 * snapshot. A node's priority is a hash of its key, so the shape depends on nothing but the keys. */
struct record {
    unsigned references;
    size_t key_size;
    size_t value_size;
    uint8_t data[]; /* key, value */
};

struct node {
    unsigned references;
    uint64_t priority; /* not below its children's */
    struct record *record;
    struct node *left;
    struct node *right;
};

struct contents {
    struct node *roots[STORE_TABLES];
    size_t bytes;
};

struct store_memory {
    struct store store;
    struct store_memory_options options;
    struct contents contents;
    unsigned transactions;
    bool has_writer;
    unsigned failures_left;
    int failure;
};

struct store_memory_snapshot {
    struct contents contents;
};

struct memory_transaction {
    struct store_transaction transaction;
    struct store_memory *store;
    enum store_access access;
    struct contents contents;
    int failed; /* the first error at a write: the commit must not succeed after it */
};

struct memory_cursor {
    struct store_cursor cursor;
    struct memory_transaction *transaction;
    enum store_table table;
    bool is_placed;
    uint8_t key[STORE_KEY_BYTES_MAX];
    size_t key_size;
};

static void *allocate(size_t size) {
    void *memory = calloc(1, size);
    check(memory != NULL);
    return memory;
}

/* ---- records and nodes ---- */

static struct record *record_new(struct bytes key, struct bytes value) {
    struct record *record = allocate(sizeof(*record) + key.size + value.size);
    record->references = 1;
    record->key_size = key.size;
    record->value_size = value.size;
    memcpy(record->data, key.data, key.size);
    if (value.size > 0)
        memcpy(record->data + key.size, value.data, value.size);
    return record;
}

static void record_release(struct record *record) {
    if (--record->references == 0)
        free(record);
}

static struct bytes record_key(const struct record *record) {
    return bytes_of(record->data, record->key_size);
}

static struct bytes record_value(const struct record *record) {
    return bytes_of(record->data + record->key_size, record->value_size);
}

static size_t record_bytes(const struct record *record) {
    return record->key_size + record->value_size;
}

/* FNV-1a, and the finish of MurmurHash3, without which keys that count upwards would have priorities that do. */
static uint64_t priority_of(struct bytes key) {
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 0x100000001b3U;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdU;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53U;
    return hash ^ hash >> 33;
}

/* Takes the record. */
static struct node *node_new(struct record *record) {
    struct node *node = allocate(sizeof(*node));
    *node = (struct node){.references = 1, .priority = priority_of(record_key(record)), .record = record};
    return node;
}

static struct node *node_share(struct node *node) {
    if (node != NULL)
        node->references++;
    return node;
}

static void node_release(struct node *node) {
    if (node == NULL || --node->references > 0)
        return;
    node_release(node->left);
    node_release(node->right);
    record_release(node->record);
    free(node);
}

/* A node that may be changed: what only we can reach stays in its place, else a copy takes it. Asked from the root
 * down, so that a single reference means that only we can reach it. */
static struct node *node_own(struct node **slot) {
    struct node *shared = *slot;
    if (shared->references == 1)
        return shared;
    struct node *copy = allocate(sizeof(*copy));
    *copy = *shared;
    copy->references = 1;
    copy->record->references++;
    node_share(copy->left);
    node_share(copy->right);
    shared->references--;
    *slot = copy;
    return copy;
}

/* ---- the tree ---- */

static int key_compare(struct bytes a, struct bytes b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static struct record *tree_find(const struct node *node, struct bytes key) {
    while (node != NULL) {
        int order = key_compare(key, record_key(node->record));
        if (order == 0)
            return node->record;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

/* The first record above `key`, or also at it. */
static struct record *tree_above(const struct node *node, struct bytes key, bool is_at_allowed) {
    struct record *best = NULL;
    while (node != NULL) {
        int order = key_compare(record_key(node->record), key);
        bool is_above = order > 0 || (order == 0 && is_at_allowed);
        if (is_above)
            best = node->record;
        node = is_above ? node->left : node->right;
    }
    return best;
}

static struct record *tree_below(const struct node *node, struct bytes key) {
    struct record *best = NULL;
    while (node != NULL) {
        bool is_below = key_compare(record_key(node->record), key) < 0;
        if (is_below)
            best = node->record;
        node = is_below ? node->right : node->left;
    }
    return best;
}

static struct record *tree_last(const struct node *node) {
    while (node != NULL && node->right != NULL)
        node = node->right;
    return node == NULL ? NULL : node->record;
}

static void child_raise(struct node **slot, struct node **side) {
    struct node *node = *slot;
    struct node *child = *side;
    if (side == &node->left) {
        node->left = child->right;
        child->right = node;
    } else {
        node->right = child->left;
        child->left = node;
    }
    *slot = child;
}

/* Takes the record. */
static void tree_put(struct node **slot, struct record *record) {
    if (*slot == NULL) {
        *slot = node_new(record);
        return;
    }
    struct node *node = node_own(slot);
    int order = key_compare(record_key(record), record_key(node->record));
    if (order == 0) {
        record_release(node->record);
        node->record = record;
        return;
    }
    struct node **side = order < 0 ? &node->left : &node->right;
    tree_put(side, record);
    if ((*side)->priority > node->priority)
        child_raise(slot, side);
}

/* Every key of `left` is below every key of `right`; both references are taken. */
static struct node *tree_join(struct node *left, struct node *right) {
    if (left == NULL || right == NULL)
        return left == NULL ? right : left;
    if (left->priority > right->priority) {
        node_own(&left);
        left->right = tree_join(left->right, right);
        return left;
    }
    node_own(&right);
    right->left = tree_join(left, right->left);
    return right;
}

/* The key is there. */
static void tree_remove(struct node **slot, struct bytes key) {
    struct node *node = node_own(slot);
    int order = key_compare(key, record_key(node->record));
    if (order != 0) {
        tree_remove(order < 0 ? &node->left : &node->right, key);
        return;
    }
    *slot = tree_join(node->left, node->right);
    node->left = NULL;
    node->right = NULL;
    node_release(node);
}

static struct contents contents_share(const struct contents *contents) {
    for (int table = 0; table < STORE_TABLES; table++)
        node_share(contents->roots[table]);
    return *contents;
}

static void contents_release(struct contents *contents) {
    for (int table = 0; table < STORE_TABLES; table++)
        node_release(contents->roots[table]);
}

/* ---- transactions ---- */

static int memory_begin(struct store *store, enum store_access access, struct store_transaction **transaction) {
    struct store_memory *self = (struct store_memory *)store;
    struct memory_transaction *begun = allocate(sizeof(*begun));
    begun->transaction.methods = store->methods;
    begun->store = self;
    begun->access = access;
    begun->contents = contents_share(&self->contents);
    self->transactions++;
    if (access != STORE_READ) {
        check(!self->has_writer);
        self->has_writer = true;
    }
    *transaction = &begun->transaction;
    return STATUS_OK;
}

static void memory_abort(struct store_transaction *transaction) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    self->store->transactions--;
    if (self->access != STORE_READ)
        self->store->has_writer = false;
    contents_release(&self->contents);
    free(self);
}

static int commit_failure(struct memory_transaction *self) {
    struct store_memory *store = self->store;
    if (self->failed != STATUS_OK || self->access == STORE_READ || store->failures_left == 0)
        return self->failed;
    store->failures_left--;
    return store->failure;
}

static int memory_commit(struct store_transaction *transaction) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    int rc = commit_failure(self);
    if (rc == STATUS_OK && self->access != STORE_READ) {
        contents_release(&self->store->contents);
        self->store->contents = contents_share(&self->contents);
    }
    memory_abort(transaction);
    return rc;
}

static int memory_get(struct store_transaction *transaction, enum store_table table, struct bytes key,
                      struct bytes *value) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    check(key.size <= STORE_KEY_BYTES_MAX);
    const struct record *record = tree_find(self->contents.roots[table], key);
    if (record == NULL)
        return STATUS_STORE_MISSING;
    *value = record_value(record);
    return STATUS_OK;
}

static int write_failed(struct memory_transaction *self, int rc) {
    self->failed = rc;
    return rc;
}

static bool has_room(const struct memory_transaction *self, size_t before, size_t after) {
    const struct store_memory_options *options = &self->store->options;
    size_t reserve = self->access == STORE_REMOVE ? options->reserve_bytes : 0;
    return options->bytes_max == 0 || after <= before ||
           self->contents.bytes + after - before <= options->bytes_max + reserve;
}

static int memory_put(struct store_transaction *transaction, enum store_table table, struct bytes key,
                      struct bytes value) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    check(self->access != STORE_READ && key.size > 0 && key.size <= STORE_KEY_BYTES_MAX);
    if (self->failed != STATUS_OK)
        return STATUS_STORAGE_FAILED;
    const struct record *existing = tree_find(self->contents.roots[table], key);
    size_t before = existing == NULL ? 0 : record_bytes(existing);
    size_t after = key.size + value.size;
    if (!has_room(self, before, after))
        return write_failed(self, STATUS_STORAGE_FULL);
    self->contents.bytes += after - before;
    tree_put(&self->contents.roots[table], record_new(key, value));
    return STATUS_OK;
}

static int memory_append(struct store_transaction *transaction, enum store_table table, struct bytes key,
                         struct bytes value) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    check(table == STORE_LOG);
    const struct record *last = tree_last(self->contents.roots[table]);
    if (last != NULL && key_compare(key, record_key(last)) <= 0)
        return write_failed(self, STATUS_STORAGE_FAILED);
    return memory_put(transaction, table, key, value);
}

static int memory_remove(struct store_transaction *transaction, enum store_table table, struct bytes key) {
    struct memory_transaction *self = (struct memory_transaction *)transaction;
    check(self->access != STORE_READ);
    if (self->failed != STATUS_OK)
        return STATUS_STORAGE_FAILED;
    const struct record *existing = tree_find(self->contents.roots[table], key);
    if (existing == NULL)
        return STATUS_STORE_MISSING;
    self->contents.bytes -= record_bytes(existing);
    tree_remove(&self->contents.roots[table], key);
    return STATUS_OK;
}

/* ---- cursors ---- */

/* A cursor remembers its key, not its node: its transaction may write meanwhile. */
static int cursor_place(struct memory_cursor *self, const struct record *record, struct bytes *found,
                        struct bytes *value) {
    self->is_placed = record != NULL;
    if (record == NULL)
        return STATUS_STORE_MISSING;
    self->key_size = record->key_size;
    memcpy(self->key, record->data, record->key_size);
    *found = record_key(record);
    *value = record_value(record);
    return STATUS_OK;
}

static const struct node *cursor_root(const struct memory_cursor *self) {
    return self->transaction->contents.roots[self->table];
}

static struct bytes cursor_key(const struct memory_cursor *self) {
    check(self->is_placed);
    return bytes_of(self->key, self->key_size);
}

static int memory_cursor_open(struct store_transaction *transaction, enum store_table table,
                              struct store_cursor **cursor) {
    struct memory_cursor *opened = allocate(sizeof(*opened));
    opened->cursor.methods = transaction->methods;
    opened->transaction = (struct memory_transaction *)transaction;
    opened->table = table;
    *cursor = &opened->cursor;
    return STATUS_OK;
}

static void memory_cursor_close(struct store_cursor *cursor) {
    free(cursor);
}

static int memory_cursor_seek(struct store_cursor *cursor, struct bytes key, struct bytes *found, struct bytes *value) {
    struct memory_cursor *self = (struct memory_cursor *)cursor;
    check(key.size <= STORE_KEY_BYTES_MAX);
    return cursor_place(self, tree_above(cursor_root(self), key, true), found, value);
}

static int memory_cursor_next(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    struct memory_cursor *self = (struct memory_cursor *)cursor;
    return cursor_place(self, tree_above(cursor_root(self), cursor_key(self), false), found, value);
}

static int memory_cursor_previous(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    struct memory_cursor *self = (struct memory_cursor *)cursor;
    return cursor_place(self, tree_below(cursor_root(self), cursor_key(self)), found, value);
}

static int memory_cursor_last(struct store_cursor *cursor, struct bytes *found, struct bytes *value) {
    struct memory_cursor *self = (struct memory_cursor *)cursor;
    return cursor_place(self, tree_last(cursor_root(self)), found, value);
}

static const struct store_methods memory_methods = {
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .get = memory_get,
    .put = memory_put,
    .append = memory_append,
    .remove = memory_remove,
    .cursor_open = memory_cursor_open,
    .cursor_close = memory_cursor_close,
    .cursor_seek = memory_cursor_seek,
    .cursor_next = memory_cursor_next,
    .cursor_previous = memory_cursor_previous,
    .cursor_last = memory_cursor_last,
};

/* ---- the store ---- */

struct store *store_memory_new(const struct store_memory_options *options) {
    struct store_memory *self = allocate(sizeof(*self));
    self->store.methods = &memory_methods;
    self->options = *options;
    return &self->store;
}

void store_memory_free(struct store *store) {
    struct store_memory *self = (struct store_memory *)store;
    check(self->transactions == 0);
    contents_release(&self->contents);
    free(self);
}

struct store_memory_snapshot *store_memory_snapshot(struct store *store) {
    struct store_memory *self = (struct store_memory *)store;
    struct store_memory_snapshot *snapshot = allocate(sizeof(*snapshot));
    snapshot->contents = contents_share(&self->contents);
    return snapshot;
}

void store_memory_restore(struct store *store, const struct store_memory_snapshot *snapshot) {
    struct store_memory *self = (struct store_memory *)store;
    check(!self->has_writer);
    struct contents restored = contents_share(&snapshot->contents);
    contents_release(&self->contents);
    self->contents = restored;
}

void store_memory_snapshot_free(struct store_memory_snapshot *snapshot) {
    contents_release(&snapshot->contents);
    free(snapshot);
}

void store_memory_fail_commits(struct store *store, int rc, unsigned count) {
    struct store_memory *self = (struct store_memory *)store;
    check(rc != STATUS_OK);
    self->failure = rc;
    self->failures_left = count;
}

void store_memory_bound(struct store *store, size_t bytes_max) {
    ((struct store_memory *)store)->options.bytes_max = bytes_max;
}

size_t store_memory_bytes(const struct store *store) {
    return ((const struct store_memory *)store)->contents.bytes;
}
