#include "storage/range_log.h"

#include "proto/status.h"
#include "storage/log_record.h"
#include "storage/sealed_row.h"

#define TRIM_RECORDS_PER_ROUND 64

/* ---- writing ---- */

/* `stored` holds the header; what is sealed goes behind it. */
static void record_seal(const struct seal_key *key, uint64_t number, struct bytes plain, struct buffer *stored) {
    struct key associated = log_record_place(number, stored->data, stored->size);
    seal_record(key, STORE_LOG, key_bytes(&associated), plain, stored);
}

static int waiting_key_get(struct store_transaction *transaction, const struct seal_key *master,
                           const struct id_hash *subject, uint64_t *index, struct seal_key *key) {
    struct key row_key = key_of_waiting_key(subject);
    struct waiting_key_row row;
    struct arena arena;
    arena_init(&arena);
    int rc = sealed_row_get(transaction, master, STORE_META, &row_key, &WAITING_KEY_TABLE, &arena, &row);
    if (rc == STATUS_OK)
        rc = seal_key_unwrap(master, subject, row.wrapped, key);
    if (rc == STATUS_OK)
        *index = row.index;
    arena_close(&arena);
    return rc;
}

static int waiting_key_put(struct store_transaction *transaction, const struct seal_key *master,
                           const struct id_hash *subject, uint64_t index, struct bytes wrapped) {
    struct key row_key = key_of_waiting_key(subject);
    struct waiting_key_row row = {.index = index, .wrapped = wrapped};
    return sealed_row_put(transaction, master, STORE_META, &row_key, &WAITING_KEY_TABLE, &row);
}

static int waiting_key_remove(struct store_transaction *transaction, const struct id_hash *subject) {
    struct key row_key = key_of_waiting_key(subject);
    return store_remove(transaction, STORE_META, key_bytes(&row_key));
}

/* What the entry of a subject at `index` is sealed under: the subject's data key, or one that has waited since then or
 * before. STATUS_STORE_MISSING: neither is there. */
static int entry_key_get(struct store_transaction *transaction, const struct seal_key *master,
                         const struct id_hash *subject, uint64_t index, struct seal_key *key) {
    uint64_t waiting_index;
    int rc = subject_key_get(transaction, master, subject, key);
    if (rc != STATUS_STORE_MISSING)
        return rc;
    rc = waiting_key_get(transaction, master, subject, &waiting_index, key);
    return rc == STATUS_OK && waiting_index > index ? STATUS_STORE_MISSING : rc;
}

static int entry_append(struct store_transaction *transaction, const struct seal_key *key, uint64_t number,
                        const struct log_header *header, struct bytes command, size_t *stored_bytes) {
    struct key record_key = key_of_log(number);
    struct buffer stored;
    buffer_init(&stored);
    log_header_encode(header, &stored);
    record_seal(key, number, command, &stored);
    int rc = store_append(transaction, STORE_LOG, key_bytes(&record_key), buffer_bytes(&stored));
    *stored_bytes = stored.size;
    buffer_close(&stored);
    return rc;
}

static int append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                  const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                  bool is_waiting, struct bytes command, size_t *stored_bytes) {
    struct seal_key key;
    struct log_header header = {.kind = LOG_ENTRY_UNDER_SUBJECT, .place = *place, .subject = *subject};
    int rc = entry_key_get(transaction, master, subject, place->index, &key);
    if (rc == STATUS_STORE_MISSING && bytes_is_present(wrapped_key)) {
        rc = seal_key_unwrap(master, subject, wrapped_key, &key);
        if (rc == STATUS_OK && is_waiting)
            rc = waiting_key_put(transaction, master, subject, place->index, wrapped_key);
    }
    if (rc == STATUS_STORE_MISSING || rc == STATUS_RECORD_CORRUPT) {
        header.kind = LOG_ENTRY_UNDER_MASTER;
        key = *master;
        rc = STATUS_OK;
    }
    return rc == STATUS_OK ? entry_append(transaction, &key, number, &header, command, stored_bytes) : rc;
}

int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes) {
    return append(transaction, master, number, place, subject, wrapped_key, false, command, stored_bytes);
}

int range_log_append_waiting(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                             const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                             struct bytes command, size_t *stored_bytes) {
    return append(transaction, master, number, place, subject, wrapped_key, true, command, stored_bytes);
}

