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

/* The queues a follow-up may be in, a purge in both. */
enum follow_up_queue_kind {
    FOLLOW_UPS_READY, /* has entries to give */
    FOLLOW_UPS_PURGE, /* is a purge; the first is under way */
    FOLLOW_UP_QUEUES
};

struct follow_up {
    struct follow_up *next, *previous; /* among all follow-ups */
    struct follow_up *next_in[FOLLOW_UP_QUEUES];
    struct arena arena;
    struct id_hash subject;
    uint64_t number;
    struct outbox_row row;
    size_t users_left;              /* commands not yet applied */
    struct pending_answer *pending; /* NULL: nobody waits */
    size_t in_flight;               /* its entries that are on disk */
    int64_t retry_ms;               /* 0: on its way; otherwise when to try again after a full disk */
    bool *users_done;               /* one per user */
    size_t next_user;               /* whose entry is made next */
    bool is_forgotten;              /* belongs to no queue any more; its entries still come back */
    size_t entries_ready;           /* what follow_up_next_entry still has to give in this round */
};

/* A deep copy of the row. */
struct follow_up *follow_up_new(const struct id_hash *subject, uint64_t number, const struct outbox_row *row);
void follow_up_free(struct follow_up *follow_up);

/* Begins a round: counts what is left to propose, which is one command for each user who has not got hers, or else the
 * removal from the outbox, or one round of purging. Nothing of it may be in flight. */
void follow_up_round_begin(struct follow_up *follow_up);

/* The next entry of this round; entries_ready says how many there are. It borrows from the follow-up, which outlives
 * it. */
struct entry *follow_up_next_entry(struct follow_up *follow_up);
