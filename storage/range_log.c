#include "storage/range_log.h"

#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/sealed_row.h"

/* Stored form of an entry: kind (1) | range (8) | epoch (8) | index (8) | subject (16) | sealed command. Of marks:
 * kind (1) | sealed marks. */
#define ENTRY_HEADER_BYTES 41
#define MARKS_HEADER_BYTES 1
#define TRIM_RECORDS_PER_ROUND 64

/* Marks are several bits away from entries: a flipped bit must not make them an entry of a subject that has no key,
 * which looks like a shredded one. */
enum record_kind { RECORD_UNDER_SUBJECT = 0, RECORD_UNDER_MASTER = 1, RECORD_OF_MARKS = 'M' };

static void header_encode(uint8_t header[ENTRY_HEADER_BYTES], enum record_kind kind, const struct log_place *place,
                          const struct id_hash *subject) {
    header[0] = (uint8_t)kind;
    number_encode(header + 1, place->range);
    number_encode(header + 9, place->epoch);
    number_encode(header + 17, place->index);
    memcpy(header + 25, subject->bytes, sizeof(subject->bytes));
}

/* The associated data of what is sealed: its number in the log and everything said in the clear. */
static struct key place_key(uint64_t number, const uint8_t *header, size_t header_size) {
    struct key key = key_of_log(number);
    memcpy(key.data + key.size, header, header_size);
    key.size += header_size;
    return key;
}

/* `stored` holds the header; what is sealed goes behind it. */
static int record_append(struct store_transaction *transaction, const struct seal_key *key, uint64_t number,
                         struct bytes plain, struct buffer *stored) {
    struct key record_key = key_of_log(number);
    struct key associated = place_key(number, stored->data, stored->size);
    seal_record(key, STORE_LOG, key_bytes(&associated), plain, stored);
    return store_append(transaction, STORE_LOG, key_bytes(&record_key), buffer_bytes(stored));
}

int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes) {
    struct seal_key key;
    enum record_kind kind = RECORD_UNDER_SUBJECT;
    int rc = bytes_is_present(wrapped_key) ? subject_key_put(transaction, subject, wrapped_key) : STATUS_OK;
    if (rc == STATUS_OK)
        rc = subject_key_get(transaction, master, subject, &key);
    if (rc == STATUS_STORE_MISSING || rc == STATUS_RECORD_CORRUPT) {
        kind = RECORD_UNDER_MASTER;
        key = *master;
        rc = STATUS_OK;
    }
    if (rc != STATUS_OK)
        return rc;

    struct buffer stored;
    buffer_init(&stored);
    header_encode(buffer_reserve(&stored, ENTRY_HEADER_BYTES), kind, place, subject);
    buffer_added(&stored, ENTRY_HEADER_BYTES);
    rc = record_append(transaction, &key, number, command, &stored);
    *stored_bytes = stored.size;
    buffer_close(&stored);
    return rc;
}

static int marks_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                        const struct range_marks_of *marks, size_t count, size_t *stored_bytes) {
    const uint8_t kind = RECORD_OF_MARKS;
    /* The record only reads them. */
    struct marks_record record = {.marks = (struct range_marks_of *)(uintptr_t)marks, .marks_count = count};
    struct buffer plain;
    struct buffer stored;
    buffer_init(&plain);
    buffer_init(&stored);
    codec_encode(&MARKS_RECORD_TABLE, &record, &plain);
    buffer_append(&stored, &kind, sizeof(kind));
    int rc = record_append(transaction, master, number, buffer_bytes(&plain), &stored);
    *stored_bytes = stored.size;
    buffer_close(&stored);
    buffer_close(&plain);
    return rc;
}

