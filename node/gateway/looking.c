#include "node/gateway/looking.h"

#include <stdlib.h>

#include "node/gateway/facts.h"
#include "node/gateway/subscription.h"
#include "node/log.h"
#include "proto/check.h"
#include "storage/user_store.h"

#define LOOK_DEADLINE_MS 10000
#define LOOK_RETRY_MS 1000

/* One look; the session's. */
struct looking {
    struct session *session;
    struct threads_ask *asked; /* NULL: not waiting for it */
    bool are_facts_asked;
    bool is_again; /* something may have been missed since this look began */
    struct wheel_timer timer;
    struct arena arena;
    struct id_hash *threads; /* new to the session */
    uint64_t *offsets;       /* of their joining */
    struct facts facts;
};

/* Which threads the user has joined. */
struct threads_ask {
    struct gateway_ask ask;
    struct looking *looking; /* NULL: cancelled */
};

static void look(struct session *session);

static struct audience_table *audiences_of(const struct session *session) {
    return session_table_audiences(session->worker->sessions);
}

void looking_listen_from(struct session *session, const struct id_hash *thread, uint64_t next_offset) {
    struct gateway *gateway = session->worker->gateway;
    struct subscription *subscription = subscription_find(audiences_of(session), session, thread);
    if (subscription == NULL)
        subscription = subscription_add(audiences_of(session), session, thread, next_offset);
    subscription->next_offset = next_offset;
    struct audience *audience = subscription->audience;
    if (audience->is_listened && audience->position <= next_offset)
        return;
    gateway->listen(gateway->core, thread, next_offset);
    if (audience->is_listened)
        gateway->unlisten(gateway->core, thread);
    audience->is_listened = true;
    audience->position = next_offset;
}

void looking_hear(struct session *session) {
    session->is_quiet = false;
    for (struct subscription *each = session->subscriptions; each != NULL; each = each->session_next)
        if (!each->is_resuming)
            looking_listen_from(session, audience_thread(each->audience), each->next_offset);
}

/* ---- the end of a look ---- */

static void looking_free(struct looking *self) {
    wheel_timer_stop(&self->session->worker->worker->wheel, &self->timer);
    if (self->asked != NULL)
        self->asked->looking = NULL;
    if (self->are_facts_asked)
        facts_cancel(&self->facts);
    arena_close(&self->arena);
    self->session->looking = NULL;
    free(self);
}

static void on_listening_tell(struct session *session, int rc) {
    bool is_first = !session->has_told_listening;
    session->has_told_listening = true;
    wheel_timer_stop(&session->worker->worker->wheel, &session->patience);
    if (is_first && session->kind->on_listening != NULL)
        session->kind->on_listening(session, rc);
}

static void in_force_look(struct session *session) {
    if (session->has_found && session->unheard == 0)
        on_listening_tell(session, STATUS_OK);
}

/* Where the places are known nothing will be missed but what is of the moment. */
static void on_patience(struct wheel_timer *timer, void *owner) {
    struct session *session = (struct session *)((char *)timer - offsetof(struct session, patience));
    (void)owner;
    on_listening_tell(session, session->has_found ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE);
}

void looking_expect(struct session *session) {
    struct worker *worker = session->worker->worker;
    if (!session->has_told_listening && !wheel_timer_is_running(&session->patience))
        wheel_timer_start(&worker->wheel, &session->patience, worker_now_ms(worker), LOOKING_ANSWER_MS, on_patience);
}

static void on_retry(struct wheel_timer *timer, void *owner) {
    struct looking *self = (struct looking *)((char *)timer - offsetof(struct looking, timer));
    struct session *session = self->session;
    (void)owner;
    looking_free(self);
    look(session);
}

static void looking_failed(struct looking *self, int rc) {
    struct session *session = self->session;
    struct worker *worker = session->worker->worker;
    log_warning("a session cannot listen to all of its threads yet: %s", status_sentence(rc));
    wheel_timer_start(&worker->wheel, &self->timer, worker_now_ms(worker), LOOK_RETRY_MS, on_retry);
}

