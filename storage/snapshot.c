#include "storage/snapshot.h"

#include <sodium.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/range_progress.h"

#define CHUNK_FORM 2
#define CHUNK_IS_LAST 1
#define CLUSTER_BYTES 16
#define HASH_BYTES 16
#define HEADER_BYTES (2 + CLUSTER_BYTES + 7 * 8)
#define ROW_HEADER_BYTES 6
#define WIPE_ROWS_PER_ROUND 64

/* ---- where the rows are ---- */

/* Where the rows of a table lie: behind a prefix their keys start with a hash. */
struct section {
    enum store_table table;
    const char *prefix;
};

static const struct section sent_sections[] = {{STORE_STATE, ""}, {STORE_OUTBOX, ""}};
static const struct section wiped_sections[] = {{STORE_STATE, ""}, {STORE_OUTBOX, ""}, {STORE_META, "key"}};

static struct key section_first_key(const struct section *section, const struct bounds *bounds) {
    struct key key = {.size = strlen(section->prefix)};
    memcpy(key.data, section->prefix, key.size);
    number_encode(key.data + key.size, bounds->first);
    key.size += 8;
    return key;
}

static bool section_has_key(const struct section *section, const struct bounds *bounds, struct bytes key) {
    size_t prefix = strlen(section->prefix);
    if (key.size < prefix + sizeof(struct id_hash) || !bytes_starts_with(key, section->prefix))
        return false;
    return bounds_have(bounds, number_decode(key.data + prefix));
}

/* ---- chunks ---- */

/* What nobody has who does not have the cluster's keys, and tells one cluster from another. */
static void cluster_mark(const struct snapshot_scope *scope, uint8_t mark[CLUSTER_BYTES]) {
    struct buffer text;
    buffer_init(&text);
    buffer_append_text(&text, "weft snapshot of the cluster");
    buffer_append(&text, scope->hash_key, ID_HASH_KEY_BYTES);
    crypto_generichash(mark, CLUSTER_BYTES, text.data, text.size, scope->master->bytes, sizeof(scope->master->bytes));
    buffer_close(&text);
}

static void chunk_hash(const struct snapshot_scope *scope, struct bytes chunk, uint8_t hash[HASH_BYTES]) {
    crypto_generichash(hash, HASH_BYTES, chunk.data, chunk.size, scope->master->bytes, sizeof(scope->master->bytes));
}

static void buffer_append_number(struct buffer *out, uint64_t number) {
    number_encode(buffer_reserve(out, 8), number);
    buffer_added(out, 8);
}

static void chunk_begin(const struct snapshot_scope *scope, const struct snapshot_facts *facts, struct buffer *out) {
    const uint8_t start[] = {CHUNK_FORM, 0};
    out->size = 0;
    buffer_append(out, start, sizeof(start));
    cluster_mark(scope, buffer_reserve(out, CLUSTER_BYTES));
    buffer_added(out, CLUSTER_BYTES);
    buffer_append_number(out, scope->range);
    buffer_append_number(out, scope->bounds.first);
    buffer_append_number(out, scope->bounds.last);
    buffer_append_number(out, facts->number);
    buffer_append_number(out, facts->chunks);
    buffer_append_number(out, facts->marks.epoch);
    buffer_append_number(out, facts->marks.applied);
    check(out->size == HEADER_BYTES);
}

static void chunk_end(const struct snapshot_scope *scope, bool is_last, struct buffer *out) {
    out->data[1] = is_last ? CHUNK_IS_LAST : 0;
    uint8_t *hash = buffer_reserve(out, HASH_BYTES);
    chunk_hash(scope, buffer_bytes(out), hash);
    buffer_added(out, HASH_BYTES);
}

static void row_add(enum store_table table, struct bytes key, struct bytes value, struct buffer *out) {
    uint8_t header[ROW_HEADER_BYTES] = {(uint8_t)table,
                                        (uint8_t)key.size,
                                        (uint8_t)(value.size >> 24),
                                        (uint8_t)(value.size >> 16),
                                        (uint8_t)(value.size >> 8),
                                        (uint8_t)value.size};
    check(key.size <= STORE_KEY_BYTES_MAX && value.size <= UINT32_MAX);
    buffer_append(out, header, sizeof(header));
    buffer_append_bytes(out, key);
    buffer_append_bytes(out, value);
}

struct row {
    enum store_table table;
    struct bytes key;
    struct bytes value;
};

/* The first row of `rows`, which becomes what follows. False: there is no sound row. */
static bool row_take(struct bytes *rows, struct row *row) {
    const uint8_t *header = rows->data;
    if (rows->size < ROW_HEADER_BYTES)
        return false;
    size_t key_size = header[1];
    size_t value_size = (size_t)header[2] << 24 | (size_t)header[3] << 16 | (size_t)header[4] << 8 | header[5];
    size_t left = rows->size - ROW_HEADER_BYTES;
    if (key_size > left || value_size > left - key_size || key_size > STORE_KEY_BYTES_MAX)
        return false;
    row->table = (enum store_table)header[0];
    row->key = bytes_of(header + ROW_HEADER_BYTES, key_size);
    row->value = bytes_of(row->key.data + key_size, value_size);
    *rows = bytes_of(row->value.data + value_size, left - key_size - value_size);
    return true;
}

