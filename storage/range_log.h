#pragma once
/* The log of all ranges in one table, keyed by a node-wide rising number: an entry is its place (range, epoch, index),
 * its subject, and its command sealed under the subject's data key, so that shredding a thread shreds its log too. Also
 * the marks of each range, and the outbox. */
#include "storage/rows.h"
#include "storage/seal.h"

struct log_place {
    uint32_t range;
    uint64_t epoch;
    uint64_t index; /* from 1, contiguous within a range */
};

struct log_entry {
    uint64_t number;
    struct log_place place;
    struct id_hash subject;
    struct bytes command; /* encoded; absent when its subject has been shredded */
};

/* `wrapped_key` is present for commands that create their subject; it becomes the subject's data key unless it has one.
 * A subject without data key, or with one that does not open, gets its entry sealed under the master key: such a
 * command can only be refused, and must not keep the others of its batch from being written. */
int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes);

/* Visits entries from `number` on in order until `visit` returns false. */
typedef bool (*log_visitor)(void *context, const struct log_entry *entry, size_t stored_bytes);
int range_log_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                    uint64_t number, log_visitor visit, void *context);

/* One stored entry. STATUS_RECORD_CORRUPT. */
int range_log_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                   struct bytes key, struct bytes stored, struct log_entry *entry);

/* The number after the newest entry; 1 for an empty log. */
int range_log_next_number(struct store_transaction *transaction, uint64_t *number);

/* How many bytes all entries take. */
int range_log_size(struct store_transaction *transaction, size_t *bytes);

/* Removes the oldest entries until at least `bytes` are gone or `entries_max` are; says what went. */
int range_log_trim(struct store_transaction *transaction, size_t bytes, size_t entries_max, size_t *trimmed_bytes);

/* STATUS_STORE_MISSING: a range that never wrote. */
int range_marks_get(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                    uint32_t range, struct range_marks *marks);
int range_marks_put(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                    const struct range_marks *marks);

/* Outbox rows are sealed under the master key: they outlive the thread they speak of. */
#define OUTBOX_PURGE_NUMBER UINT64_MAX
int outbox_put(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
               uint64_t number, const struct outbox_row *row);
int outbox_remove(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number);
typedef bool (*outbox_visitor)(void *context, const struct id_hash *subject, uint64_t number,
                               const struct outbox_row *row);
int outbox_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                 outbox_visitor visit, void *context);
