#include "storage/range_log.h"

#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/sealed_row.h"

/* Stored form: flags (1) | range (8) | epoch (8) | index (8) | subject (16) | sealed command. */
#define ENTRY_HEADER_BYTES 41
#define ENTRY_UNDER_MASTER 1
#define TRIM_ENTRIES_PER_ROUND 64

static void header_encode(uint8_t header[ENTRY_HEADER_BYTES], uint8_t flags, const struct log_place *place,
                          const struct id_hash *subject) {
    header[0] = flags;
    number_encode(header + 1, place->range);
    number_encode(header + 9, place->epoch);
    number_encode(header + 17, place->index);
    memcpy(header + 25, subject->bytes, sizeof(subject->bytes));
}

/* The associated data of a sealed command: its number in the log and everything said in the clear. */
static struct key place_key(uint64_t number, const uint8_t header[ENTRY_HEADER_BYTES]) {
    struct key key = key_of_log(number);
    memcpy(key.data + key.size, header, ENTRY_HEADER_BYTES);
    key.size += ENTRY_HEADER_BYTES;
    return key;
}

int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes) {
    struct seal_key key;
    uint8_t flags = 0;
    int rc = bytes_is_present(wrapped_key) ? subject_key_put(transaction, subject, wrapped_key) : STATUS_OK;
    if (rc == STATUS_OK)
        rc = subject_key_get(transaction, master, subject, &key);
    if (rc == STATUS_STORE_MISSING || rc == STATUS_RECORD_CORRUPT) {
        flags |= ENTRY_UNDER_MASTER;
        key = *master;
        rc = STATUS_OK;
    }
    if (rc != STATUS_OK)
        return rc;

    struct buffer stored;
    struct key record_key = key_of_log(number);
    buffer_init(&stored);
    header_encode(buffer_reserve(&stored, ENTRY_HEADER_BYTES), flags, place, subject);
    struct key associated = place_key(number, stored.data);
    buffer_added(&stored, ENTRY_HEADER_BYTES);
    seal_record(&key, STORE_LOG, key_bytes(&associated), command, &stored);
    rc = store_append(transaction, STORE_LOG, key_bytes(&record_key), buffer_bytes(&stored));
    *stored_bytes = stored.size;
    buffer_close(&stored);
    return rc;
}

int range_log_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                   struct bytes record_key, struct bytes stored, struct log_entry *entry) {
    if (record_key.size != 8 || stored.size < ENTRY_HEADER_BYTES + SEAL_OVERHEAD_BYTES)
        return STATUS_RECORD_CORRUPT;
    uint64_t number = number_decode(record_key.data);
    *entry = (struct log_entry){.number = number};
    entry->place.range = (uint32_t)number_decode(stored.data + 1);
    entry->place.epoch = number_decode(stored.data + 9);
    entry->place.index = number_decode(stored.data + 17);
    memcpy(entry->subject.bytes, stored.data + 25, sizeof(entry->subject.bytes));

    struct seal_key key = *master;
    if ((stored.data[0] & ENTRY_UNDER_MASTER) == 0) {
        int rc = subject_key_get(transaction, master, &entry->subject, &key);
        if (rc == STATUS_STORE_MISSING)
            return STATUS_OK; /* shredded */
        if (rc != STATUS_OK)
            return rc;
    }
    struct key associated = place_key(number, stored.data);
    return seal_open(&key, STORE_LOG, key_bytes(&associated),
                     bytes_of(stored.data + ENTRY_HEADER_BYTES, stored.size - ENTRY_HEADER_BYTES), arena,
                     &entry->command);
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

/* Collects keys first: removing under a cursor would invalidate what it borrowed. */
static int oldest_find(struct store_transaction *transaction, size_t bytes, size_t entries_max, struct key *found,
                       size_t *count, size_t *found_bytes) {
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
    while (rc == STATUS_OK && *count < entries_max && *found_bytes < bytes) {
        found[(*count)++] = key_of_log(key_suffix_number(key));
        *found_bytes += stored.size;
        rc = store_cursor_next(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_log_trim(struct store_transaction *transaction, size_t bytes, size_t entries_max, size_t *trimmed_bytes) {
    struct key found[TRIM_ENTRIES_PER_ROUND];
    size_t count = 1;
    *trimmed_bytes = 0;
    while (*trimmed_bytes < bytes && entries_max > 0 && count > 0) {
        size_t most = entries_max < TRIM_ENTRIES_PER_ROUND ? entries_max : TRIM_ENTRIES_PER_ROUND;
        size_t found_bytes;
        int rc = oldest_find(transaction, bytes - *trimmed_bytes, most, found, &count, &found_bytes);
        for (size_t i = 0; rc == STATUS_OK && i < count; i++)
            rc = store_remove(transaction, STORE_LOG, key_bytes(&found[i]));
        if (rc != STATUS_OK)
            return rc;
        *trimmed_bytes += found_bytes;
        entries_max -= count;
    }
    return STATUS_OK;
}

int range_marks_get(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                    uint32_t range, struct range_marks *marks) {
    struct key key = key_of_range_marks(range);
    return sealed_row_get(transaction, master, STORE_META, &key, &RANGE_MARKS_TABLE, arena, marks);
}

int range_marks_put(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                    const struct range_marks *marks) {
    struct key key = key_of_range_marks(range);
    return sealed_row_put(transaction, master, STORE_META, &key, &RANGE_MARKS_TABLE, marks);
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
