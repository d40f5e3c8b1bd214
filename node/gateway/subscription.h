#pragma once
/* Which sessions of a worker listen to which thread, and from which offset on. Only tables: what is told to whom is
 * decided in fanout.c. */
#include "node/gateway/broadcast.h"
#include "proto/ids.h"

struct session;
struct audience;
struct audience_table;

/* Ties one session to one thread. */
struct subscription {
    struct session *session;
    struct subscription *next; /* of the audience */
    uint64_t next_offset;      /* changes below it were in the store when the session looked, or have been told */
    bool is_resuming;          /* is being told from the store; what comes by meanwhile is in the store too */
    struct audience *audience;
    struct subscription **link;
    struct subscription *session_next; /* of the session */
    struct subscription **session_link;
};

/* The sessions that listen to a thread. Exists as long as there is one. */
struct audience {
    struct subscription *first;
    size_t count;
    bool is_listened;  /* in a cluster: by the core, for this worker */
    bool is_in_force;  /* in a cluster: whoever leads the thread has said that it tells this node */
    uint64_t position; /* in a cluster: everything from there on is still to come by */
};

struct audience_table *audience_table_new(void);
void audience_table_free(struct audience_table *table); /* must be empty of subscriptions */

/* NULL: nobody listens. */
struct audience *audience_find(struct audience_table *table, const struct id_hash *thread);
const struct id_hash *audience_thread(const struct audience *audience);

/* The session must not listen to the thread yet. It is held back if the session is being told of the thread from the
 * store already. */
struct subscription *subscription_add(struct audience_table *table, struct session *session,
                                      const struct id_hash *thread, uint64_t next_offset);
/* Frees it; also the audience if it was the last. */
void subscription_remove(struct audience_table *table, struct subscription *subscription);
/* Whoever leads the thread tells this node from now on. */
void audience_in_force_set(struct audience *audience);
/* NULL: the session does not listen to the thread. */
struct subscription *subscription_find(struct audience_table *table, const struct session *session,
                                       const struct id_hash *thread);

/* The broadcasts by which threads began or grew, the newest few: those who joined learn of it a moment later and then
 * need no look into the store. */
#define RECENT_JOINS_MAX 16
void recent_join_put(struct audience_table *table, struct broadcast *broadcast);
/* Borrowed; NULL: not there any more. */
struct broadcast *recent_join_find(const struct audience_table *table, const struct id_hash *thread, uint64_t offset);