static void looking_done(struct looking *self) {
    struct session *session = self->session;
    bool is_again = self->is_again;
    looking_free(self);
    session->has_looked = true;
    session->has_found = true;
    in_force_look(session);
    if (is_again)
        look(session);
}

/* ---- where the threads are ---- */

/* Threads that the user joined since the last look are told from the joining on. */
static void on_facts(struct facts *facts, int rc) {
    struct looking *self = facts->context;
    struct session *session = self->session;
    self->are_facts_asked = false;
    if (rc != STATUS_OK) {
        looking_failed(self, rc);
        return;
    }
    for (size_t i = 0; i < facts->count && !session->is_deaf; i++) {
        const struct fact *fact = &facts->items[i];
        uint64_t next_offset = session->has_looked ? self->offsets[i] : fact->offset + 1;
        if (fact->is_there && subscription_find(audiences_of(session), session, &self->threads[i]) == NULL)
            looking_listen_from(session, &self->threads[i], next_offset);
    }
    looking_done(self);
}

static void places_ask(struct looking *self, size_t count) {
    struct session *session = self->session;
    self->facts = (struct facts){.worker = session->worker,
                                 .arena = &self->arena,
                                 .kind = QUESTION_VIEWS,
                                 .user_id = session_user_id(session),
                                 .subjects = self->threads,
                                 .count = count,
                                 .deadline_ms = worker_now_ms(session->worker->worker) + LOOK_DEADLINE_MS,
                                 .context = self,
                                 .on_done = on_facts};
    int rc = facts_ask(&self->facts);
    self->are_facts_asked = rc == STATUS_OK;
    if (rc != STATUS_OK)
        looking_failed(self, rc);
}

/* ---- the user's threads ---- */

static size_t new_threads_gather(struct looking *self, const struct joined_threads *joined) {
    struct session *session = self->session;
    size_t joined_count = joined_threads_count(joined);
    size_t count = 0;
    self->threads = ARENA_NEW_ARRAY(&self->arena, struct id_hash, joined_count + 1);
    self->offsets = ARENA_NEW_ARRAY(&self->arena, uint64_t, joined_count + 1);
    for (size_t i = 0; i < joined_count; i++) {
        struct joined_thread item = joined_threads_at(joined, i);
        if (subscription_find(audiences_of(session), session, &item.thread) != NULL)
            continue;
        self->threads[count] = item.thread;
        self->offsets[count++] = item.offset;
    }
    return count;
}

static void threads_take(struct looking *self, const struct joined_threads *joined) {
    session_revoke(self->session, joined->is_there ? joined->valid_from_s * 1000 : INT64_MAX);
    size_t count = joined->is_there ? new_threads_gather(self, joined) : 0;
    if (count > 0)
        places_ask(self, count);
    else
        looking_done(self);
}

static void on_threads(struct gateway_worker *worker, struct gateway_ask *ask) {
    struct looking *self = ((struct threads_ask *)ask)->looking;
    struct joined_threads joined;
    int rc = ask->rc;
    (void)worker;
    if (self != NULL) {
        self->asked = NULL;
        if (rc == STATUS_OK)
            rc = joined_threads_decode(arena_copy(&self->arena, buffer_bytes(&ask->reply)), &self->arena, &joined);
        if (rc == STATUS_OK)
            threads_take(self, &joined);
        else
            looking_failed(self, rc);
    }
    gateway_ask_free(ask);
}

