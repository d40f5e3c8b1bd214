#include "node/gateway/subscription.h"

#include <stdlib.h>

#include "node/gateway/session.h"
#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct audience_entry {
    struct audience audience; /* first, so that one pointer is both */
    UT_hash_handle hh;
    struct id_hash thread;
};

struct audience_table {
    struct audience_entry *entries;
    struct broadcast *recent[RECENT_JOINS_MAX]; /* a reference is held of each */
    size_t recent_next;
};

struct audience_table *audience_table_new(void) {
    struct audience_table *table = calloc(1, sizeof(*table));
    check(table != NULL);
    return table;
}

void audience_table_free(struct audience_table *table) {
    check(table->entries == NULL);
    for (size_t i = 0; i < RECENT_JOINS_MAX; i++)
        if (table->recent[i] != NULL)
            broadcast_release(table->recent[i]);
    free(table);
}

struct audience *audience_find(struct audience_table *table, const struct id_hash *thread) {
    struct audience_entry *entry;
    HASH_FIND(hh, table->entries, thread, sizeof(*thread), entry);
    return entry == NULL ? NULL : &entry->audience;
}

const struct id_hash *audience_thread(const struct audience *audience) {
    return &((const struct audience_entry *)audience)->thread;
}

static struct audience *audience_get(struct audience_table *table, const struct id_hash *thread) {
    struct audience *audience = audience_find(table, thread);
    if (audience != NULL)
        return audience;
    struct audience_entry *entry = calloc(1, sizeof(*entry));
    check(entry != NULL);
    entry->thread = *thread;
    HASH_ADD(hh, table->entries, thread, sizeof(entry->thread), entry);
    return &entry->audience;
}

struct subscription *subscription_add(struct audience_table *table, struct session *session,
                                      const struct id_hash *thread, uint64_t next_offset) {
    struct audience *audience = audience_get(table, thread);
    struct subscription *subscription = calloc(1, sizeof(*subscription));
    check(subscription != NULL);
    *subscription = (struct subscription){.session = session,
                                          .audience = audience,
                                          .next = audience->first,
                                          .link = &audience->first,
                                          .session_next = session->subscriptions,
                                          .session_link = &session->subscriptions,
                                          .next_offset = next_offset,
                                          .is_resuming = session_is_resuming(session, thread)};
    if (audience->first != NULL)
        audience->first->link = &subscription->next;
    audience->first = subscription;
    audience->count++;
    if (!audience->is_in_force)
        session->unheard++;
    if (session->subscriptions != NULL)
        session->subscriptions->session_link = &subscription->session_next;
    session->subscriptions = subscription;
    return subscription;
}

void subscription_remove(struct audience_table *table, struct subscription *subscription) {
    struct audience *audience = subscription->audience;
    struct gateway *gateway = audience->is_listened ? subscription->session->worker->gateway : NULL;
    if (!audience->is_in_force)
        subscription->session->unheard--;
    *subscription->link = subscription->next;
    if (subscription->next != NULL)
        subscription->next->link = subscription->link;
    *subscription->session_link = subscription->session_next;
    if (subscription->session_next != NULL)
        subscription->session_next->session_link = subscription->session_link;
    free(subscription);
    if (--audience->count > 0)
        return;
    struct audience_entry *entry = (struct audience_entry *)audience;
    if (gateway != NULL)
        gateway->unlisten(gateway->core, &entry->thread);
    HASH_DEL(table->entries, entry);
    free(entry);
}

void audience_in_force_set(struct audience *audience) {
    if (audience->is_in_force)
        return;
    audience->is_in_force = true;
    for (struct subscription *subscription = audience->first; subscription != NULL; subscription = subscription->next)
        subscription->session->unheard--;
}

/* A user has few sessions and a session may have many threads, or a thread many listeners: the shorter list of the two
 * is walked. */
struct subscription *subscription_find(struct audience_table *table, const struct session *session,
                                       const struct id_hash *thread) {
    struct audience *audience = audience_find(table, thread);
    if (audience == NULL)
        return NULL;
    struct subscription *by_session = session->subscriptions, *by_audience = audience->first;
    while (by_session != NULL && by_audience != NULL) {
        if (by_session->audience == audience)
            return by_session;
        if (by_audience->session == session)
            return by_audience;
        by_session = by_session->session_next;
        by_audience = by_audience->next;
    }
    return NULL;
}

void recent_join_put(struct audience_table *table, struct broadcast *broadcast) {
    struct broadcast **slot = &table->recent[table->recent_next++ % RECENT_JOINS_MAX];
    if (*slot != NULL)
        broadcast_release(*slot);
    broadcast_hold(broadcast);
    *slot = broadcast;
}

struct broadcast *recent_join_find(const struct audience_table *table, const struct id_hash *thread, uint64_t offset) {
    for (size_t i = 0; i < RECENT_JOINS_MAX; i++) {
        struct broadcast *broadcast = table->recent[i];
        if (broadcast != NULL && broadcast_offset(broadcast) == offset &&
            id_hash_equal(broadcast_subject(broadcast), thread))
            return broadcast;
    }
    return NULL;
}
