#pragma once
/* What a thread still has to tell users' ranges, from the outbox: one command per user, then the outbox row is taken
 * off. Survives a crash because the row is on disk until then. Also the purge of what was deleted, which repeats one
 * command until nothing is left. */
#include "node/core/entry.h"

/* Whoever waits for a change until its follow-ups are through, so that a reader finds the thread in her list. */
struct pending_answer {
    void *reply_to;
    unsigned worker;
    struct command_result result;
    unsigned copies;
    size_t follow_ups_left;
};

struct follow_up {
    struct follow_up *next;
    struct arena arena;
    struct id_hash subject;
    uint64_t number;
    struct outbox_row row;
    size_t users_left;              /* commands not yet applied */
    struct pending_answer *pending; /* NULL: nobody waits */
    size_t in_flight;               /* its entries that are waiting or on disk */
    int64_t retry_ms;               /* 0: on its way; otherwise when to try again after a full disk */
    bool *users_done;               /* one per user */
};

/* A deep copy of the row. */
struct follow_up *follow_up_new(const struct id_hash *subject, uint64_t number, const struct outbox_row *row);
void follow_up_free(struct follow_up *follow_up);

/* The command for one user, the removal from the outbox, one round of purging. */
struct entry *follow_up_user_entry(struct follow_up *follow_up, size_t user, const struct id_hash *thread);
struct entry *follow_up_done_entry(struct follow_up *follow_up);
struct entry *follow_up_purge_entry(struct follow_up *follow_up);