/* ---- out ---- */

struct snapshot {
    struct snapshot_scope scope;
    struct snapshot_facts facts;
    struct snapshot_spool *spool;
    size_t chunk_bytes;
    struct buffer chunk; /* the one that fills */
    struct buffer ends;  /* of each chunk in the spool, as uint64_t */
};

static int chunk_flush(struct snapshot *self, bool is_last) {
    chunk_end(&self->scope, is_last, &self->chunk);
    int rc = snapshot_spool_append(self->spool, buffer_bytes(&self->chunk));
    if (rc != STATUS_OK)
        return rc;
    self->facts.bytes += self->chunk.size;
    self->facts.chunks++;
    buffer_append(&self->ends, &self->facts.bytes, sizeof(self->facts.bytes));
    return STATUS_OK;
}

static int row_write(struct snapshot *self, enum store_table table, struct bytes key, struct bytes value) {
    size_t size = ROW_HEADER_BYTES + key.size + value.size;
    bool is_empty = self->chunk.size == HEADER_BYTES;
    if (!is_empty && self->chunk.size + size + HASH_BYTES > self->chunk_bytes) {
        int rc = chunk_flush(self, false);
        if (rc != STATUS_OK)
            return rc;
        chunk_begin(&self->scope, &self->facts, &self->chunk);
    }
    row_add(table, key, value, &self->chunk);
    return STATUS_OK;
}

