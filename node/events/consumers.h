#pragma once
/* Who gets what happens in threads: consumers of several kinds, as they were loaded last, and how each is doing. A kind
 * (subscriptions to events; bots) says who they are, what a change is for one of them, and brings it there. Everything
 * else is delivery's: order, places, cursors, when a step is begun again. Delivery's thread only.
 *
 *   load ──▶ consumers      a change ──▶ steps ──▶ begin(0) ···▶ attempt_end(DELIVERED) ──▶ begin(1) ···▶
 *                                            └─ again after wait_ms ◀─ attempt_end(AGAIN)
 *
 * At least once: after a crash or a takeover a change's steps may all come again. */
#include "node/events/event_json.h"
#include "node/events/webhooks.h"

struct consumer_kind;
struct consumers;

/* What this node has brought one of them since it was started, */
struct consumer_counts {
    uint64_t delivered; /* steps */
    uint64_t failed;    /* attempts */
    uint64_t given_up;  /* steps */
    /* and what it lacks, as the last round through all threads has shown. */
    uint64_t pending;  /* changes, at most */
    int64_t oldest_ms; /* when the oldest of them happened; 0: none */
    uint64_t pending_so_far;
    int64_t oldest_so_far_ms;
};

struct consumer {
    const struct consumer_kind *kind;
    const void *record; /* the kind's, in the arena of the consumers */
    struct id_hash id;  /* in the cursors of threads; of no other consumer of any kind */
    uint64_t serial;    /* another one: it begins anew */
    int64_t since_ms;   /* what happened earlier does not concern it */
    int64_t lives_ms;   /* what is older than this is not begun any more; 0: however old it is */
    struct bytes name;  /* for people, in metrics; absent: it is not told there */
    bool is_active;     /* whoever is not yet gets what happens meanwhile later */
    /* Delivery's, kept when consumers are loaded again. */
    unsigned failures;      /* in a row */
    int64_t rests_until_ms; /* one that fails is left alone a while, longer each time */
    unsigned attempts;      /* under way */
    struct consumer_counts counts;
};

enum join { JOIN_TAKEN, JOIN_NOT_WANTED, JOIN_FULL };

enum attempt_result {
    ATTEMPT_DELIVERED,
    ATTEMPT_AGAIN,
    ATTEMPT_LATER, /* again as well, but the consumer is not to blame: it is not left alone */
    ATTEMPT_GIVEN_UP,
    ATTEMPT_REFUSED /* given up as well, but who refuses this may take the next one: it is not left alone */
};

/* A step on its way: heap memory of its kind, this first in a struct of its own. */
struct attempt {
    const struct consumer_kind *kind;
    struct consumer *consumer; /* as it is loaded now */
    /* Delivery's. */
    struct place *place;
    void *context;
    void (*on_end)(struct attempt *attempt, enum attempt_result result, int64_t wait_ms);
};

/* One of the things that a change is for a consumer. Borrowed until `begin` returns. */
struct step {
    struct consumer *consumer;
    const struct event_source *source;
    size_t number;
    unsigned attempts_made; /* of this step; forgotten in a takeover */
    int64_t now_ms;
    bool is_passing; /* of what is not kept: it is tried once (unkept.h) */
    struct arena *arena;
    struct webhooks *requests; /* lives as long as delivery */
};

/* Static, or this first in a struct of its own. */
struct consumer_kind {
    bool takes_passing; /* also what is not kept */
    const char *folder; /* at the coordinator: consumers are loaded again when it changes. NULL: there is none */
    /* Adds all consumers of the kind; an error, a code of the coordinator's, keeps those that are. */
    int (*load)(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into);
    /* How many steps the change is, always the same for the same change; 0: it does not concern the consumer. */
    size_t (*steps)(const struct consumer *consumer, const struct event_source *source);
    /* Sets out with one. NULL: it is not wanted, and as good as done. The attempt ends later, not before the return. */
    struct attempt *(*begin)(const struct step *step);
    /* NULL, or takes one more step, behind those that it has, into an attempt that was begun: all of them are brought,
     * or fail, together. When there are no more, or it is full, `go` is called once. */
    enum join (*join)(struct attempt *attempt, const struct step *step);
    void (*go)(struct attempt *attempt);
    /* NULL, or gives a step up that is older than the consumer's `lives_ms`. False: it was not wanted. */
    bool (*expire)(const struct step *step);
    /* Breaks off an attempt that has not ended, and frees it. Its consumer may be none any more: it is not looked at.
     */
    void (*cancel)(struct attempt *attempt);
    /* NULL, or called in every turn of delivery's thread, soon after delivery_wake: what comes from other threads. */
    void (*turn)(struct consumer_kind *kind);
    void (*free)(struct consumer_kind *kind);
};

/* Tells what came of it: that it is to be begun again no sooner than in `wait_ms`; or that it is over, given up (and
 * kept or logged by the kind) or not. The memory is the kind's again. */
static inline void attempt_end(struct attempt *attempt, enum attempt_result result, int64_t wait_ms) {
    attempt->on_end(attempt, result, wait_ms);
}

struct consumers {
    struct arena arena;
    struct consumer *items;
    size_t count;
    size_t room;
};

void consumers_init(struct consumers *self);
void consumers_close(struct consumers *self);
/* For the kinds, while they load; copied. */
void consumers_add(struct consumers *self, const struct consumer *consumer);
/* What is known of those that were there is kept. On an error everything stays as it was. */
int consumers_load(struct consumers *self, struct consumer_kind *const *kinds, size_t kinds_count,
                   const uint8_t *hash_key);

/* NULL: it is none any more. */
struct consumer *consumers_find(const struct consumers *self, const struct id_hash *id);
/* It can be sent one more now. Whoever fails is tried with one at a time. */
bool consumer_is_ready(const struct consumer *consumer, int64_t now_ms);
void consumer_note(struct consumer *consumer, bool has_taken, int64_t now_ms);
/* In a round through all threads: of one of them it lacks `changes`, the oldest since `since_ms`. */
void consumer_lacks(struct consumer *consumer, uint64_t changes, int64_t since_ms);
void consumer_round_end(struct consumer *consumer);
