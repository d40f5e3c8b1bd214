#include "storage/thread_store.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/sealed_row.h"

#define EXPIRED_REQUEST_IDS_PER_CALL 64

static int row_get(struct thread_store *self, const struct key *key, const struct codec_table *table, void *row) {
    return sealed_row_get(self->transaction, &self->key, STORE_STATE, key, table, self->arena, row);
}

static int row_open(struct thread_store *self, struct bytes key, struct bytes sealed, const struct codec_table *table,
                    void *row) {
    return sealed_row_open(&self->key, STORE_STATE, key, sealed, table, self->arena, row);
}

static int row_put(struct thread_store *self, const struct key *key, const struct codec_table *table, const void *row) {
    return sealed_row_put(self->transaction, &self->key, STORE_STATE, key, table, row);
}

int thread_store_open(struct thread_store *self, struct store_transaction *transaction, struct arena *arena,
                      const struct seal_key *master, const struct id_hash *thread) {
    *self = (struct thread_store){.transaction = transaction, .arena = arena, .master = master, .thread = *thread};
    int rc = subject_key_get(transaction, master, thread, &self->key);
    return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
}

int thread_store_open_new(struct thread_store *self, struct store_transaction *transaction, struct arena *arena,
                          const struct seal_key *master, const struct id_hash *thread, struct bytes wrapped) {
    int rc = subject_key_put(transaction, thread, wrapped);
    return rc == STATUS_OK ? thread_store_open(self, transaction, arena, master, thread) : rc;
}

int thread_properties_get(struct thread_store *self, struct thread_properties *properties) {
    struct key key = key_of_row(&self->thread, ROW_THREAD);
    return row_get(self, &key, &THREAD_PROPERTIES_TABLE, properties);
}

int thread_properties_put(struct thread_store *self, const struct thread_properties *properties) {
    struct key key = key_of_row(&self->thread, ROW_THREAD);
    return row_put(self, &key, &THREAD_PROPERTIES_TABLE, properties);
}

int thread_counters_get(struct thread_store *self, struct thread_counters *counters) {
    struct key key = key_of_row(&self->thread, ROW_COUNTERS);
    return row_get(self, &key, &THREAD_COUNTERS_TABLE, counters);
}

int thread_counters_put(struct thread_store *self, const struct thread_counters *counters) {
    struct key key = key_of_row(&self->thread, ROW_COUNTERS);
    return row_put(self, &key, &THREAD_COUNTERS_TABLE, counters);
}

int thread_import_get(struct thread_store *self, struct import_row *row) {
    struct key key = key_of_row(&self->thread, ROW_IMPORT);
    return row_get(self, &key, &IMPORT_ROW_TABLE, row);
}

int thread_import_put(struct thread_store *self, const struct import_row *row) {
    struct key key = key_of_row(&self->thread, ROW_IMPORT);
    return row_put(self, &key, &IMPORT_ROW_TABLE, row);
}

int thread_participant_get(struct thread_store *self, const struct id_hash *user, struct participant_row *row) {
    struct key key = key_of_row_hash(&self->thread, ROW_PARTICIPANT, user);
    return row_get(self, &key, &PARTICIPANT_ROW_TABLE, row);
}

int thread_participant_put(struct thread_store *self, const struct id_hash *user, const struct participant_row *row) {
    struct key key = key_of_row_hash(&self->thread, ROW_PARTICIPANT, user);
    return row_put(self, &key, &PARTICIPANT_ROW_TABLE, row);
}

/* Visits every row of one kind in key order. */
typedef int (*row_visitor)(struct thread_store *self, void *context, struct bytes key, struct bytes sealed);