static int section_write(struct snapshot *self, struct store_transaction *transaction, const struct section *section,
                         const struct bounds *bounds) {
    struct store_cursor *cursor = NULL;
    struct key first = section_first_key(section, bounds);
    struct bytes key;
    struct bytes value;
    int rc = store_cursor_open(transaction, section->table, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &value);
    while (rc == STATUS_OK && section_has_key(section, bounds, key)) {
        rc = row_write(self, section->table, key, value);
        if (rc == STATUS_OK)
            rc = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int rows_read(struct snapshot *self, struct store_transaction *transaction) {
    struct bounds bounds;
    int rc = range_marks_find(transaction, self->scope.master, self->scope.range, &self->facts.marks);
    if (rc == STATUS_OK && self->facts.marks.is_incomplete)
        rc = STATUS_STORE_MISSING;
    if (rc != STATUS_OK)
        return rc;
    chunk_begin(&self->scope, &self->facts, &self->chunk);
    for (size_t i = 0; i < sizeof(sent_sections) / sizeof(sent_sections[0]) && rc == STATUS_OK; i++)
        rc = section_write(self, transaction, &sent_sections[i], &self->scope.bounds);
    if (rc == STATUS_OK)
        rc = range_bounds_find(transaction, self->scope.master, self->scope.range, &bounds);
    /* It was split, and the disk does not know yet. */
    if (rc == STATUS_OK && bounds_are_said(&bounds) && !bounds_equal(&bounds, &self->scope.bounds))
        rc = STATUS_STORE_MISSING;
    return rc == STATUS_OK ? chunk_flush(self, true) : rc;
}

int snapshot_read(struct store *store, const struct snapshot_scope *scope, uint64_t number, size_t chunk_bytes,
                  struct snapshot_spool *spool, struct snapshot **snapshot) {
    struct store_transaction *transaction = NULL;
    struct snapshot *self = calloc(1, sizeof(*self));
    check(self != NULL && chunk_bytes >= SNAPSHOT_CHUNK_BYTES_MIN);
    *self = (struct snapshot){.scope = *scope, .facts.number = number, .spool = spool, .chunk_bytes = chunk_bytes};
    buffer_init(&self->chunk);
    buffer_init(&self->ends);
    int rc = store_begin_read(store, &transaction);
    if (rc == STATUS_OK) {
        rc = rows_read(self, transaction);
        store_abort(transaction);
    }
    buffer_close(&self->chunk);
    if (rc != STATUS_OK) {
        snapshot_close(self);
        return rc;
    }
    *snapshot = self;
    return STATUS_OK;
}

const struct snapshot_facts *snapshot_facts(const struct snapshot *snapshot) {
    return &snapshot->facts;
}

static uint64_t chunk_start(const struct snapshot *snapshot, uint64_t chunk) {
    uint64_t end = 0;
    if (chunk > 0)
        memcpy(&end, snapshot->ends.data + (chunk - 1) * sizeof(end), sizeof(end));
    return end;
}

int snapshot_chunk_read(struct snapshot *snapshot, uint64_t chunk, struct buffer *out) {
    check(chunk < snapshot->facts.chunks);
    uint64_t start = chunk_start(snapshot, chunk);
    size_t size = (size_t)(chunk_start(snapshot, chunk + 1) - start);
    out->size = 0;
    int rc = snapshot_spool_read(snapshot->spool, start, buffer_reserve(out, size), size);
    if (rc == STATUS_OK)
        buffer_added(out, size);
    return rc;
}

void snapshot_close(struct snapshot *snapshot) {
    snapshot_spool_close(snapshot->spool);
    buffer_close(&snapshot->ends);
    free(snapshot);
}

/* ---- in ---- */

static bool rows_are_of_range(const struct snapshot_scope *scope, struct bytes rows) {
    struct row row;
    while (rows.size > 0) {
        if (!row_take(&rows, &row) || (row.table != STORE_STATE && row.table != STORE_OUTBOX))
            return false;
        const struct section section = {.table = row.table, .prefix = ""};
        if (!section_has_key(&section, &scope->bounds, row.key))
            return false;
    }
    return true;
}

int snapshot_chunk_open(const struct snapshot_scope *scope, struct bytes encoded, struct snapshot_chunk *chunk) {
    uint8_t cluster[CLUSTER_BYTES];
    uint8_t hash[HASH_BYTES];
    const uint8_t *numbers = encoded.data + 2 + CLUSTER_BYTES;
    if (encoded.size < HEADER_BYTES + HASH_BYTES || encoded.data[0] != CHUNK_FORM)
        return STATUS_RECORD_CORRUPT;
    cluster_mark(scope, cluster);
    if (sodium_memcmp(cluster, encoded.data + 2, CLUSTER_BYTES) != 0)
        return STATUS_CONFLICT;
    size_t hashed = encoded.size - HASH_BYTES;
    chunk_hash(scope, bytes_of(encoded.data, hashed), hash);
    if (sodium_memcmp(hash, encoded.data + hashed, HASH_BYTES) != 0)
        return STATUS_RECORD_CORRUPT;
    const struct bounds bounds = {.first = number_decode(numbers + 8), .last = number_decode(numbers + 16)};
    if (number_decode(numbers) != scope->range || !bounds_equal(&bounds, &scope->bounds))
        return STATUS_CONFLICT;
    *chunk =
        (struct snapshot_chunk){.snapshot = number_decode(numbers + 24),
                                .number = number_decode(numbers + 32),
                                .is_last = (encoded.data[1] & CHUNK_IS_LAST) != 0,
                                .marks = {.epoch = number_decode(numbers + 40), .applied = number_decode(numbers + 48)},
                                .rows = bytes_of(encoded.data + HEADER_BYTES, hashed - HEADER_BYTES)};
    return rows_are_of_range(scope, chunk->rows) ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

int snapshot_chunk_put(struct store_transaction *transaction, const struct snapshot_chunk *chunk) {
    struct bytes rows = chunk->rows;
    struct row row;
    int rc = STATUS_OK;
    while (rc == STATUS_OK && rows.size > 0) {
        check(row_take(&rows, &row));
        rc = store_put(transaction, row.table, row.key, row.value);
    }
    return rc;
}

/* Collects keys first: removing under a cursor would invalidate what it borrowed. */
static int keys_find(struct store_transaction *transaction, const struct section *section, const struct bounds *bounds,
                     size_t keys_max, struct key *found, size_t *count) {
    struct store_cursor *cursor = NULL;
    struct key first = section_first_key(section, bounds);
    struct bytes key;
    struct bytes value;
    *count = 0;
    int rc = store_cursor_open(transaction, section->table, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &value);
    while (rc == STATUS_OK && *count < keys_max && section_has_key(section, bounds, key)) {
        struct key *taken = &found[(*count)++];
        taken->size = key.size;
        memcpy(taken->data, key.data, key.size);
        rc = store_cursor_next(cursor, &key, &value);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int section_wipe(struct store_transaction *transaction, const struct section *section,
                        const struct bounds *bounds, size_t *rows_left) {
    struct key found[WIPE_ROWS_PER_ROUND];
    size_t count = 1;
    while (count > 0 && *rows_left > 0) {
        size_t most = *rows_left < WIPE_ROWS_PER_ROUND ? *rows_left : WIPE_ROWS_PER_ROUND;
        int rc = keys_find(transaction, section, bounds, most, found, &count);
        for (size_t i = 0; rc == STATUS_OK && i < count; i++)
            rc = store_remove(transaction, section->table, key_bytes(&found[i]));
        if (rc != STATUS_OK)
            return rc;
        *rows_left -= count;
    }
    return STATUS_OK;
}

int snapshot_wipe(struct store_transaction *transaction, const struct bounds *bounds, size_t rows_max, bool *is_done) {
    size_t rows_left = rows_max;
    int rc = STATUS_OK;
    for (size_t i = 0; i < sizeof(wiped_sections) / sizeof(wiped_sections[0]) && rc == STATUS_OK; i++)
        rc = section_wipe(transaction, &wiped_sections[i], bounds, &rows_left);
    *is_done = rows_left > 0;
    return rc;
}
