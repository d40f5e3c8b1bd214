#pragma once
/* The events of one thread: the changes that somebody outside wants, from when they were made until they have expired,
 * and how far each consumer has come. While not everyone has got all of them a mark stands in the outbox, by which
 * whoever leads the thread's range finds it. All this is sealed under the master key, so that what was not delivered
 * yet outlives the thread. Written by the rules (node/core/thread_events.h) and read by those who deliver, in a read
 * transaction of their own. Functions return 0, STATUS_STORE_MISSING, STATUS_RECORD_CORRUPT, or what the store says. */
#include "storage/rows.h"
#include "storage/seal.h"

/* Filled by the caller; results live in the arena. */
struct event_store {
    struct store_transaction *transaction;
    struct arena *arena;
    const struct seal_key *master;
    struct id_hash thread;
};

int event_put(const struct event_store *self, uint64_t offset, const struct event_row *row);

/* Walks the events at and above `offset` upwards until `visit` returns false. */
typedef bool (*event_visitor)(void *context, uint64_t offset, const struct event_row *row);
int events_visit(const struct event_store *self, uint64_t offset, event_visitor visit, void *context);

/* Where the oldest and the newest event lie. STATUS_STORE_MISSING: there is none. */
int event_oldest(const struct event_store *self, uint64_t *offset);
int event_newest(const struct event_store *self, uint64_t *offset);

/* The newest event whose command is from before `time_ms`, in a few looks: later events have later times, but for what
 * clocks of primaries differ by. STATUS_STORE_MISSING: there is none. */
int event_newest_before(const struct event_store *self, int64_t time_ms, uint64_t *offset);

/* Removes the events up to `offset`, at most `rows_max` of them. */
int events_remove(const struct event_store *self, uint64_t offset, size_t rows_max);

/* No row is a row without cursors, both ways. */
int event_cursors_get(const struct event_store *self, struct event_cursors_row *row);
int event_cursors_put(const struct event_store *self, const struct event_cursors_row *row);

/* Not everyone has got all events. `time_ms`: of the change since when. */
int event_mark_get(const struct event_store *self, bool *is_marked);
int event_mark_put(const struct event_store *self, int64_t time_ms);
int event_mark_remove(const struct event_store *self);

/* Of a thread that is being deleted: somebody whom an event may concern. */
int event_member_put(const struct event_store *self, const struct id_hash *user, const struct participant_row *row);

/* What an earlier deletion kept of her, which was undone. */
int event_member_remove(const struct event_store *self, const struct id_hash *user);

/* Who was in the thread when it changed at `offset`, whether or not it has been deleted since; in no special order. */
int event_members_at(const struct event_store *self, uint64_t offset, struct participants *members);
