#pragma once
/* What applying a command leads to besides its writes: the answer to its author, what participants are told, and what
 * still has to reach other ranges. Owned by whoever applies; everything lives in the arena given at the start. */
#include "proto/change.h"
#include "proto/command.h"
#include "storage/rows.h"
#include "storage/seal.h"

/* What every apply needs. Same state and same command give the same writes on every replica, so nothing here may ask
 * for the time or for chance. */
struct apply_context {
    struct store_transaction *transaction;
    struct arena *arena;
    const struct seal_key *master;
    const uint8_t *hash_key; /* ID_HASH_KEY_BYTES; how raw ids become id_hash in this cluster */
};

struct outcome_change {
    struct outcome_change *next;
    struct change change;
};

struct outcome_follow_up {
    struct outcome_follow_up *next;
    struct id_hash subject;
    uint64_t number;
    struct outbox_row row;
};

struct outcome {
    struct command_result result;
    struct outcome_change *changes; /* in the order they happened */
    struct outcome_follow_up *follow_ups;
    bool is_purge_done; /* THREAD_PURGE only */
    bool has_events;    /* the thread has events that are to be delivered, from now on or more than before */
};

/* Both append at the end; the copies are shallow. */
void outcome_add_change(struct outcome *outcome, struct arena *arena, const struct change *change);
/* Also writes the outbox row. */
int outcome_add_follow_up(struct outcome *outcome, const struct apply_context *context, const struct id_hash *subject,
                          uint64_t number, const struct outbox_row *row);

/* The same for a row that tells all of these users' lists, in as many rows as it takes, numbered from `number` on. The
 * users are kept as long as the outcome. */
int outcome_tell_lists(struct outcome *outcome, const struct apply_context *context, const struct id_hash *subject,
                       uint64_t number, const struct outbox_row *row, struct outbox_user *users, size_t count);
/* So many at most are they. */
size_t outcome_list_rows(size_t users);