int range_log_append_marks(struct store_transaction *transaction, const struct seal_key *master, uint64_t *number,
                           const struct range_marks_of *marks, size_t count, size_t *stored_bytes) {
    *stored_bytes = 0;
    while (count > 0) {
        size_t some = count < RANGE_MARKS_PER_RECORD ? count : RANGE_MARKS_PER_RECORD;
        size_t bytes;
        int rc = marks_append(transaction, master, *number, marks, some, &bytes);
        if (rc != STATUS_OK)
            return rc;
        (*number)++;
        *stored_bytes += bytes;
        marks += some;
        count -= some;
    }
    return STATUS_OK;
}

static bool is_marks(struct bytes stored) {
    return stored.size > 0 && stored.data[0] == RECORD_OF_MARKS;
}

static int marks_open(const struct seal_key *master, struct arena *arena, struct bytes record_key, struct bytes stored,
                      struct marks_record *record) {
    struct bytes plain;
    if (record_key.size != 8 || stored.size < MARKS_HEADER_BYTES)
        return STATUS_RECORD_CORRUPT;
    struct key associated = place_key(number_decode(record_key.data), stored.data, MARKS_HEADER_BYTES);
    struct bytes sealed = bytes_of(stored.data + MARKS_HEADER_BYTES, stored.size - MARKS_HEADER_BYTES);
    int rc = seal_open(master, STORE_LOG, key_bytes(&associated), sealed, arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    bool is_sound = codec_decode(&MARKS_RECORD_TABLE, plain, arena, record) == STATUS_OK && record->marks_count > 0;
    return is_sound ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

/* `stored` is long enough. */
static int entry_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                      struct bytes stored, struct log_entry *entry) {
    struct seal_key key = *master;
    entry->place.range = (uint32_t)number_decode(stored.data + 1);
    entry->place.epoch = number_decode(stored.data + 9);
    entry->place.index = number_decode(stored.data + 17);
    memcpy(entry->subject.bytes, stored.data + 25, sizeof(entry->subject.bytes));
    if (stored.data[0] == RECORD_UNDER_SUBJECT) {
        int rc = subject_key_get(transaction, master, &entry->subject, &key);
        if (rc == STATUS_STORE_MISSING)
            return STATUS_OK; /* shredded */
        if (rc != STATUS_OK)
            return rc;
    }
    struct key associated = place_key(entry->number, stored.data, ENTRY_HEADER_BYTES);
    return seal_open(&key, STORE_LOG, key_bytes(&associated),
                     bytes_of(stored.data + ENTRY_HEADER_BYTES, stored.size - ENTRY_HEADER_BYTES), arena,
                     &entry->command);
}

int range_log_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                   struct bytes record_key, struct bytes stored, struct log_entry *entry) {
    *entry = (struct log_entry){0};
    if (record_key.size != 8 || stored.size == 0)
        return STATUS_RECORD_CORRUPT;
    entry->number = number_decode(record_key.data);
    if (is_marks(stored)) {
        struct marks_record record;
        int rc = marks_open(master, arena, record_key, stored, &record);
        if (rc == STATUS_OK) {
            entry->marks = record.marks;
            entry->marks_count = record.marks_count;
        }
        return rc;
    }
    if (stored.data[0] > RECORD_UNDER_MASTER || stored.size < ENTRY_HEADER_BYTES + SEAL_OVERHEAD_BYTES)
        return STATUS_RECORD_CORRUPT;
    return entry_open(transaction, master, arena, stored, entry);
}

