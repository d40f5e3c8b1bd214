#pragma once
/* The tables of one chat thread inside a transaction. Knows where rows lie and that they are sealed, not what they
 * mean: the rules are in node/core/thread.c. Every result lives in the arena given at opening. Functions return 0,
 * STATUS_STORE_MISSING, STATUS_RECORD_CORRUPT, or what the store says. */
#include "storage/rows.h"
#include "storage/seal.h"

struct thread_store {
    struct store_transaction *transaction;
    struct arena *arena;
    const struct seal_key *master;
    struct id_hash thread;
    struct seal_key key;
};

/* STATUS_THREAD_NOT_FOUND: no such thread, or it was deleted. */
int thread_store_open(struct thread_store *self, struct store_transaction *transaction, struct arena *arena,
                      const struct seal_key *master, const struct id_hash *thread);
/* For a thread that is being created: `wrapped` becomes its data key. */
int thread_store_open_new(struct thread_store *self, struct store_transaction *transaction, struct arena *arena,
                          const struct seal_key *master, const struct id_hash *thread, struct bytes wrapped);

int thread_properties_get(struct thread_store *self, struct thread_properties *properties);
int thread_properties_put(struct thread_store *self, const struct thread_properties *properties);
int thread_counters_get(struct thread_store *self, struct thread_counters *counters);
int thread_counters_put(struct thread_store *self, const struct thread_counters *counters);

int thread_import_get(struct thread_store *self, struct import_row *row);
int thread_import_put(struct thread_store *self, const struct import_row *row);

int thread_participant_get(struct thread_store *self, const struct id_hash *user, struct participant_row *row);
int thread_participant_put(struct thread_store *self, const struct id_hash *user, const struct participant_row *row);

struct participant_list {
    struct participant_row *rows;
    struct id_hash *users;
    size_t count;
};
/* Everyone who ever was in the thread, active ones in join order first. */
int thread_participants_list(struct thread_store *self, struct participant_list *list);

/* The message (or mark) at an offset; writing a message also says where it lies. */
int thread_change_get(struct thread_store *self, uint64_t offset, struct change_row *row);
int thread_message_put(struct thread_store *self, const struct message *message);
int thread_properties_change_put(struct thread_store *self, uint64_t offset, uint64_t version, struct bytes actor_id);
int thread_undeletion_put(struct thread_store *self, uint64_t offset, uint64_t version);
int thread_change_remove(struct thread_store *self, uint64_t offset);
int thread_message_find(struct thread_store *self, uint64_t message_id, struct message *message);

/* Walks the rows at and below `offset` downwards, or at and above it upwards, until `visit` returns false. */
typedef bool (*thread_change_visitor)(void *context, uint64_t offset, const struct change_row *row);
int thread_changes_descend(struct thread_store *self, uint64_t offset, thread_change_visitor visit, void *context);
int thread_changes_ascend(struct thread_store *self, uint64_t offset, thread_change_visitor visit, void *context);

int thread_receipt_get(struct thread_store *self, const struct id_hash *user, struct receipt *receipt);
int thread_receipt_put(struct thread_store *self, const struct id_hash *user, const struct receipt *receipt);
/* All receipts, newest first. */
int thread_receipts_list(struct thread_store *self, struct receipt **receipts, size_t *count);

/* What an earlier command with this id made. `who` is the hash of author and id. */
int thread_client_id_get(struct thread_store *self, const struct id_hash *who, struct sent_row *row);
int thread_client_id_put(struct thread_store *self, const struct id_hash *who, const struct sent_row *row);
/* Request ids are looked up in the buckets of the window that ends at `now_ms`; older buckets are removed, a bounded
 * number per call. */
int thread_request_id_get(struct thread_store *self, const struct id_hash *who, int64_t now_ms, struct sent_row *row);
int thread_request_id_put(struct thread_store *self, const struct id_hash *who, int64_t now_ms,
                          const struct sent_row *row);
int thread_request_ids_expire(struct thread_store *self, int64_t now_ms);

/* Deleting: a tombstone that outlives the rows, and removal of the rows piece by piece. */
int subject_tombstone_get(struct store_transaction *transaction, struct arena *arena, const struct seal_key *master,
                          const struct id_hash *subject, struct tombstone_row *row);
int subject_tombstone_put(struct store_transaction *transaction, const struct seal_key *master,
                          const struct id_hash *subject, const struct tombstone_row *row);
int subject_tombstone_remove(struct store_transaction *transaction, const struct id_hash *subject);

/* A hold stands beside a thread and outlives it. */
int subject_hold_get(struct store_transaction *transaction, struct arena *arena, const struct seal_key *master,
                     const struct id_hash *subject, struct hold_row *row);
int subject_hold_put(struct store_transaction *transaction, const struct seal_key *master,
                     const struct id_hash *subject, const struct hold_row *row);
int subject_hold_remove(struct store_transaction *transaction, const struct id_hash *subject);

/* Removes up to `rows_max` rows of a subject whose data key is gone; `*is_done` when none is left but a tombstone and,
 * if they are to be spared, events (event_store.h). */
int subject_rows_purge(struct store_transaction *transaction, const struct id_hash *subject, bool spares_events,
                       size_t rows_max, bool *is_done);
