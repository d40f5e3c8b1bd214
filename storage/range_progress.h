#pragma once
/* How far the ranges have come on this node, as its log says: read once at the start, kept by the one writer from then
 * on. Also the newest entries of each range, which replication goes on from. */
#include "storage/rows.h"
#include "storage/seal.h"

struct log_place {
    uint32_t range;
    uint64_t epoch;
    uint64_t index; /* from 1, contiguous within a range */
};

/* How far a range has come on this node. */
struct range_progress {
    struct range_marks marks;
    struct bounds bounds; /* of what is here of it; not said: as the cluster was created, or nothing is here */
    uint64_t void_below;  /* records of the range with lower numbers are from before it was wiped: they do not count */
    uint64_t last_index;  /* of its newest entry, applied or not */
};

/* Of ranges 0 to range_count - 1, zero for those that never wrote. Marks are the newest of the log, else what trimming
 * kept. STATUS_RECORD_CORRUPT, also when the log has marks of another range. */
int range_progress_load(struct store_transaction *transaction, const struct seal_key *master,
                        struct range_progress *ranges, uint32_t range_count);
/* How many of them there are, counted up to the last of which anything is or was here. */
uint32_t range_progress_count(const struct range_progress *ranges, uint32_t range_count);
/* Their marks alone. */
int range_marks_load(struct store_transaction *transaction, const struct seal_key *master, struct range_marks *marks,
                     uint32_t range_count);

/* The bounds that a range has here from now on, with the transaction. */
int range_bounds_put(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                     const struct bounds *bounds);

/* As range_progress says them. */
int range_bounds_find(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                      struct bounds *bounds);

/* The newest marks of one range, as range_marks_load finds them. */
int range_marks_find(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                     struct range_marks *marks);

/* The newest entries of a range, opened, in order and without a gap. */
struct log_tail_entry {
    struct log_tail_entry *next;
    struct log_place place;
    struct id_hash subject;
    struct bytes command; /* encoded */
};
struct log_tail {
    struct range_marks marks;
    struct bounds bounds;
    struct log_tail_entry *first;
    size_t count;
    size_t bytes; /* of the commands */
};

/* As range_progress_count. */
uint32_t log_tails_count(const struct log_tail *tails, uint32_t range_count);

/* The tails of ranges 0 to range_count - 1: every entry above `applied`, and below it as many as have room in
 * `bytes_max` each, but none from before an entry that was shredded or does not open. The tails are in the arena.
 * STATUS_RECORD_CORRUPT: as range_progress_load, or an entry above `applied` is missing or does not open. */
int range_log_load_tail(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                        struct log_tail *tails, uint32_t range_count, size_t bytes_max);
