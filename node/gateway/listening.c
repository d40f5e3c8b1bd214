#include "node/gateway/listening.h"

#include "node/gateway/looking.h"
#include "node/gateway/subscription.h"
#include "storage/user_store.h"

#define CHANGES_PER_READ 64

static struct audience_table *audiences_of(const struct session *session) {
    return session_table_audiences(session->worker->sessions);
}

/* Makes the session listen from `next_offset` on, whether it did before or not. */
static void listen_from(struct session *session, const struct id_hash *thread, uint64_t next_offset) {
    struct subscription *subscription = subscription_find(audiences_of(session), session, thread);
    if (subscription == NULL)
        subscription_add(audiences_of(session), session, thread, next_offset);
    else
        subscription->next_offset = next_offset;
}

static void listen_no_more(struct session *session, const struct id_hash *thread) {
    struct subscription *subscription = subscription_find(audiences_of(session), session, thread);
    if (subscription != NULL)
        subscription_remove(audiences_of(session), subscription);
}

static bool is_listening(const struct session *session, const struct id_hash *thread) {
    return subscription_find(audiences_of(session), session, thread) != NULL;
}

static void change_tell(struct session *session, const struct change *change) {
    struct broadcast *broadcast = broadcast_new(change, 0, 0);
    session->kind->tell(session, broadcast);
    broadcast_release(broadcast);
}

static int changes_tell(struct session *session, struct thread_view *view, uint64_t offset) {
    bool is_complete = false;
    while (!is_complete) {
        struct change *changes;
        size_t count;
        int rc = thread_view_changes(view, offset, CHANGES_PER_READ, &changes, &count, &is_complete);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < count; i++) {
            change_tell(session, &changes[i]);
            offset = changes[i].offset + 1;
        }
    }
    return 0;
}

/* From `offset` to the newest change, then live. */
static int view_catch_up(struct session *session, struct thread_view *view, uint64_t offset, size_t changes_max) {
    uint64_t newest = view->counters.offset;
    if (newest >= changes_max && offset < newest - changes_max + 1)
        offset = newest - changes_max + 1;
    if (view->is_active)
        listen_from(session, &view->store.thread, newest + 1);
    else
        listen_no_more(session, &view->store.thread);
    return offset > newest ? 0 : changes_tell(session, view, offset);
}

/* The deletion itself may still be on its way here, or have come by before the session listened: it is told from the
 * store, once, because nobody listens afterwards. */
static int deletion_tell(struct session *session, const struct gateway_read *read, const struct id_hash *thread) {
    struct change change;
    int rc = thread_deletion_view(&read->context, thread, &change);
    listen_no_more(session, thread);
    if (rc == 0)
        change_tell(session, &change);
    return rc == STATUS_STORE_MISSING ? 0 : rc;
}

static int thread_catch_up(struct session *session, const struct gateway_read *read, const struct id_hash *thread,
                           uint64_t offset, size_t changes_max) {
    struct thread_view view;
    int rc = thread_view_open(&view, &read->context, thread, session_user_id(session));
    if (rc == STATUS_FORBIDDEN) {
        listen_no_more(session, thread);
        return 0;
    }
    if (rc == STATUS_THREAD_NOT_FOUND)
        return deletion_tell(session, read, thread);
    return rc == 0 ? view_catch_up(session, &view, offset, changes_max) : rc;
}

/* ---- all threads of a user ---- */

struct listing {
    struct session *session;
    const struct gateway_read *read;
    bool is_resuming; /* threads joined meanwhile are told */
    size_t changes_max;
    int rc;
};

static bool membership_visit(void *context, const struct id_hash *thread, const struct membership_row *row) {
    struct listing *listing = context;
    struct session *session = listing->session;
    struct thread_view view;
    if (row->membership != MEMBERSHIP_JOINED || is_listening(session, thread))
        return true;
    int rc = thread_view_open(&view, &listing->read->context, thread, session_user_id(session));
    if (rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_FORBIDDEN || (rc == 0 && !view.is_active))
        return true; /* the list lags a little behind the threads */
    if (rc == 0) {
        uint64_t offset = listing->is_resuming ? row->offset : view.counters.offset + 1;
        rc = view_catch_up(session, &view, offset, listing->changes_max);
    }
    /* One unreadable thread must not silence the others. */
    if (rc != 0)
        listing->rc = rc;
    return true;
}

static int memberships_listen(struct listing *listing) {
    const struct apply_context *context = &listing->read->context;
    struct session *session = listing->session;
    struct user_store store;
    struct user_row row;
    int rc = user_store_open(&store, context->transaction, context->arena, context->master, session_user_hash(session));
    if (rc == 0)
        rc = user_row_get(&store, &row);
    if (rc == STATUS_STORE_MISSING) {
        session_revoke(session, INT64_MAX);
        return 0;
    }
    if (rc != 0)
        return rc;
    session_revoke(session, row.valid_from_s * 1000);
    rc = user_memberships_visit(&store, membership_visit, listing);
    return rc == 0 ? listing->rc : rc;
}

