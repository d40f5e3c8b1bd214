#include "node/gateway/fanout.h"

#include "node/gateway/listening.h"
#include "node/gateway/session.h"
#include "node/gateway/subscription.h"
#include "node/log.h"

static void session_tell(struct session *session, struct broadcast *broadcast) {
    struct gateway_worker *worker = session->worker;
    uint64_t delivered = atomic_load_explicit(&worker->delivered, memory_order_relaxed);
    atomic_store_explicit(&worker->delivered, delivered + 1, memory_order_relaxed);
    session->kind->tell(session, broadcast);
}

/* The worker gets every change in the order of the thread. What is below the subscription's offset was in the store
 * when the session looked; a jump means that something did not come by, so the store is asked, which has this one too.
 */
static void subscription_tell_alone(struct subscription *subscription, struct broadcast *broadcast) {
    struct session *session = subscription->session;
    uint64_t offset = broadcast_offset(broadcast);
    uint64_t expected = subscription->next_offset;
    bool is_the_end = broadcast_kind(broadcast) == CHANGE_THREAD_DELETED; /* the store has nothing left to tell */
    if (offset != 0) {
        if (offset < expected)
            return;
        subscription->next_offset = offset + 1;
        if (!is_the_end && subscription->is_resuming)
            return;
        if (!is_the_end && offset > expected) {
            session->kind->catch_up(session, audience_thread(subscription->audience), expected);
            return;
        }
    }
    session_tell(session, broadcast);
}

/* What was repeated from the store has gaps where messages have moved on. */
static bool is_behind_a_gap(const struct subscription *subscription, const struct broadcast *broadcast) {
    return broadcast_offset(broadcast) > subscription->next_offset &&
           broadcast_kind(broadcast) != CHANGE_THREAD_CREATED; /* which counts for several */
}

/* In a cluster what is missing comes by later, and this one then again. */
static void subscription_tell(struct subscription *subscription, struct broadcast *broadcast) {
    struct session *session = subscription->session;
    uint64_t offset = broadcast_offset(broadcast);
    if (session->worker->gateway->listen == NULL) {
        subscription_tell_alone(subscription, broadcast);
        return;
    }
    if (session->is_quiet)
        return;
    if (offset != 0) {
        bool is_next =
            offset >= subscription->next_offset && broadcast_from_offset(broadcast) <= subscription->next_offset;
        if (!is_next || subscription->is_resuming)
            return;
        if (session->kind->skip != NULL && is_behind_a_gap(subscription, broadcast))
            session->kind->skip(session, broadcast);
        subscription->next_offset = offset + 1;
    }
    session_tell(session, broadcast);
}

static bool is_among(const struct gateway *gateway, const struct participants *participants,
                     const struct id_hash *user) {
    for (size_t i = 0; i < participants->count; i++) {
        struct id_hash hash = gateway_hash(gateway, participants->items[i].user_id);
        if (id_hash_equal(&hash, user))
            return true;
    }
    return false;
}

/* Those who were removed have been told so and hear no more. Who joined again before this came by has a subscription
 * that begins later. */
static void removed_silence(struct gateway_worker *worker, struct subscription *first, struct broadcast *broadcast) {
    struct audience_table *audiences = session_table_audiences(worker->sessions);
    struct arena arena;
    struct change change;
    arena_init(&arena);
    broadcast_decode(broadcast, &arena, &change);
    for (struct subscription *subscription = first, *next; subscription != NULL; subscription = next) {
        next = subscription->next;
        if (subscription->next_offset == change.offset + 1 &&
            is_among(worker->gateway, &change.participants, session_user_hash(subscription->session)))
            subscription_remove(audiences, subscription);
    }
    arena_close(&arena);
}

static void all_silence(struct audience_table *audiences, struct subscription *first) {
    for (struct subscription *subscription = first, *next; subscription != NULL; subscription = next) {
        next = subscription->next;
        subscription_remove(audiences, subscription);
    }
}

static void thread_tell(struct gateway_worker *worker, struct broadcast *broadcast) {
    struct audience_table *audiences = session_table_audiences(worker->sessions);
    enum change_kind kind = broadcast_kind(broadcast);
    if (kind == CHANGE_THREAD_CREATED || kind == CHANGE_PARTICIPANTS_ADDED)
        recent_join_put(audiences, broadcast);
    struct audience *audience = audience_find(audiences, broadcast_subject(broadcast));
    if (audience == NULL)
        return;
    if (broadcast_offset(broadcast) != 0)
        audience->position = broadcast_offset(broadcast) + 1;
    /* Catching up may remove the subscription it is about. The memory of the next one is asked for in time. */
    for (struct subscription *subscription = audience->first, *next; subscription != NULL; subscription = next) {
        next = subscription->next;
        if (next != NULL) {
            __builtin_prefetch(next->next);
            __builtin_prefetch(next->session);
        }
        subscription_tell(subscription, broadcast);
    }
    audience = audience_find(audiences, broadcast_subject(broadcast));
    if (audience == NULL)
        return;
    if (kind == CHANGE_PARTICIPANTS_REMOVED)
        removed_silence(worker, audience->first, broadcast);
    else if (kind == CHANGE_THREAD_DELETED)
        all_silence(audiences, audience->first);
}

static void joining_tell(struct session *first, struct broadcast *broadcast) {
    struct arena arena;
    struct change change;
    arena_init(&arena);
    broadcast_decode(broadcast, &arena, &change);
    struct id_hash thread = gateway_hash(first->worker->gateway, change.thread_id);
    for (struct session *session = first; session != NULL; session = session->next) {
        int rc = session->is_deaf ? 0 : listening_join(session, &thread, change.offset);
        if (rc != 0)
            log_error("a session cannot listen to a thread that its user joined: %s", status_sentence(rc));
    }
    arena_close(&arena);
}

void fanout_deliver(struct gateway_worker *worker, struct broadcast *broadcast) {
    enum change_kind kind = broadcast_kind(broadcast);
    if (kind != CHANGE_USER_JOINED && kind != CHANGE_USER_REVOKED) {
        thread_tell(worker, broadcast);
        return;
    }
    struct session *session = session_table_find(worker->sessions, broadcast_subject(broadcast));
    if (kind == CHANGE_USER_JOINED && session != NULL)
        joining_tell(session, broadcast);
    if (kind == CHANGE_USER_REVOKED)
        for (; session != NULL; session = session->next)
            session_revoke(session, broadcast_time_ms(broadcast));
}
