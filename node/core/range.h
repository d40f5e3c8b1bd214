#pragma once
/* One range: its replication, and the entries that are on their way through it — placed, appended, committed, applied.
 * It gives proposals their place and time, and says what the next batch has to do for it. */
#include "node/core/batch.h"
#include "node/core/entry.h"
#include "node/core/replication.h"

/* The entries of a range that are not applied yet, in the order of the log:
 *
 *   applied │ given to be applied │ committed and durable │ given to be appended │ new
 *           └ applied             └ apply_given           └ …                    └ append_given
 */
/* A chunk of a snapshot that waits for the disk; or the range is dropped, which is the same without a chunk behind it.
 */
struct range_taking {
    struct replication_chunk chunk;
    struct buffer rows;
    bool is_wanted;
    bool is_drop;
    bool is_wiped; /* what the range held is gone, so the chunk may be put */
    bool is_lent;
};

/* What the coordinator said of a range. */
struct range_news {
    struct range_record record;
    uint64_t version;
    int rc; /* of a swap */
    bool is_swap;
    bool is_number_taken;
};

/* Part of what the disk has of this range is another's, or nobody's, from then on. */
struct range_birth {
    struct batch_birth what;
    bool is_wanted; /* until it is on disk */
    bool is_lent;
};

struct range {
    struct replication replication;
    /* Which positions our disk has of it, or is about to have; not said: nothing is here. */
    struct bounds disk;
    struct range_birth birth;
    /* A record that cannot hold yet: others are known to have its positions. Version 0: none. */
    struct range_news early;
    struct range_taking taking;
    uint64_t applied;
    uint64_t apply_given;
    uint64_t append_given;
    bool is_wiped;          /* void, and no row is left on disk */
    uint64_t truncate_from; /* 0: nothing to be taken off the log on disk */
    int64_t last_time_ms;   /* command times rise within a range */
    struct entry *first;
    struct entry *last;
    uint64_t entries_applied, entries_led, changes_told; /* for who looks on */
    int64_t led_ms;                                      /* since when this node leads it, monotonic; of a primary */
    int64_t held_since_ms;                               /* writes wait for a hand-over to another; 0: they do not */
    int64_t given_since_ms; /* it was handed over to us, and we do not take writes yet; 0: it is not so */
    uint64_t taken_epoch;   /* the last that was handed over to us, and in which we took writes … */
    int64_t taken_for_ms;   /* … so long after we heard of it */
    uint64_t held_epoch;    /* the last that was handed over to us by one who has told … */
    int64_t held_for_ms;    /* … how long writes had waited there */
    struct range *next_busy;
    int64_t outbox_retry_ms; /* it could not be read, and is to be again then; 0: no */
    bool is_refused;         /* a batch that touched it came to nothing */
    bool is_busy;            /* the next batch or the end of the step has to look at it */
};

/* `epoch` of the record is to be told afterwards (replication_on_record). */
void range_init(struct range *range, uint32_t id, uint64_t self, bool is_alone, const struct range_marks *marks,
                bool is_void, int64_t mono_ms);
/* Frees the entries that are left. */
void range_close(struct range *range);

/* Gives a proposal its time, which is `now_ms` but never before an earlier command's, and the next place. It is the
 * range's until range_pop gives it back. */
void range_place(struct range *range, struct entry *entry, int64_t now_ms);
/* The same for an entry that came from the primary, or was found on disk: it has its time and place already. */
void range_take(struct range *range, struct entry *entry);

/* The first entry, which has been applied. */
struct entry *range_pop(struct range *range);

/* Takes out the entries from `index` on, newest first; linked by `next`. */
struct entry *range_cut(struct range *range, uint64_t index);

/* Nothing of it is on our disk, as far as this life knows. */
bool range_is_empty(const struct range *range);
/* True while the disk worker has an entry of it. */
bool range_is_lent(const struct range *range);
/* A snapshot begins: all its entries go, linked by `next`; none may be lent. */
struct entry *range_void(struct range *range);
/* It has ended: the range is what it was behind this entry. */
void range_made_whole(struct range *range, uint64_t index);

/* What the next batch should do: entries from the first of these on, in order; NULL: none. */
struct entry *range_next_append(const struct range *range);
struct entry *range_next_apply(const struct range *range);
/* How many of both. */
size_t range_work(const struct range *range);

/* True when an entry is committed by this node's own append: no other replica counts. */
bool range_commits_alone(const struct range *range);

/* "disk", "disk+1", "disk+2" and so on. Static text. */
const char *durability_name(unsigned copies);