int range_log_key_release(struct store_transaction *transaction, const struct seal_key *master,
                          const struct log_place *place, const struct id_hash *subject, struct seal_key *key) {
    uint64_t index;
    int rc = waiting_key_get(transaction, master, subject, &index, key);
    if (rc == STATUS_OK && index != place->index)
        rc = STATUS_STORE_MISSING; /* an earlier creation's */
    return rc == STATUS_OK ? waiting_key_remove(transaction, subject) : rc;
}

static int marks_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                        const struct range_marks_of *marks, size_t count, size_t *stored_bytes) {
    const uint8_t kind = LOG_MARKS;
    struct key record_key = key_of_log(number);
    /* The record only reads them. */
    struct marks_record record = {.marks = (struct range_marks_of *)(uintptr_t)marks, .marks_count = count};
    struct buffer plain;
    struct buffer stored;
    buffer_init(&plain);
    buffer_init(&stored);
    codec_encode(&MARKS_RECORD_TABLE, &record, &plain);
    buffer_append(&stored, &kind, sizeof(kind));
    record_seal(master, number, buffer_bytes(&plain), &stored);
    int rc = store_append(transaction, STORE_LOG, key_bytes(&record_key), buffer_bytes(&stored));
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

/* ---- reading ---- */

/* `entry->command` stays absent when its key is gone. */
static int entry_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                      const struct log_header *header, struct bytes stored, struct log_entry *entry) {
    struct seal_key key = *master;
    if (header->kind == LOG_ENTRY_UNDER_SUBJECT) {
        int rc = entry_key_get(transaction, master, &header->subject, header->place.index, &key);
        if (rc == STATUS_STORE_MISSING)
            return STATUS_OK;
        if (rc != STATUS_OK)
            return rc;
    }
    struct key associated = log_record_place(entry->number, stored.data, LOG_ENTRY_HEADER_BYTES);
    return seal_open(&key, STORE_LOG, key_bytes(&associated),
                     bytes_of(stored.data + LOG_ENTRY_HEADER_BYTES, stored.size - LOG_ENTRY_HEADER_BYTES), arena,
                     &entry->command);
}

