#include "node/gateway/session.h"

#include <stdlib.h>

#include "node/gateway/looking.h"
#include "node/gateway/presence.h"
#include "node/gateway/subscription.h"
#include "proto/check.h"
#include "proto/limits.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct session_user {
    UT_hash_handle hh;
    struct id_hash hash;
    struct session *first;
    size_t id_size;
    uint8_t id[];
};

struct session_table {
    struct session_user *users;
    struct audience_table *audiences;
    size_t count;
    struct wheel_timer drain_timer;
    uint64_t drain_ends_ms;
};

/* ---- one session ---- */

static struct session_user *user_find(struct session_table *table, const struct id_hash *hash) {
    struct session_user *user;
    HASH_FIND(hh, table->users, hash, sizeof(*hash), user);
    return user;
}

static struct session_user *user_get(struct session_table *table, const struct caller *caller) {
    struct session_user *user = user_find(table, &caller->hash);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof(*user) + caller->user_id.size);
    check(user != NULL);
    user->hash = caller->hash;
    user->id_size = caller->user_id.size;
    memcpy(user->id, caller->user_id.data, caller->user_id.size);
    HASH_ADD(hh, table->users, hash, sizeof(user->hash), user);
    return user;
}

void session_begin(struct session *session, const struct session_kind *kind, struct gateway_worker *worker,
                   const struct caller *caller) {
    struct session_table *table = worker->sessions;
    session->kind = kind;
    session->worker = worker;
    session->connection = ++worker->connections_begun;
    session->user = user_get(table, caller);
    session->next = session->user->first;
    session->link = &session->user->first;
    if (session->next != NULL)
        session->next->link = &session->next;
    session->user->first = session;
    session_token_set(session, caller);
    session->is_present = true;
    presence_come(worker->gateway->presence, &caller->hash);
    table->count++;
}

void session_leave(struct session *session) {
    if (session->is_present)
        presence_go(session->worker->gateway->presence, &session->user->hash);
    session->is_present = false;
}

void session_end(struct session *session) {
    struct session_table *table = session->worker->sessions;
    struct session_user *user = session->user;
    looking_end(session);
    session_leave(session);
    wheel_timer_stop(&session->worker->worker->wheel, &session->patience);
    if (session->is_user_listened)
        session->worker->gateway->unlisten(session->worker->gateway->core, &user->hash);
    while (session->subscriptions != NULL)
        subscription_remove(table->audiences, session->subscriptions);
    *session->link = session->next;
    if (session->next != NULL)
        session->next->link = session->link;
    if (user->first == NULL) {
        HASH_DEL(table->users, user);
        free(user);
    }
    session->user = NULL;
    table->count--;
}

bool session_is_resuming(const struct session *session, const struct id_hash *thread) {
    return session->kind->is_resuming != NULL && session->kind->is_resuming(session, thread);
}

struct bytes session_user_id(const struct session *session) {
    return bytes_of(session->user->id, session->user->id_size);
}

const struct id_hash *session_user_hash(const struct session *session) {
    return &session->user->hash;
}

void session_caller(const struct session *session, struct caller *caller) {
    *caller = (struct caller){.user_id = session_user_id(session),
                              .hash = session->user->hash,
                              .scopes = session->scopes,
                              .token_issued_s = session->token_issued_s,
                              .token_expires_s = session->token_expires_s};
}

void session_note(const struct session *session, enum trace_stage stage, const struct id_hash *thread,
                  uint64_t offset) {
    struct trace_ring *ring = session->worker->trace;
    if (ring == NULL || offset == 0)
        return;
    uint64_t user = id_hash_position(&session->user->hash);
    trace_note(ring, thread,
               &(struct trace_event){.stage = stage,
                                     .detail = (uint8_t)session->kind->protocol,
                                     .time_us = trace_now_us(),
                                     .number = offset,
                                     .about = trace_reader(user, session->connection)});
}

void session_token_set(struct session *session, const struct caller *caller) {
    session->token_issued_s = caller->token_issued_s;
    session->token_expires_s = caller->token_expires_s;
    session->scopes = (uint8_t)caller->scopes;
}

