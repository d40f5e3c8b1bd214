#pragma once
/* Signed-in clients of one worker: who they are and what kind of session they have. Both kinds (trouter_session.c,
 * realtime_session.c) put struct session first in their own. Used on the worker's thread only. */
#include "node/gateway/authentication.h"
#include "node/gateway/broadcast.h"

struct looking;
struct session_user;
struct subscription;

struct session {
    const struct session_kind *kind;
    struct gateway_worker *worker;
    struct session_user *user; /* shared by all her sessions of this worker */
    struct session *next;      /* of the same user */
    struct session **link;
    struct subscription *subscriptions;
    struct looking *looking;     /* for its threads; NULL: not now */
    struct wheel_timer patience; /* until on_listening is called whatever is missing */
    size_t unheard;              /* in a cluster: its subscriptions to threads whose leader does not tell us yet */
    int64_t token_issued_s;
    int64_t token_expires_s;
    uint8_t scopes;
    uint16_t connection; /* its number in what is remembered of deliveries */
    bool is_told_to_move;
    bool is_present;         /* its client is connected */
    bool is_revoked;         /* the token was taken back before it expired */
    bool is_user_listened;   /* in a cluster: what concerns its user comes here */
    bool has_looked;         /* in a cluster: what it joins from now on is told from the joining on */
    bool has_found;          /* in a cluster: it listens to all threads that its user has joined */
    bool has_told_listening; /* on_listening was called */
    bool is_quiet;           /* in a cluster: is told nothing yet; looking_hear makes up for it */
    bool is_deaf;            /* listens to nothing for now, whatever its user joins */
};

/* What a kind of session does. None but free may end a session at once. */
struct session_kind {
    enum trace_protocol protocol;
    /* Told at once, or dropped if the client is too slow. */
    void (*tell)(struct session *session, struct broadcast *broadcast);
    /* What lies between the last change that was told of the thread and this one, which is told next, has been
     * overtaken by later changes. May be NULL. */
    void (*skip)(struct session *session, struct broadcast *broadcast);
    /* Changes of this thread from `offset` on did not come by; they are in the store. */
    void (*catch_up)(struct session *session, const struct id_hash *thread, uint64_t offset);
    /* The thread is being told from the store, so nothing of it is told live until that is done. May be NULL. */
    bool (*is_resuming)(const struct session *session, const struct id_hash *thread);
    /* In a cluster, once: whatever anybody sends from now on to its user's threads comes here; or why some of it may
     * not yet. May be NULL. */
    void (*on_listening)(struct session *session, int rc);
    /* In a cluster, when another node may lead its user, whose threads are looked for again. May be NULL. */
    void (*on_look)(struct session *session);
    /* token_expires_s or is_revoked has changed. */
    void (*on_token_changed)(struct session *session);
    /* The node is going away: move elsewhere within `after_ms`. */
    void (*on_drain)(struct session *session, uint32_t after_ms);
    /* The worker is ending and its sockets are not served any more. */
    void (*free)(struct session *session);
};

/* Puts the session into the table; `session` is zeroed but for what its kind keeps. */
void session_begin(struct session *session, const struct session_kind *kind, struct gateway_worker *worker,
                   const struct caller *caller);
/* Its client has gone, and may come back. */
void session_leave(struct session *session);
/* Takes it out with all its subscriptions. The memory stays its kind's. */
void session_end(struct session *session);

bool session_is_resuming(const struct session *session, const struct id_hash *thread);
struct bytes session_user_id(const struct session *session); /* borrowed as long as the session */
const struct id_hash *session_user_hash(const struct session *session);
void session_caller(const struct session *session, struct caller *caller);

/* Remembers what became of a change of a thread for this session. Offset 0: nothing. */
void session_note(const struct session *session, enum trace_stage stage, const struct id_hash *thread, uint64_t offset);

/* With another token of the same user. */
void session_token_set(struct session *session, const struct caller *caller);

/* Told by CHANGE_USER_REVOKED: tokens issued before `valid_from_ms` are void, after the configured grace. */
void session_revoke(struct session *session, int64_t valid_from_ms);

/* ---- all sessions of a worker ---- */

struct session_table;

struct session_table *session_table_new(void);
/* Frees the sessions that are left too. */
void session_table_free(struct session_table *table);
size_t session_table_count(const struct session_table *table);

/* The first of a user's sessions, the others by `next`; NULL: none. */
struct session *session_table_find(struct session_table *table, const struct id_hash *user);

/* Whether a user has as many sessions here as one may have. */
bool session_table_is_full_for(struct session_table *table, const struct id_hash *user);
/* Twice as many: a client that was let in before the bound was reached is not turned away (real-time protocol, section
 * 8), but nobody gets in without end on tickets saved up. */
bool session_table_is_crowded_for(struct session_table *table, const struct id_hash *user);

/* Begins to drain: every session is told to move, spread over `spread_ms`. */
void session_table_drain(struct gateway_worker *worker, uint32_t spread_ms);

struct audience_table;
struct audience_table *session_table_audiences(struct session_table *table);