int range_log_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                    uint64_t number, log_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_log(number);
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &stored);
    while (rc == STATUS_OK) {
        struct log_entry entry;
        rc = range_log_open(transaction, master, arena, key, stored, &entry);
        if (rc != STATUS_OK || !visit(context, &entry, stored.size))
            break;
        rc = store_cursor_next(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_log_next_number(struct store_transaction *transaction, uint64_t *number) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_last(cursor, &key, &stored);
    store_cursor_close(cursor);
    *number = rc == STATUS_OK ? key_suffix_number(key) + 1 : 1;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_log_size(struct store_transaction *transaction, size_t *bytes) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_log(0);
    struct bytes key;
    struct bytes stored;
    *bytes = 0;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    for (rc = store_cursor_seek(cursor, key_bytes(&first), &key, &stored); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &stored))
        *bytes += stored.size;
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

/* What one trim takes away. */
struct trimming {
    const struct seal_key *master;
    struct arena arena;
    struct range_marks_of *marks; /* the newest of each range */
    size_t marks_count;
    size_t marks_capacity;
};

static void trimmed_mark_keep(struct trimming *trimming, const struct range_marks_of *mark) {
    size_t i = 0;
    while (i < trimming->marks_count && trimming->marks[i].range != mark->range)
        i++;
    if (i == trimming->marks_capacity) {
        size_t capacity = i == 0 ? RANGE_MARKS_PER_RECORD : i * 2;
        struct range_marks_of *marks = ARENA_NEW_ARRAY(&trimming->arena, struct range_marks_of, capacity);
        if (i > 0)
            memcpy(marks, trimming->marks, i * sizeof(*marks));
        trimming->marks = marks;
        trimming->marks_capacity = capacity;
    }
    if (i == trimming->marks_count)
        trimming->marks_count++;
    trimming->marks[i] = *mark;
}

static int trimmed_marks_keep(struct trimming *trimming, struct bytes key, struct bytes stored) {
    struct marks_record record;
    int rc = marks_open(trimming->master, &trimming->arena, key, stored, &record);
    for (size_t i = 0; rc == STATUS_OK && i < record.marks_count; i++)
        trimmed_mark_keep(trimming, &record.marks[i]);
    return rc;
}

/* Collects keys first: removing under a cursor would invalidate what it borrowed. */
static int oldest_find(struct store_transaction *transaction, struct trimming *trimming, size_t bytes,
                       size_t records_max, struct key *found, size_t *count, size_t *found_bytes) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_log(0);
    struct bytes key;
    struct bytes stored;
    *count = 0;
    *found_bytes = 0;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &stored);
    while (rc == STATUS_OK && *count < records_max && *found_bytes < bytes) {
        if (is_marks(stored) && (rc = trimmed_marks_keep(trimming, key, stored)) != STATUS_OK)
            break;
        found[(*count)++] = key_of_log(key_suffix_number(key));
        *found_bytes += stored.size;
        rc = store_cursor_next(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int oldest_remove(struct store_transaction *transaction, struct trimming *trimming, size_t bytes,
                         size_t records_max, size_t *trimmed_bytes) {
    struct key found[TRIM_RECORDS_PER_ROUND];
    size_t count = 1;
    *trimmed_bytes = 0;
    while (*trimmed_bytes < bytes && records_max > 0 && count > 0) {
        size_t most = records_max < TRIM_RECORDS_PER_ROUND ? records_max : TRIM_RECORDS_PER_ROUND;
        size_t found_bytes;
        int rc = oldest_find(transaction, trimming, bytes - *trimmed_bytes, most, found, &count, &found_bytes);
        for (size_t i = 0; rc == STATUS_OK && i < count; i++)
            rc = store_remove(transaction, STORE_LOG, key_bytes(&found[i]));
        if (rc != STATUS_OK)
            return rc;
        *trimmed_bytes += found_bytes;
        records_max -= count;
    }
    return STATUS_OK;
}

/* STATUS_STORE_MISSING: no marks of this range were trimmed. */
static int marks_get(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                     uint32_t range, struct range_marks *marks) {
    struct key key = key_of_range_marks(range);
    return sealed_row_get(transaction, master, STORE_META, &key, &RANGE_MARKS_TABLE, arena, marks);
}

/* What is left of the log is newer, so it does not matter here whether it has marks of the same ranges. */
static int trimmed_marks_put(struct store_transaction *transaction, struct trimming *trimming) {
    for (size_t i = 0; i < trimming->marks_count; i++) {
        const struct range_marks_of *mark = &trimming->marks[i];
        struct range_marks marks = {.epoch = mark->epoch, .applied = mark->applied};
        struct range_marks before;
        struct key key = key_of_range_marks(mark->range);
        int rc = marks_get(transaction, trimming->master, &trimming->arena, mark->range, &before);
        if (rc == STATUS_STORE_MISSING || (rc == STATUS_OK && before.applied < marks.applied))
            rc = sealed_row_put(transaction, trimming->master, STORE_META, &key, &RANGE_MARKS_TABLE, &marks);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

int range_log_trim(struct store_transaction *transaction, const struct seal_key *master, size_t bytes,
                   size_t records_max, size_t *trimmed_bytes) {
    struct trimming trimming = {.master = master};
    arena_init(&trimming.arena);
    int rc = oldest_remove(transaction, &trimming, bytes, records_max, trimmed_bytes);
    if (rc == STATUS_OK)
        rc = trimmed_marks_put(transaction, &trimming);
    arena_close(&trimming.arena);
    return rc;
}

static int marks_take(const struct marks_record *record, struct range_marks *marks, uint32_t range_count) {
    for (size_t i = 0; i < record->marks_count; i++) {
        const struct range_marks_of *mark = &record->marks[i];
        if (mark->range >= range_count)
            return STATUS_RECORD_CORRUPT;
        marks[mark->range] = (struct range_marks){.epoch = mark->epoch, .applied = mark->applied};
    }
    return STATUS_OK;
}

static int marks_of_log_load(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                             struct range_marks *marks, uint32_t range_count) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_log(0);
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    for (rc = store_cursor_seek(cursor, key_bytes(&first), &key, &stored); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &stored)) {
        struct marks_record record;
        bool is_entry = stored.size > 0 && stored.data[0] <= RECORD_UNDER_MASTER;
        if (is_entry)
            continue;
        rc = marks_open(master, arena, key, stored, &record);
        if (rc == STATUS_OK)
            rc = marks_take(&record, marks, range_count);
        if (rc != STATUS_OK)
            break;
        arena_reset(arena);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_marks_load(struct store_transaction *transaction, const struct seal_key *master, struct range_marks *marks,
                     uint32_t range_count) {
    struct arena arena;
    int rc = STATUS_OK;
    arena_init(&arena);
    for (uint32_t i = 0; i < range_count && rc == STATUS_OK; i++) {
        marks[i] = (struct range_marks){0};
        rc = marks_get(transaction, master, &arena, i, &marks[i]);
        if (rc == STATUS_STORE_MISSING)
            rc = STATUS_OK;
    }
    if (rc == STATUS_OK)
        rc = marks_of_log_load(transaction, master, &arena, marks, range_count);
    arena_close(&arena);
    return rc;
}

int outbox_put(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
               uint64_t number, const struct outbox_row *row) {
    struct key key = key_of_outbox(subject, number);
    return sealed_row_put(transaction, master, STORE_OUTBOX, &key, &OUTBOX_ROW_TABLE, row);
}

int outbox_remove(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number) {
    struct key key = key_of_outbox(subject, number);
    int rc = store_remove(transaction, STORE_OUTBOX, key_bytes(&key));
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int outbox_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                 outbox_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = {.size = 1};
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(transaction, STORE_OUTBOX, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK) {
        struct outbox_row row;
        struct bytes plain;
        if (key.size != sizeof(struct id_hash) + 8) {
            rc = STATUS_RECORD_CORRUPT;
            break;
        }
        struct id_hash subject = key_subject(key);
        rc = seal_open(master, STORE_OUTBOX, key, sealed, arena, &plain);
        if (rc == STATUS_OK && codec_decode(&OUTBOX_ROW_TABLE, plain, arena, &row) != STATUS_OK)
            rc = STATUS_RECORD_CORRUPT;
        if (rc != STATUS_OK || !visit(context, &subject, key_suffix_number(key), &row))
            break;
        rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}