void session_revoke(struct session *session, int64_t valid_from_ms) {
    int64_t now_s = worker_wall_ms() / 1000;
    int64_t valid_from_s = valid_from_ms / 1000;
    if (session->token_issued_s >= valid_from_s)
        return;
    int64_t grace_s = session->worker->gateway->config->token_revocation_grace_s;
    /* A moment out of reach says that the identity is gone, for which there is no grace. A revocation is dated a second
     * ahead, so that tokens of its own second are void as well. */
    bool is_gone = valid_from_s > now_s + INT32_MAX;
    int64_t ends_s = is_gone || grace_s == 0 ? now_s : valid_from_s - 1 + grace_s;
    if (ends_s >= session->token_expires_s)
        return;
    session->token_expires_s = ends_s;
    session->is_revoked = true;
    session->kind->on_token_changed(session);
}

/* ---- all of them ---- */

struct session_table *session_table_new(void) {
    struct session_table *table = calloc(1, sizeof(*table));
    check(table != NULL);
    table->audiences = audience_table_new();
    return table;
}

void session_table_free(struct session_table *table) {
    while (table->users != NULL) {
        struct session *session = table->users->first;
        session->kind->free(session);
    }
    audience_table_free(table->audiences);
    free(table);
}

size_t session_table_count(const struct session_table *table) {
    return table->count;
}

struct session *session_table_find(struct session_table *table, const struct id_hash *user) {
    struct session_user *found = user_find(table, user);
    return found == NULL ? NULL : found->first;
}

static size_t sessions_of(struct session_table *table, const struct id_hash *user) {
    size_t count = 0;
    for (const struct session *session = session_table_find(table, user); session != NULL; session = session->next)
        count++;
    return count;
}

bool session_table_is_full_for(struct session_table *table, const struct id_hash *user) {
    return sessions_of(table, user) >= LIMIT_SESSIONS_PER_USER_MAX;
}

bool session_table_is_crowded_for(struct session_table *table, const struct id_hash *user) {
    return sessions_of(table, user) >= 2 * LIMIT_SESSIONS_PER_USER_MAX;
}

struct audience_table *session_table_audiences(struct session_table *table) {
    return table->audiences;
}

/* ---- draining ---- */

static size_t staying_count(const struct session_table *table) {
    size_t count = 0;
    for (const struct session_user *user = table->users; user != NULL; user = user->hh.next)
        for (const struct session *session = user->first; session != NULL; session = session->next)
            count += !session->is_told_to_move;
    return count;
}

static void some_tell_to_move(struct session_table *table, size_t share, uint32_t after_ms) {
    for (struct session_user *user = table->users; user != NULL; user = user->hh.next) {
        for (struct session *session = user->first; session != NULL && share > 0; session = session->next) {
            if (session->is_told_to_move)
                continue;
            session->is_told_to_move = true;
            session->kind->on_drain(session, after_ms);
            share--;
        }
    }
}

/* An equal share in each tick that is left; those who come last are told to hurry. */
static void on_drain_tick(struct wheel_timer *timer, void *owner) {
    struct worker *worker = owner;
    struct session_table *table = gateway_worker_of(worker)->sessions;
    uint64_t now_ms = worker_now_ms(worker);
    uint64_t left_ms = table->drain_ends_ms > now_ms ? table->drain_ends_ms - now_ms : 0;
    size_t share = staying_count(table) / (size_t)(left_ms / TIMER_WHEEL_TICK_MS + 1) + 1;
    some_tell_to_move(table, share, (uint32_t)left_ms);
    if (staying_count(table) > 0)
        wheel_timer_start(&worker->wheel, timer, now_ms, TIMER_WHEEL_TICK_MS, on_drain_tick);
}

void session_table_drain(struct gateway_worker *worker, uint32_t spread_ms) {
    struct session_table *table = worker->sessions;
    table->drain_ends_ms = worker_now_ms(worker->worker) + spread_ms;
    on_drain_tick(&table->drain_timer, worker->worker);
}