static int threads_ask(struct looking *self) {
    struct gateway *gateway = self->session->worker->gateway;
    struct threads_ask *asked = calloc(1, sizeof(*asked));
    struct question_subject subject = {.hash = *session_user_hash(self->session)};
    struct question question = {
        .kind = QUESTION_MEMBERSHIPS, .left_ms = LOOK_DEADLINE_MS, .subjects = &subject, .subjects_count = 1};
    check(asked != NULL);
    asked->looking = self;
    asked->ask.subject = subject.hash;
    asked->ask.deadline_ms = LOOK_DEADLINE_MS;
    asked->ask.worker = self->session->worker->worker->index;
    asked->ask.on_answer = on_threads;
    buffer_init(&asked->ask.body);
    buffer_init(&asked->ask.reply);
    question_encode(&question, &asked->ask.body);
    int rc = gateway->ask(gateway->core, &asked->ask);
    if (rc == STATUS_OK)
        self->asked = asked;
    else
        gateway_ask_free(&asked->ask);
    return rc;
}

static void look(struct session *session) {
    if (session->is_deaf)
        return;
    if (session->looking != NULL) {
        session->looking->is_again = true;
        return;
    }
    struct looking *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->session = session;
    arena_init(&self->arena);
    session->looking = self;
    int rc = threads_ask(self);
    if (rc != STATUS_OK)
        looking_failed(self, rc);
}

void looking_end(struct session *session) {
    if (session->looking != NULL)
        looking_free(session->looking);
}

/* ---- from the core ---- */

struct word_parcel {
    struct parcel parcel;
    struct id_hash subject;
};

static void word_post(struct gateway_worker *worker, const struct id_hash *subject,
                      void (*deliver)(void *receiver, struct parcel *parcel)) {
    struct word_parcel *word = calloc(1, sizeof(*word));
    check(word != NULL);
    word->subject = *subject;
    word->parcel.deliver = deliver;
    if (worker_post(worker->worker, &word->parcel) != STATUS_OK)
        free(word);
}

static void on_look(void *receiver, struct parcel *parcel) {
    struct word_parcel *word = (struct word_parcel *)parcel;
    struct session *session = session_table_find(gateway_worker_of(receiver)->sessions, &word->subject);
    for (; session != NULL; session = session->next) {
        if (session->kind->on_look != NULL)
            session->kind->on_look(session);
        look(session);
    }
    free(word);
}

void gateway_look_again(struct gateway_worker *worker, const struct id_hash *user) {
    word_post(worker, user, on_look);
}

static void on_in_force(void *receiver, struct parcel *parcel) {
    struct word_parcel *word = (struct word_parcel *)parcel;
    struct audience_table *audiences = session_table_audiences(gateway_worker_of(receiver)->sessions);
    struct audience *audience = audience_find(audiences, &word->subject);
    if (audience != NULL && !audience->is_in_force) {
        audience_in_force_set(audience);
        for (struct subscription *each = audience->first; each != NULL; each = each->next)
            in_force_look(each->session);
    }
    free(word);
}

void gateway_listening(struct gateway_worker *worker, const struct id_hash *thread) {
    word_post(worker, thread, on_in_force);
}

/* ---- for other nodes ---- */

static bool membership_visit(void *context, const struct id_hash *thread, const struct membership_row *row) {
    struct joined_thread joined = {.thread = *thread, .offset = row->offset};
    if (row->membership == MEMBERSHIP_JOINED)
        joined_thread_add(context, &joined);
    return true;
}

int joined_threads_read(struct gateway_worker *worker, struct arena *arena, const struct id_hash *user,
                        struct buffer *items, struct joined_threads *joined) {
    struct gateway_read read;
    struct user_store store;
    struct user_row row;
    *joined = (struct joined_threads){.is_there = false};
    int rc = gateway_read_begin_of(worker, arena, user, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = user_store_open(&store, read.context.transaction, arena, read.context.master, user);
    if (rc == STATUS_OK)
        rc = user_row_get(&store, &row);
    if (rc == STATUS_OK)
        rc = user_memberships_visit(&store, membership_visit, items);
    if (rc == STATUS_OK)
        *joined =
            (struct joined_threads){.is_there = true, .valid_from_s = row.valid_from_s, .items = buffer_bytes(items)};
    gateway_read_end(&read);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}