/* ---- in a cluster ---- */

static bool is_in_cluster(const struct session *session) {
    return session->worker->gateway->listen != NULL;
}

/* The core has the session look for its threads. */
static int user_listen(struct session *session) {
    struct gateway *gateway = session->worker->gateway;
    if (!session->is_user_listened)
        gateway->listen(gateway->core, session_user_hash(session), 0);
    session->is_user_listened = true;
    looking_expect(session);
    return STATUS_OK;
}

static int cluster_resume(struct session *session, const struct listening_position *positions, size_t count) {
    for (size_t i = 0; i < count; i++)
        looking_listen_from(session, &positions[i].thread, positions[i].next_offset);
    session->has_looked = true;
    return user_listen(session);
}

/* Who has been removed again meanwhile is told up to her removal. */
static int cluster_join(struct session *session, const struct id_hash *thread, uint64_t offset) {
    bool is_told_otherwise = session->is_quiet || session_is_resuming(session, thread);
    struct broadcast *joining = is_told_otherwise ? NULL : recent_join_find(audiences_of(session), thread, offset);
    if (joining != NULL)
        session->kind->tell(session, joining);
    looking_listen_from(session, thread, joining == NULL ? offset : offset + 1);
    return STATUS_OK;
}

/* ---- all of it ---- */

int listening_resume(struct session *session, const struct listening_position *positions, size_t count,
                     size_t changes_max) {
    struct gateway_read read;
    struct arena arena;
    if (is_in_cluster(session))
        return cluster_resume(session, positions, count);
    arena_init(&arena);
    int rc = gateway_read_begin(session->worker, &arena, &read);
    if (rc != 0)
        goto close_arena;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = thread_catch_up(session, &read, &positions[i].thread, positions[i].next_offset, changes_max);
    if (rc == 0) {
        struct listing listing = {.session = session, .read = &read, .is_resuming = true, .changes_max = changes_max};
        rc = memberships_listen(&listing);
    }
    gateway_read_end(&read);
close_arena:
    arena_close(&arena);
    return rc;
}

int listening_start(struct session *session) {
    struct gateway_read read;
    struct arena arena;
    if (is_in_cluster(session))
        return user_listen(session);
    arena_init(&arena);
    int rc = gateway_read_begin(session->worker, &arena, &read);
    if (rc == 0) {
        struct listing listing = {.session = session, .read = &read};
        rc = memberships_listen(&listing);
        gateway_read_end(&read);
    }
    arena_close(&arena);
    return rc;
}

/* ---- one thread ---- */

static int thread_join(struct session *session, const struct gateway_read *read, const struct id_hash *thread,
                       uint64_t offset) {
    struct thread_view view;
    int rc = thread_view_open(&view, &read->context, thread, session_user_id(session));
    bool is_deleted = rc == STATUS_THREAD_NOT_FOUND;
    if (rc == STATUS_FORBIDDEN)
        return 0;
    if (rc != 0 && !is_deleted)
        return rc;
    struct broadcast *joining = recent_join_find(audiences_of(session), thread, offset);
    if (joining != NULL)
        session->kind->tell(session, joining);
    if (is_deleted)
        return deletion_tell(session, read, thread);
    /* Who has been removed again meanwhile is told up to her removal. */
    return view_catch_up(session, &view, joining == NULL ? offset : offset + 1, SIZE_MAX);
}

int listening_join(struct session *session, const struct id_hash *thread, uint64_t offset) {
    struct gateway_read read;
    struct arena arena;
    if (is_listening(session, thread))
        return 0;
    if (is_in_cluster(session))
        return cluster_join(session, thread, offset);
    if (session_is_resuming(session, thread))
        return 0; /* that comes upon the joining in the store */
    arena_init(&arena);
    int rc = gateway_read_begin(session->worker, &arena, &read);
    if (rc == 0) {
        rc = thread_join(session, &read, thread, offset);
        gateway_read_end(&read);
    }
    arena_close(&arena);
    return rc;
}

int listening_catch_up(struct session *session, const struct id_hash *thread, uint64_t offset, size_t changes_max) {
    struct gateway_read read;
    struct arena arena;
    arena_init(&arena);
    int rc = gateway_read_begin(session->worker, &arena, &read);
    if (rc == 0) {
        rc = thread_catch_up(session, &read, thread, offset, changes_max);
        gateway_read_end(&read);
    }
    arena_close(&arena);
    return rc;
}
