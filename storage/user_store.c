#include "storage/user_store.h"

#include "proto/limits.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/sealed_row.h"

static int row_get(struct user_store *self, const struct key *key, const struct codec_table *table, void *row) {
    return sealed_row_get(self->transaction, &self->key, STORE_STATE, key, table, self->arena, row);
}

static int row_put(struct user_store *self, const struct key *key, const struct codec_table *table, const void *row) {
    return sealed_row_put(self->transaction, &self->key, STORE_STATE, key, table, row);
}

int user_store_open(struct user_store *self, struct store_transaction *transaction, struct arena *arena,
                    const struct seal_key *master, const struct id_hash *user) {
    *self = (struct user_store){.transaction = transaction, .arena = arena, .user = *user};
    return subject_key_get(transaction, master, user, &self->key);
}

int user_store_open_new(struct user_store *self, struct store_transaction *transaction, struct arena *arena,
                        const struct seal_key *master, const struct id_hash *user, struct bytes wrapped) {
    int rc = subject_key_put(transaction, user, wrapped);
    return rc == STATUS_OK ? user_store_open(self, transaction, arena, master, user) : rc;
}

int user_row_get(struct user_store *self, struct user_row *row) {
    struct key key = key_of_row(&self->user, ROW_USER);
    return row_get(self, &key, &USER_ROW_TABLE, row);
}

int user_row_put(struct user_store *self, const struct user_row *row) {
    struct key key = key_of_row(&self->user, ROW_USER);
    return row_put(self, &key, &USER_ROW_TABLE, row);
}

int user_membership_get(struct user_store *self, const struct id_hash *thread, struct membership_row *row) {
    struct key key = key_of_row_hash(&self->user, ROW_MEMBERSHIP, thread);
    return row_get(self, &key, &MEMBERSHIP_ROW_TABLE, row);
}

int user_membership_put(struct user_store *self, const struct id_hash *thread, const struct membership_row *row) {
    struct key key = key_of_row_hash(&self->user, ROW_MEMBERSHIP, thread);
    return row_put(self, &key, &MEMBERSHIP_ROW_TABLE, row);
}

int user_membership_remove(struct user_store *self, const struct id_hash *thread) {
    struct key key = key_of_row_hash(&self->user, ROW_MEMBERSHIP, thread);
    return store_remove(self->transaction, STORE_STATE, key_bytes(&key));
}

int user_memberships_visit(struct user_store *self, user_membership_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row(&self->user, ROW_MEMBERSHIP);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && key_is_of_row(key, &self->user, ROW_MEMBERSHIP)) {
        struct membership_row row;
        struct id_hash thread = key_suffix_hash(key);
        rc = sealed_row_open(&self->key, STORE_STATE, key, sealed, &MEMBERSHIP_ROW_TABLE, self->arena, &row);
        if (rc != STATUS_OK || !visit(context, &thread, &row))
            break;
        rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int user_push_put(struct user_store *self, const struct id_hash *hash, const struct push_registration *registration) {
    struct key key = key_of_row_hash(&self->user, ROW_PUSH, hash);
    return row_put(self, &key, &PUSH_REGISTRATION_TABLE, registration);
}

int user_push_get(struct user_store *self, const struct id_hash *hash, struct push_registration *registration) {
    struct key key = key_of_row_hash(&self->user, ROW_PUSH, hash);
    return row_get(self, &key, &PUSH_REGISTRATION_TABLE, registration);
}

int user_push_remove(struct user_store *self, const struct id_hash *hash) {
    struct key key = key_of_row_hash(&self->user, ROW_PUSH, hash);
    return store_remove(self->transaction, STORE_STATE, key_bytes(&key));
}

int user_push_list(struct user_store *self, struct push_row **rows, size_t *count) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row(&self->user, ROW_PUSH);
    struct bytes key, sealed;
    *count = 0;
    *rows = ARENA_NEW_ARRAY(self->arena, struct push_row, LIMIT_PUSH_REGISTRATIONS_MAX);
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && *count < LIMIT_PUSH_REGISTRATIONS_MAX && key_is_of_row(key, &self->user, ROW_PUSH)) {
        struct push_row *row = &(*rows)[*count];
        row->hash = key_suffix_hash(key);
        rc = sealed_row_open(&self->key, STORE_STATE, key, sealed, &PUSH_REGISTRATION_TABLE, self->arena,
                             &row->registration);
        if (rc != STATUS_OK)
            break;
        ++*count;
        rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}
