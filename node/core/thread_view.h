#pragma once
/* What one user may read of a thread (contract 8.4): participants everything since their share-history time, removed
 * ones what lay at or below the offset of their removal, strangers nothing. Read transactions only. */
#include "node/core/outcome.h"
#include "storage/thread_store.h"

struct thread_view {
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    struct participant_row participant;
    const uint8_t *hash_key;
    bool is_active; /* false: was removed, reads history only */
};

/* STATUS_THREAD_NOT_FOUND, STATUS_FORBIDDEN for a stranger. */
int thread_view_open(struct thread_view *view, const struct apply_context *context, const struct id_hash *thread,
                     struct bytes user_id);

/* As somebody who has been there all the time; for what is told to other nodes, which know who listens. */
int thread_view_open_whole(struct thread_view *view, const struct apply_context *context, const struct id_hash *thread);

/* The properties as the user may know them: for removed ones as at their removal, without metadata. */
struct thread_properties thread_view_properties(const struct thread_view *view);

/* Typing is told in threads of at most so many participants, not counting users of Teams, and beside these nobody's
 * receipts are kept or shown (contract 8.5; the concepts' limits of Teams interoperability). */
bool thread_view_has_typing(const struct thread_view *view, int64_t participants_max);
bool thread_view_has_receipts(const struct thread_view *view, int64_t participants_max);

/* Is this message among what the user may see? */
bool thread_view_shows(const struct thread_view *view, const struct message *message);

struct message_page {
    struct message *messages; /* newest change first */
    size_t count;
    bool has_more;
};
/* Up to `size_max` visible messages at and below `offset` (UINT64_MAX: from the newest) whose version is not below
 * `start_ms`; fewer when they are more than LIMIT_PAGE_BYTES_MAX together, but at least one. */
int thread_view_messages(struct thread_view *view, uint64_t offset, int64_t start_ms, size_t size_max,
                         struct message_page *page);

/* STATUS_MESSAGE_NOT_FOUND also for one that is hidden from the user. */
int thread_view_message(struct thread_view *view, uint64_t message_id, struct message *message);

/* Active participants in join order. */
int thread_view_participants(struct thread_view *view, struct participant **items, size_t *count);

/* What changed at and above `offset`, oldest first, as changes to tell: at most `changes_max`; `*is_complete` says
 * whether that was all. A message that lay first below `offset` comes as an edit. */
int thread_view_changes(struct thread_view *view, uint64_t offset, size_t changes_max, struct change **changes,
                        size_t *count, bool *is_complete);

/* A thread that is gone, as the change by which it went. Whether the user may know is the caller's question.
 * STATUS_STORE_MISSING: it was not deleted. */
int thread_deletion_view(const struct apply_context *context, const struct id_hash *thread, struct change *change);