int range_log_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                   struct bytes record_key, struct bytes stored, struct log_entry *entry) {
    struct log_header header;
    struct marks_record record;
    *entry = (struct log_entry){0};
    if (record_key.size != 8)
        return STATUS_RECORD_CORRUPT;
    entry->number = number_decode(record_key.data);
    if (log_record_is_marks(stored)) {
        int rc = log_marks_open(master, arena, record_key, stored, &record);
        if (rc == STATUS_OK) {
            entry->marks = record.marks;
            entry->marks_count = record.marks_count;
        }
        return rc;
    }
    int rc = log_header_decode(stored, &header);
    if (rc != STATUS_OK)
        return rc;
    entry->place = header.place;
    entry->subject = header.subject;
    return entry_open(transaction, master, arena, &header, stored, entry);
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

/* ---- the old end ---- */

/* What one trim takes away. */
struct trimming {
    const struct seal_key *master;
    const struct range_progress *ranges;
    uint32_t range_count;
    bool is_at_end; /* what comes next must stay */
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
    int rc = log_marks_open(trimming->master, &trimming->arena, key, stored, &record);
    for (size_t i = 0; rc == STATUS_OK && i < record.marks_count; i++)
        trimmed_mark_keep(trimming, &record.marks[i]);
    return rc;
}

/* An index beyond the range's newest is a damaged one: it must not keep the log from being trimmed for ever. */
static bool must_stay(const struct trimming *trimming, struct bytes key, struct bytes stored) {
    struct log_header header;
    if (log_header_decode(stored, &header) != STATUS_OK || header.place.range >= trimming->range_count)
        return false;
    const struct range_progress *range = &trimming->ranges[header.place.range];
    return key_suffix_number(key) >= range->void_below && header.place.index > range->marks.applied &&
           header.place.index <= range->last_index;
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
        if (log_record_is_marks(stored) && (rc = trimmed_marks_keep(trimming, key, stored)) != STATUS_OK)
            break;
        trimming->is_at_end = must_stay(trimming, key, stored);
        if (trimming->is_at_end)
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
    while (*trimmed_bytes < bytes && records_max > 0 && count > 0 && !trimming->is_at_end) {
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

/* They are newer than what is in the rows, and older than what is left of the log. */
static int trimmed_marks_put(struct store_transaction *transaction, const struct trimming *trimming) {
    for (size_t i = 0; i < trimming->marks_count; i++) {
        const struct range_marks_of *mark = &trimming->marks[i];
        struct range_marks marks = {
            .epoch = mark->epoch, .applied = mark->applied, .is_incomplete = mark->is_incomplete};
        struct key key = key_of_range_marks(mark->range);
        int rc = sealed_row_put(transaction, trimming->master, STORE_META, &key, &RANGE_MARKS_TABLE, &marks);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

int range_log_trim(struct store_transaction *transaction, const struct seal_key *master,
                   const struct range_progress *ranges, uint32_t range_count, size_t bytes, size_t records_max,
                   size_t *trimmed_bytes) {
    struct trimming trimming = {.master = master, .ranges = ranges, .range_count = range_count};
    arena_init(&trimming.arena);
    int rc = oldest_remove(transaction, &trimming, bytes, records_max, trimmed_bytes);
    if (rc == STATUS_OK)
        rc = trimmed_marks_put(transaction, &trimming);
    arena_close(&trimming.arena);
    return rc;
}

/* ---- the new end ---- */

/* Visits the headers of entries from the newest down, until `visit` returns false. Marks are passed over, and so is
 * what has no sound header. */
typedef bool (*header_visitor)(void *context, uint64_t number, const struct log_header *header, struct bytes stored);

static int newest_visit(struct store_transaction *transaction, header_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    for (rc = store_cursor_last(cursor, &key, &stored); rc == STATUS_OK;
         rc = store_cursor_previous(cursor, &key, &stored)) {
        struct log_header header;
        if (log_header_decode(stored, &header) == STATUS_OK && !visit(context, key_suffix_number(key), &header, stored))
            break;
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

struct cut_entry {
    struct cut_entry *next;
    uint64_t number;
    uint64_t from; /* of its truncation */
    struct id_hash subject;
    size_t stored_bytes;
};

struct cutting {
    const struct log_truncation *truncations;
    size_t count;
    bool *is_over; /* of each truncation: all that it removes has been found */
    size_t left;
    struct cut_entry *entries;
    struct arena arena;
};

static void truncation_end(struct cutting *cutting, size_t i) {
    cutting->left -= cutting->is_over[i] ? 0 : 1;
    cutting->is_over[i] = true;
}

static bool entry_cut(void *context, uint64_t number, const struct log_header *header, struct bytes stored) {
    struct cutting *cutting = context;
    size_t i = 0;
    while (i < cutting->count && cutting->truncations[i].range != header->place.range)
        i++;
    if (i == cutting->count || cutting->is_over[i])
        return true;
    uint64_t from = cutting->truncations[i].from;
    if (header->place.index >= from) {
        struct cut_entry *entry = ARENA_NEW(&cutting->arena, struct cut_entry);
        *entry = (struct cut_entry){.next = cutting->entries,
                                    .number = number,
                                    .from = from,
                                    .subject = header->subject,
                                    .stored_bytes = stored.size};
        cutting->entries = entry;
    }
    if (header->place.index <= from)
        truncation_end(cutting, i);
    return cutting->left > 0;
}

/* A key waits for the creation that brought it, and for no later one of the same subject. */
static int cut_entry_remove(struct store_transaction *transaction, const struct seal_key *master,
                            const struct cut_entry *entry) {
    struct key record_key = key_of_log(entry->number);
    struct seal_key key;
    uint64_t index;
    int rc = waiting_key_get(transaction, master, &entry->subject, &index, &key);
    if (rc == STATUS_OK && index >= entry->from)
        rc = waiting_key_remove(transaction, &entry->subject);
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    return store_remove(transaction, STORE_LOG, key_bytes(&record_key));
}

int range_log_truncate(struct store_transaction *transaction, const struct seal_key *master,
                       const struct range_progress *ranges, const struct log_truncation *truncations, size_t count,
                       size_t *removed_bytes) {
    struct cutting cutting = {.truncations = truncations, .count = count, .left = count};
    *removed_bytes = 0;
    arena_init(&cutting.arena);
    cutting.is_over = ARENA_NEW_ARRAY(&cutting.arena, bool, count);
    /* So that one that removes nothing does not search the whole log. */
    for (size_t i = 0; i < count; i++)
        if (truncations[i].from > ranges[truncations[i].range].last_index)
            truncation_end(&cutting, i);
    int rc = cutting.left == 0 ? STATUS_OK : newest_visit(transaction, entry_cut, &cutting);
    for (const struct cut_entry *entry = cutting.entries; entry != NULL && rc == STATUS_OK; entry = entry->next) {
        rc = cut_entry_remove(transaction, master, entry);
        *removed_bytes += entry->stored_bytes;
    }
    arena_close(&cutting.arena);
    return rc;
}

struct resealed {
    struct resealed *next;
    uint64_t number;
    struct log_header header;
    struct bytes command;
};

struct resealing {
    const struct log_shredding *shreddings;
    size_t count;
    bool *is_over;
    size_t left;
    struct resealed *entries;
    struct arena arena;
};

/* An entry that a later key of the subject seals does not open with this one, and may stay as it is. */
static void entry_open_again(struct resealing *resealing, const struct log_shredding *shredding, uint64_t number,
                             const struct log_header *header, struct bytes stored) {
    struct key associated = log_record_place(number, stored.data, LOG_ENTRY_HEADER_BYTES);
    struct bytes sealed = bytes_of(stored.data + LOG_ENTRY_HEADER_BYTES, stored.size - LOG_ENTRY_HEADER_BYTES);
    struct bytes command;
    if (header->kind != LOG_ENTRY_UNDER_SUBJECT || !id_hash_equal(&header->subject, &shredding->subject) ||
        seal_open(&shredding->key, STORE_LOG, key_bytes(&associated), sealed, &resealing->arena, &command) != STATUS_OK)
        return;
    struct resealed *entry = ARENA_NEW(&resealing->arena, struct resealed);
    *entry = (struct resealed){.next = resealing->entries, .number = number, .header = *header, .command = command};
    entry->header.kind = LOG_ENTRY_UNDER_MASTER;
    resealing->entries = entry;
}

static bool entry_reseal(void *context, uint64_t number, const struct log_header *header, struct bytes stored) {
    struct resealing *resealing = context;
    for (size_t i = 0; i < resealing->count; i++) {
        const struct log_shredding *shredding = &resealing->shreddings[i];
        if (resealing->is_over[i] || header->place.range != shredding->place.range)
            continue;
        if (header->place.index > shredding->place.index) {
            entry_open_again(resealing, shredding, number, header, stored);
        } else {
            resealing->is_over[i] = true;
            resealing->left--;
        }
    }
    return resealing->left > 0;
}

int range_log_reseal(struct store_transaction *transaction, const struct seal_key *master,
                     const struct log_shredding *shreddings, size_t count) {
    struct resealing resealing = {.shreddings = shreddings, .count = count, .left = count};
    struct buffer stored;
    if (count == 0)
        return STATUS_OK;
    buffer_init(&stored);
    arena_init(&resealing.arena);
    resealing.is_over = ARENA_NEW_ARRAY(&resealing.arena, bool, count);
    int rc = newest_visit(transaction, entry_reseal, &resealing);
    for (const struct resealed *entry = resealing.entries; entry != NULL && rc == STATUS_OK; entry = entry->next) {
        struct key record_key = key_of_log(entry->number);
        stored.size = 0;
        log_header_encode(&entry->header, &stored);
        record_seal(master, entry->number, entry->command, &stored);
        rc = store_put(transaction, STORE_LOG, key_bytes(&record_key), buffer_bytes(&stored));
    }
    arena_close(&resealing.arena);
    buffer_close(&stored);
    return rc;
}

/* ---- the outbox ---- */

int outbox_put(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
               uint64_t number, const struct outbox_row *row) {
    struct key key = key_of_outbox(subject, number);
    return sealed_row_put(transaction, master, STORE_OUTBOX, &key, &OUTBOX_ROW_TABLE, row);
}

int outbox_has(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number, bool *has) {
    struct key key = key_of_outbox(subject, number);
    struct bytes sealed;
    int rc = store_get(transaction, STORE_OUTBOX, key_bytes(&key), &sealed);
    *has = rc == STATUS_OK;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
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
