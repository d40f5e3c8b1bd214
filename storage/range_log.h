#pragma once
/* The log of all ranges in one table, keyed by a node-wide rising number. A record is either an entry — its place
 * (range, epoch, index), its subject, and its command sealed under the subject's data key, so that shredding a thread
 * shreds its log too — or the marks of ranges, sealed under the master key: beside the entries of their batch they
 * dirty no page of their own. Also the outbox. */
#include "storage/rows.h"
#include "storage/seal.h"

struct log_place {
    uint32_t range;
    uint64_t epoch;
    uint64_t index; /* from 1, contiguous within a range */
};

/* One record. With `marks_count` > 0 it holds marks, in the arena, and neither place nor subject nor command. */
struct log_entry {
    uint64_t number;
    struct log_place place;
    struct id_hash subject;
    struct bytes command; /* encoded; absent when its subject has been shredded */
    const struct range_marks_of *marks;
    size_t marks_count;
};

/* `wrapped_key` is present for commands that create their subject; it becomes the subject's data key unless it has one.
 * A subject without data key, or with one that does not open, gets its entry sealed under the master key: such a
 * command can only be refused, and must not keep the others of its batch from being written. */
int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes);

/* As many are in one record at most: it then takes less than half a page of the store, which keeps larger values on
 * pages of their own. */
#define RANGE_MARKS_PER_RECORD 64

/* Appends the marks from `*number` on, in as few records as may hold them, and puts `*number` behind the last. No range
 * twice; applied never goes backwards. Needs no entry in the same transaction. */
int range_log_append_marks(struct store_transaction *transaction, const struct seal_key *master, uint64_t *number,
                           const struct range_marks_of *marks, size_t count, size_t *stored_bytes);

/* Visits entries and marks from `number` on in order until `visit` returns false. */
typedef bool (*log_visitor)(void *context, const struct log_entry *entry, size_t stored_bytes);
int range_log_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                    uint64_t number, log_visitor visit, void *context);

/* One stored record. STATUS_RECORD_CORRUPT. */
int range_log_open(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                   struct bytes key, struct bytes stored, struct log_entry *entry);

/* The number after the newest record; 1 for an empty log. */
int range_log_next_number(struct store_transaction *transaction, uint64_t *number);

/* How many bytes all records take. */
int range_log_size(struct store_transaction *transaction, size_t *bytes);

/* Removes the oldest records until at least `bytes` are gone or `records_max` are; says what went. Marks among them
 * move to a row of each range, so fewer and larger trims write less. STATUS_RECORD_CORRUPT: marks that do not open are
 * not thrown away. */
int range_log_trim(struct store_transaction *transaction, const struct seal_key *master, size_t bytes,
                   size_t records_max, size_t *trimmed_bytes);

/* The marks of ranges 0 to range_count - 1, zero for those that never wrote: the newest of the log, else what trimming
 * kept. STATUS_RECORD_CORRUPT, also when the log has marks of another range. */
int range_marks_load(struct store_transaction *transaction, const struct seal_key *master, struct range_marks *marks,
                     uint32_t range_count);

/* Outbox rows are sealed under the master key: they outlive the thread they speak of. */
#define OUTBOX_PURGE_NUMBER UINT64_MAX
int outbox_put(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
               uint64_t number, const struct outbox_row *row);
int outbox_remove(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number);
typedef bool (*outbox_visitor)(void *context, const struct id_hash *subject, uint64_t number,
                               const struct outbox_row *row);
int outbox_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                 outbox_visitor visit, void *context);
