#pragma once
/* The log of all ranges in one table, keyed by a node-wide rising number. A record is either an entry — its place
 * (range, epoch, index), its subject, and its command sealed under the subject's data key, so that shredding a thread
 * shreds its log too — or the marks of ranges, sealed under the master key: beside the entries of their batch they
 * dirty no page of their own. Also the outbox. */
#include "storage/range_progress.h"

/* One record. With `marks_count` > 0 it holds marks, in the arena, and neither place nor subject nor command. */
struct log_entry {
    uint64_t number;
    struct log_place place;
    struct id_hash subject;
    struct bytes command; /* encoded; absent when its subject has been shredded */
    const struct range_marks_of *marks;
    size_t marks_count;
};

/* For a command that is applied in the same transaction. `wrapped_key` is present for commands that create their
 * subject; the entry is sealed under it unless the subject has a data key. A subject without data key, or with one that
 * does not open, gets its entry sealed under the master key: such a command can only be refused, and must not keep the
 * others of its batch from being written. */
int range_log_append(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                     const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                     struct bytes command, size_t *stored_bytes);

/* For a command that is applied in a later transaction, or never. State is what applied commands made of it, the same
 * on every replica, so the data key that comes with a creation does not go there yet: it waits in a row of its own, and
 * opens the entries of its subject until then. */
int range_log_append_waiting(struct store_transaction *transaction, const struct seal_key *master, uint64_t number,
                             const struct log_place *place, const struct id_hash *subject, struct bytes wrapped_key,
                             struct bytes command, size_t *stored_bytes);

/* After the waiting creation at `place` was applied: its key waits no longer. STATUS_STORE_MISSING: it brought none. */
int range_log_key_release(struct store_transaction *transaction, const struct seal_key *master,
                          const struct log_place *place, const struct id_hash *subject, struct seal_key *key);

/* A subject's data key that the command at `place` has removed. */
struct log_shredding {
    struct log_place place;
    struct id_hash subject;
    struct seal_key key;
};

/* Entries of these subjects behind the command that shredded them are still to be applied (and refused), here and on
 * replicas that have yet to get them: they are sealed anew, under the master key. */
int range_log_reseal(struct store_transaction *transaction, const struct seal_key *master,
                     const struct log_shredding *shreddings, size_t count);

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

/* Removes the oldest records until at least `bytes` are gone or `records_max` are, or an entry comes that its range has
 * not applied; says what went. Marks among them move to a row of each range, so fewer and larger trims write less.
 * STATUS_RECORD_CORRUPT: marks that do not open are not thrown away. */
int range_log_trim(struct store_transaction *transaction, const struct seal_key *master,
                   const struct range_progress *ranges, uint32_t range_count, size_t bytes, size_t records_max,
                   size_t *trimmed_bytes);

/* What a new primary does not have: the entries of a range with this index and those behind it. */
struct log_truncation {
    uint32_t range;
    uint64_t from; /* index; above what is applied */
};

/* Removes them, and the keys of creations among them; says what went. No range twice. */
int range_log_truncate(struct store_transaction *transaction, const struct seal_key *master,
                       const struct range_progress *ranges, const struct log_truncation *truncations, size_t count,
                       size_t *removed_bytes);

/* Outbox rows are sealed under the master key: they outlive the thread they speak of. */
#define OUTBOX_PURGE_NUMBER UINT64_MAX
#define OUTBOX_EVENTS_NUMBER (UINT64_MAX - 1) /* the thread has events that not everyone has got (event_store.h) */
int outbox_put(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
               uint64_t number, const struct outbox_row *row);
/* Whether there is such a row, which is not opened. */
int outbox_has(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number, bool *has);
int outbox_remove(struct store_transaction *transaction, const struct id_hash *subject, uint64_t number);
typedef bool (*outbox_visitor)(void *context, const struct id_hash *subject, uint64_t number,
                               const struct outbox_row *row);
int outbox_visit(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                 outbox_visitor visit, void *context);