static int rows_visit(struct thread_store *self, enum row_kind kind, row_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row(&self->thread, kind);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && key_is_of_row(key, &self->thread, kind)) {
        rc = visit(self, context, key, sealed);
        if (rc == STATUS_OK)
            rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

struct participant_entry {
    struct participant_row row;
    struct id_hash user;
};

struct participant_gathering {
    struct participant_entry *entries;
    size_t count;
    size_t capacity;
};

static int participant_gather(struct thread_store *self, void *context, struct bytes key, struct bytes sealed) {
    struct participant_gathering *gathering = context;
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity == 0 ? 32 : gathering->capacity * 2;
        struct participant_entry *entries = ARENA_NEW_ARRAY(self->arena, struct participant_entry, capacity);
        if (gathering->count > 0)
            memcpy(entries, gathering->entries, gathering->count * sizeof(*entries));
        gathering->entries = entries;
        gathering->capacity = capacity;
    }
    struct participant_entry *entry = &gathering->entries[gathering->count];
    entry->user = key_suffix_hash(key);
    int rc = row_open(self, key, sealed, &PARTICIPANT_ROW_TABLE, &entry->row);
    if (rc == STATUS_OK)
        gathering->count++;
    return rc;
}

static int participant_compare(const void *left, const void *right) {
    const struct participant_row *a = &((const struct participant_entry *)left)->row;
    const struct participant_row *b = &((const struct participant_entry *)right)->row;
    bool a_is_active = a->removed_offset == 0;
    bool b_is_active = b->removed_offset == 0;
    if (a_is_active != b_is_active)
        return a_is_active ? -1 : 1;
    return a->join_number < b->join_number ? -1 : a->join_number > b->join_number;
}

int thread_participants_list(struct thread_store *self, struct participant_list *list) {
    struct participant_gathering gathering = {0};
    *list = (struct participant_list){0};
    int rc = rows_visit(self, ROW_PARTICIPANT, participant_gather, &gathering);
    if (rc != STATUS_OK)
        return rc;
    if (gathering.count > 1)
        qsort(gathering.entries, gathering.count, sizeof(*gathering.entries), participant_compare);
    list->rows = ARENA_NEW_ARRAY(self->arena, struct participant_row, gathering.count);
    list->users = ARENA_NEW_ARRAY(self->arena, struct id_hash, gathering.count);
    list->count = gathering.count;
    for (size_t i = 0; i < gathering.count; i++) {
        list->rows[i] = gathering.entries[i].row;
        list->users[i] = gathering.entries[i].user;
    }
    return STATUS_OK;
}

int thread_change_get(struct thread_store *self, uint64_t offset, struct change_row *row) {
    struct key key = key_of_row_number(&self->thread, ROW_MESSAGE, offset);
    return row_get(self, &key, &CHANGE_ROW_TABLE, row);
}

int thread_message_put(struct thread_store *self, const struct message *message) {
    struct key key = key_of_row_number(&self->thread, ROW_MESSAGE, message->offset);
    struct key index = key_of_row_number(&self->thread, ROW_MESSAGE_OFFSET, message->id);
    struct change_row row = {.message = *message};
    uint8_t offset[8];
    number_encode(offset, message->offset);
    int rc = row_put(self, &key, &CHANGE_ROW_TABLE, &row);
    if (rc != STATUS_OK)
        return rc;
    return sealed_put(self->transaction, &self->key, STORE_STATE, key_bytes(&index), bytes_of(offset, sizeof(offset)));
}

int thread_properties_change_put(struct thread_store *self, uint64_t offset, uint64_t version, struct bytes actor_id) {
    struct key key = key_of_row_number(&self->thread, ROW_MESSAGE, offset);
    struct change_row row = {.is_properties_change = true, .version = version, .actor_id = actor_id};
    return row_put(self, &key, &CHANGE_ROW_TABLE, &row);
}

int thread_undeletion_put(struct thread_store *self, uint64_t offset, uint64_t version) {
    struct key key = key_of_row_number(&self->thread, ROW_MESSAGE, offset);
    struct change_row row = {.is_properties_change = true, .version = version, .is_undeletion = true};
    return row_put(self, &key, &CHANGE_ROW_TABLE, &row);
}

int thread_change_remove(struct thread_store *self, uint64_t offset) {
    struct key key = key_of_row_number(&self->thread, ROW_MESSAGE, offset);
    return store_remove(self->transaction, STORE_STATE, key_bytes(&key));
}

int thread_message_find(struct thread_store *self, uint64_t message_id, struct message *message) {
    struct key index = key_of_row_number(&self->thread, ROW_MESSAGE_OFFSET, message_id);
    struct bytes offset;
    struct change_row row;
    int rc = sealed_get(self->transaction, &self->key, STORE_STATE, key_bytes(&index), self->arena, &offset);
    if (rc != STATUS_OK)
        return rc;
    if (offset.size != 8)
        return STATUS_RECORD_CORRUPT;
    rc = thread_change_get(self, number_decode(offset.data), &row);
    if (rc == STATUS_STORE_MISSING || (rc == STATUS_OK && row.message.id != message_id))
        return STATUS_RECORD_CORRUPT;
    *message = row.message;
    return rc;
}

static int changes_walk(struct thread_store *self, uint64_t offset, bool is_descending, thread_change_visitor visit,
                        void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row_number(&self->thread, ROW_MESSAGE, offset);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    if (is_descending) {
        bool is_exact = rc == STATUS_OK && bytes_equal(key, key_bytes(&first));
        if (rc == STATUS_STORE_MISSING)
            rc = store_cursor_last(cursor, &key, &sealed);
        else if (rc == STATUS_OK && !is_exact)
            rc = store_cursor_previous(cursor, &key, &sealed);
    }
    while (rc == STATUS_OK && key_is_of_row(key, &self->thread, ROW_MESSAGE)) {
        struct change_row row;
        uint64_t found = key_suffix_number(key);
        rc = row_open(self, key, sealed, &CHANGE_ROW_TABLE, &row);
        if (rc != STATUS_OK || !visit(context, found, &row))
            break;
        rc = is_descending ? store_cursor_previous(cursor, &key, &sealed) : store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int thread_changes_descend(struct thread_store *self, uint64_t offset, thread_change_visitor visit, void *context) {
    return changes_walk(self, offset, true, visit, context);
}

int thread_changes_ascend(struct thread_store *self, uint64_t offset, thread_change_visitor visit, void *context) {
    return changes_walk(self, offset, false, visit, context);
}

int thread_receipt_get(struct thread_store *self, const struct id_hash *user, struct receipt *receipt) {
    struct key key = key_of_row_hash(&self->thread, ROW_RECEIPT, user);
    return row_get(self, &key, &RECEIPT_TABLE, receipt);
}

int thread_receipt_put(struct thread_store *self, const struct id_hash *user, const struct receipt *receipt) {
    struct key key = key_of_row_hash(&self->thread, ROW_RECEIPT, user);
    return row_put(self, &key, &RECEIPT_TABLE, receipt);
}

struct receipt_gathering {
    struct receipt *items;
    size_t count;
    size_t capacity;
};

static int receipt_gather(struct thread_store *self, void *context, struct bytes key, struct bytes sealed) {
    struct receipt_gathering *gathering = context;
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity == 0 ? 32 : gathering->capacity * 2;
        struct receipt *items = ARENA_NEW_ARRAY(self->arena, struct receipt, capacity);
        if (gathering->count > 0)
            memcpy(items, gathering->items, gathering->count * sizeof(*items));
        gathering->items = items;
        gathering->capacity = capacity;
    }
    int rc = row_open(self, key, sealed, &RECEIPT_TABLE, &gathering->items[gathering->count]);
    if (rc == STATUS_OK)
        gathering->count++;
    return rc;
}

static int receipt_compare(const void *left, const void *right) {
    const struct receipt *a = left;
    const struct receipt *b = right;
    if (a->read_ms != b->read_ms)
        return a->read_ms > b->read_ms ? -1 : 1;
    return a->message_id > b->message_id ? -1 : a->message_id < b->message_id;
}

int thread_receipts_list(struct thread_store *self, struct receipt **receipts, size_t *count) {
    struct receipt_gathering gathering = {0};
    int rc = rows_visit(self, ROW_RECEIPT, receipt_gather, &gathering);
    if (rc != STATUS_OK)
        return rc;
    if (gathering.count > 1)
        qsort(gathering.items, gathering.count, sizeof(*gathering.items), receipt_compare);
    *receipts = gathering.items;
    *count = gathering.count;
    return STATUS_OK;
}

int thread_client_id_get(struct thread_store *self, const struct id_hash *who, struct sent_row *row) {
    struct key key = key_of_row_hash(&self->thread, ROW_CLIENT_ID, who);
    return row_get(self, &key, &SENT_ROW_TABLE, row);
}

int thread_client_id_put(struct thread_store *self, const struct id_hash *who, const struct sent_row *row) {
    struct key key = key_of_row_hash(&self->thread, ROW_CLIENT_ID, who);
    return row_put(self, &key, &SENT_ROW_TABLE, row);
}

static uint64_t bucket_of(int64_t time_ms) {
    return time_ms < 0 ? 0 : (uint64_t)time_ms / LIMIT_REQUEST_ID_BUCKET_MS;
}

int thread_request_id_get(struct thread_store *self, const struct id_hash *who, int64_t now_ms, struct sent_row *row) {
    uint64_t newest = bucket_of(now_ms);
    uint64_t oldest = bucket_of(now_ms - LIMIT_REQUEST_ID_WINDOW_MS);
    for (uint64_t bucket = newest + 1; bucket-- > oldest;) {
        struct key key = key_of_request_id(&self->thread, bucket, who);
        int rc = row_get(self, &key, &SENT_ROW_TABLE, row);
        if (rc != STATUS_STORE_MISSING)
            return rc;
    }
    return STATUS_STORE_MISSING;
}

int thread_request_id_put(struct thread_store *self, const struct id_hash *who, int64_t now_ms,
                          const struct sent_row *row) {
    struct key key = key_of_request_id(&self->thread, bucket_of(now_ms), who);
    return row_put(self, &key, &SENT_ROW_TABLE, row);
}

/* Collects keys first: removing under a cursor would invalidate what it borrowed. */
static int rows_remove_from(struct store_transaction *transaction, const struct key *first, size_t rows_max,
                            bool (*is_wanted)(const void *context, struct bytes key), const void *context,
                            size_t *removed) {
    struct key found[EXPIRED_REQUEST_IDS_PER_CALL];
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    size_t count = 0;
    *removed = 0;
    int rc = store_cursor_open(transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(first), &key, &value);
    while (rc == STATUS_OK && count < EXPIRED_REQUEST_IDS_PER_CALL && count < rows_max && is_wanted(context, key)) {
        found[count].size = key.size;
        memcpy(found[count].data, key.data, key.size);
        count++;
        rc = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    for (size_t i = 0; i < count; i++) {
        rc = store_remove(transaction, STORE_STATE, key_bytes(&found[i]));
        if (rc != STATUS_OK)
            return rc;
    }
    *removed = count;
    return STATUS_OK;
}

struct expiry {
    const struct id_hash *thread;
    uint64_t oldest_bucket;
};

static bool request_id_is_expired(const void *context, struct bytes key) {
    const struct expiry *expiry = context;
    if (!key_is_of_row(key, expiry->thread, ROW_REQUEST_ID) || key.size < sizeof(struct id_hash) + 1 + 8)
        return false;
    return number_decode(key.data + sizeof(struct id_hash) + 1) < expiry->oldest_bucket;
}

int thread_request_ids_expire(struct thread_store *self, int64_t now_ms) {
    struct expiry expiry = {.thread = &self->thread, .oldest_bucket = bucket_of(now_ms - LIMIT_REQUEST_ID_WINDOW_MS)};
    struct key first = key_of_row(&self->thread, ROW_REQUEST_ID);
    size_t removed;
    return rows_remove_from(self->transaction, &first, EXPIRED_REQUEST_IDS_PER_CALL, request_id_is_expired, &expiry,
                            &removed);
}

int subject_tombstone_get(struct store_transaction *transaction, struct arena *arena, const struct seal_key *master,
                          const struct id_hash *subject, struct tombstone_row *row) {
    struct key key = key_of_row(subject, ROW_TOMBSTONE);
    return sealed_row_get(transaction, master, STORE_STATE, &key, &TOMBSTONE_ROW_TABLE, arena, row);
}

int subject_tombstone_put(struct store_transaction *transaction, const struct seal_key *master,
                          const struct id_hash *subject, const struct tombstone_row *row) {
    struct key key = key_of_row(subject, ROW_TOMBSTONE);
    return sealed_row_put(transaction, master, STORE_STATE, &key, &TOMBSTONE_ROW_TABLE, row);
}

int subject_tombstone_remove(struct store_transaction *transaction, const struct id_hash *subject) {
    struct key key = key_of_row(subject, ROW_TOMBSTONE);
    return store_remove(transaction, STORE_STATE, key_bytes(&key));
}

int subject_hold_get(struct store_transaction *transaction, struct arena *arena, const struct seal_key *master,
                     const struct id_hash *subject, struct hold_row *row) {
    struct key key = key_of_row(subject, ROW_HOLD);
    return sealed_row_get(transaction, master, STORE_STATE, &key, &HOLD_ROW_TABLE, arena, row);
}

int subject_hold_put(struct store_transaction *transaction, const struct seal_key *master,
                     const struct id_hash *subject, const struct hold_row *row) {
    struct key key = key_of_row(subject, ROW_HOLD);
    return sealed_row_put(transaction, master, STORE_STATE, &key, &HOLD_ROW_TABLE, row);
}

int subject_hold_remove(struct store_transaction *transaction, const struct id_hash *subject) {
    struct key key = key_of_row(subject, ROW_HOLD);
    return store_remove(transaction, STORE_STATE, key_bytes(&key));
}

struct purge {
    const struct id_hash *subject;
    bool spares_events;
};

static bool row_is_purgeable(const void *context, struct bytes key) {
    const struct purge *purge = context;
    if (!key_is_of_subject(key, purge->subject))
        return false;
    switch (key_row_kind(key)) {
    case ROW_TOMBSTONE:
        return false;
    case ROW_EVENT:
    case ROW_EVENT_CURSORS:
    case ROW_EVENT_MEMBER:
        return !purge->spares_events;
    default:
        return true;
    }
}

/* What stays lies between the rows that go, so they are removed in runs, each from behind a kind that may stay. */
int subject_rows_purge(struct store_transaction *transaction, const struct id_hash *subject, bool spares_events,
                       size_t rows_max, bool *is_done) {
    static const uint8_t starts[] = {0, ROW_EVENT + 1, ROW_TOMBSTONE + 1, ROW_EVENT_CURSORS + 1, ROW_EVENT_MEMBER + 1};
    struct purge purge = {.subject = subject, .spares_events = spares_events};
    size_t left = rows_max;
    for (size_t run = 0; run < sizeof(starts); run++) {
        struct key start = key_of_row(subject, (enum row_kind)starts[run]);
        size_t removed = 0;
        do {
            int rc = rows_remove_from(transaction, &start, left, row_is_purgeable, &purge, &removed);
            if (rc != STATUS_OK)
                return rc;
            left -= removed;
        } while (removed > 0 && left > 0);
    }
    *is_done = left > 0;
    return STATUS_OK;
}
