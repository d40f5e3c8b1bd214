#include "node/gateway/resume.h"

#include <stdlib.h>

#include "node/gateway/looking.h"
#include "node/gateway/missed.h"
#include "node/gateway/realtime_session.h"
#include "node/gateway/subscription.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "storage/user_store.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

#define CHANGES_PER_READ 32
#define ASK_DEADLINE_MS 10000
#define ASKED_AHEAD_MAX 8 /* threads whose answers, some 256 KB each at the most, may be here before their turn */

/* The question to the thread's primary, in a cluster. */
struct resume_ask {
    struct gateway_ask ask;
    struct realtime_session *session; /* NULL: cancelled */
    struct resume_item *item;
    void (*keep)(struct resume_item *item, const struct gateway_ask *ask);
};

struct resume_item {
    UT_hash_handle hh;
    struct id_hash thread;
    uint64_t offset; /* everything up to here the client has */
    bool is_begun;
    size_t id_size;
    uint8_t *id; /* NULL: the client did not name the thread, a gap was noticed here */
    /* In a cluster. */
    struct resume_ask *asked; /* NULL: not waiting */
    bool has_answer;
    bool is_had;        /* the thread is gone, and the user had it in her list */
    struct arena arena; /* of the answer */
    struct missed answer;
    size_t told; /* changes of the answer */
};

/* Found by their threads, walked in the order in which they were asked for. */
struct resume {
    struct resume_item *items;
};

static enum realtime_format format_of(const struct realtime_session *self) {
    return (enum realtime_format)self->format;
}

static bool is_in_cluster(const struct realtime_session *self) {
    return self->worker->gateway->listen != NULL;
}

static struct bytes id_of(const struct resume_item *item) {
    return bytes_of(item->id, item->id_size);
}

static struct audience_table *audiences_of(const struct realtime_session *self) {
    return session_table_audiences(self->worker->sessions);
}

/* ---- what is to be resumed ---- */

static void answer_forget(struct resume_item *item) {
    if (item->asked != NULL)
        item->asked->session = NULL;
    item->asked = NULL;
    item->has_answer = false;
    item->is_had = false;
    item->told = 0;
    arena_reset(&item->arena);
}

static void first_item_free(struct resume *resume) {
    struct resume_item *item = resume->items;
    answer_forget(item);
    arena_close(&item->arena);
    HASH_DEL(resume->items, item);
    free(item->id);
    free(item);
}

void resume_free(struct resume *resume) {
    if (resume == NULL)
        return;
    while (resume->items != NULL)
        first_item_free(resume);
    free(resume);
}

bool resume_has(const struct resume *resume, const struct id_hash *thread) {
    struct resume_item *item = NULL;
    if (resume != NULL)
        HASH_FIND(hh, resume->items, thread, sizeof(*thread), item);
    return item != NULL;
}

static struct resume_item *item_get(struct resume *resume, const struct id_hash *thread) {
    struct resume_item *item;
    HASH_FIND(hh, resume->items, thread, sizeof(*thread), item);
    if (item != NULL)
        return item;
    item = calloc(1, sizeof(*item));
    check(item != NULL);
    item->thread = *thread;
    arena_init(&item->arena);
    HASH_ADD(hh, resume->items, thread, sizeof(item->thread), item);
    return item;
}

static void item_id_set(struct resume_item *item, struct bytes id) {
    if (!bytes_is_present(id) || item->id != NULL)
        return;
    item->id = malloc(id.size + 1);
    check(item->id != NULL);
    memcpy(item->id, id.data, id.size);
    item->id_size = id.size;
}

static struct resume *resume_get(struct realtime_session *self) {
    if (self->resume == NULL) {
        self->resume = calloc(1, sizeof(*self->resume));
        check(self->resume != NULL);
    }
    return self->resume;
}

/* Live changes of the thread are held back from now on. */
static void thread_add(struct realtime_session *self, const struct id_hash *thread, struct bytes id, uint64_t offset) {
    struct resume_item *item = item_get(resume_get(self), thread);
    struct subscription *subscription = subscription_find(audiences_of(self), &self->session, thread);
    item_id_set(item, id);
    answer_forget(item);
    item->offset = offset;
    item->is_begun = false;
    if (subscription != NULL)
        subscription->is_resuming = true;
}

/* ---- telling ---- */

static void receipts_tell(struct realtime_session *self, struct thread_view *view) {
    struct change change = {.kind = CHANGE_RECEIPTS, .subject = view->store.thread, .thread_id = view->properties.id};
    struct buffer frame;
    int64_t participants_max = self->worker->gateway->config->feature_participants_max;
    if (!view->is_active || !thread_view_has_receipts(view, participants_max) ||
        thread_receipts_list(&view->store, &change.receipts, &change.receipts_count) != 0 || change.receipts_count == 0)
        return;
    buffer_init(&frame);
    realtime_change_encode(format_of(self), &change, NULL, &frame);
    realtime_send_close(self, &frame);
}

/* From here on the thread is told live. */
static void listen_on(struct realtime_session *self, const struct thread_view *view) {
    struct subscription *subscription = subscription_find(audiences_of(self), &self->session, &view->store.thread);
    if (subscription == NULL && view->is_active)
        subscription =
            subscription_add(audiences_of(self), &self->session, &view->store.thread, view->counters.offset + 1);
    if (subscription == NULL)
        return;
    subscription->is_resuming = false;
    if (subscription->next_offset <= view->counters.offset)
        subscription->next_offset = view->counters.offset + 1;
}

static uint64_t newest_visible(const struct thread_view *view) {
    return view->is_active ? view->counters.offset : view->participant.removed_offset;
}

static void complete(struct realtime_session *self, struct thread_view *view) {
    struct buffer frame;
    receipts_tell(self, view);
    buffer_init(&frame);
    realtime_complete_encode(format_of(self), view->properties.id, newest_visible(view), &frame);
    realtime_send_close(self, &frame);
    listen_on(self, view);
}

static void gap(struct realtime_session *self, struct thread_view *view, uint64_t from) {
    struct buffer frame;
    buffer_init(&frame);
    realtime_gap_encode(format_of(self), view->properties.id, from, newest_visible(view), &frame);
    realtime_send_close(self, &frame);
    listen_on(self, view);
}

static void refuse(struct realtime_session *self, const struct resume_item *item, int rc) {
    struct problem problem = {.rc = rc};
    struct subscription *subscription = subscription_find(audiences_of(self), &self->session, &item->thread);
    if (item->id != NULL)
        realtime_refuse(self, BYTES_ABSENT, id_of(item), &problem);
    if (subscription == NULL)
        return;
    subscription->is_resuming = false;
    if (is_in_cluster(self))
        looking_listen_from(&self->session, &item->thread, subscription->next_offset);
}

/* on_room comes when the queue has fallen below the same bound. */
static bool has_room(const struct realtime_session *self) {
    size_t bytes_max = (size_t)self->worker->gateway->config->session_queue_bytes_max;
    return !websocket_is_closing(self->websocket) && websocket_queued_bytes(self->websocket) <= bytes_max / 2;
}

static int changes_tell(struct realtime_session *self, struct resume_item *item, struct thread_view *view,
                        bool *is_done) {
    struct change *changes;
    size_t count;
    bool is_complete = false;
    *is_done = false;
    int rc = thread_view_changes(view, item->offset + 1, CHANGES_PER_READ, &changes, &count, &is_complete);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!has_room(self))
            return 0;
        struct broadcast *broadcast = broadcast_new(&changes[i], 0, 0);
        /* Who did not ask takes this for live. */
        if (item->id == NULL && changes[i].offset > item->offset + 1)
            self->session.kind->skip(&self->session, broadcast);
        self->session.kind->tell(&self->session, broadcast);
        broadcast_release(broadcast);
        item->offset = changes[i].offset;
    }
    *is_done = is_complete;
    return rc;
}

static int view_go_on(struct realtime_session *self, struct resume_item *item, struct thread_view *view,
                      bool *is_done) {
    uint64_t newest = newest_visible(view);
    bool is_gap = item->offset > newest || newest - item->offset > LIMIT_RESUME_CHANGES_MAX;
    if (!item->is_begun && is_gap) {
        gap(self, view, item->offset);
        return 0;
    }
    item->is_begun = true;
    int rc = changes_tell(self, item, view, is_done);
    if (rc == 0 && *is_done)
        complete(self, view);
    return rc;
}

/* A thread that is gone: whoever had it in her list is told of its end, by the change that ended it. */
static int deletion_go_on(struct realtime_session *self, const struct resume_item *item,
                          const struct gateway_read *read) {
    const struct apply_context *context = &read->context;
    struct user_store store;
    struct membership_row row;
    struct change change;
    struct buffer frame;
    int rc = user_store_open(&store, context->transaction, context->arena, context->master,
                             session_user_hash(&self->session));
    if (rc == 0)
        rc = user_membership_get(&store, &item->thread, &row);
    if (rc == 0 && row.membership == MEMBERSHIP_LEFT)
        rc = STATUS_STORE_MISSING;
    if (rc == 0)
        rc = thread_deletion_view(context, &item->thread, &change);
    if (rc != 0)
        return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
    struct broadcast *broadcast = broadcast_new(&change, 0, 0);
    self->session.kind->tell(&self->session, broadcast);
    broadcast_release(broadcast);
    buffer_init(&frame);
    realtime_complete_encode(format_of(self), change.thread_id, change.offset, &frame);
    realtime_send_close(self, &frame);
    return 0;
}

/* ---- in a cluster: as the thread's primary has it ---- */

static void on_answer(struct gateway_worker *worker, struct gateway_ask *ask) {
    struct resume_ask *asked = (struct resume_ask *)ask;
    struct realtime_session *self = asked->session;
    (void)worker;
    if (self != NULL) {
        asked->item->asked = NULL;
        asked->keep(asked->item, ask);
    }
    gateway_ask_free(ask);
    if (self != NULL)
        resume_go_on(self);
}

static int item_ask(struct realtime_session *self, struct resume_item *item, const struct question *question,
                    void (*keep)(struct resume_item *item, const struct gateway_ask *ask)) {
    struct gateway *gateway = self->worker->gateway;
    struct resume_ask *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    *asked = (struct resume_ask){.ask = {.subject = question->subjects[0].hash,
                                         .deadline_ms = ASK_DEADLINE_MS,
                                         .worker = self->worker->worker->index,
                                         .on_answer = on_answer},
                                 .session = self,
                                 .item = item,
                                 .keep = keep};
    buffer_init(&asked->ask.body);
    buffer_init(&asked->ask.reply);
    question_encode(question, &asked->ask.body);
    int rc = gateway->ask(gateway->core, &asked->ask);
    if (rc == STATUS_OK)
        item->asked = asked;
    else
        gateway_ask_free(&asked->ask);
    return rc;
}

static void missed_keep(struct resume_item *item, const struct gateway_ask *ask) {
    int rc = ask->rc;
    item->has_answer = true;
    item->told = 0;
    if (rc == STATUS_OK)
        rc = missed_decode(arena_copy(&item->arena, buffer_bytes(&ask->reply)), &item->arena, &item->answer);
    if (rc != STATUS_OK)
        item->answer = (struct missed){.rc = rc};
}

static int missed_ask(struct realtime_session *self, struct resume_item *item) {
    struct question_subject subject = {.hash = item->thread};
    struct question question = {.kind = QUESTION_MISSED,
                                .left_ms = ASK_DEADLINE_MS,
                                .user_id = session_user_id(&self->session),
                                .from_offset = item->offset + 1,
                                .subjects = &subject,
                                .subjects_count = 1};
    answer_forget(item);
    return item_ask(self, item, &question, missed_keep);
}

static int encoded_tell(struct realtime_session *self, struct bytes encoded, unsigned copies, uint64_t *offset) {
    struct change change;
    struct arena arena;
    arena_init(&arena);
    int rc = change_decode(encoded, &arena, &change);
    if (rc == STATUS_OK) {
        struct broadcast *broadcast = broadcast_new(&change, copies, 0);
        self->session.kind->tell(&self->session, broadcast);
        broadcast_release(broadcast);
        *offset = change.offset;
    }
    arena_close(&arena);
    return rc;
}

static bool was_had(const struct gateway_ask *ask, struct arena *arena) {
    struct fact_list facts;
    return facts_decode(buffer_bytes(&ask->reply), arena, &facts) == STATUS_OK && facts.count == 1 &&
           facts.items[0].is_there;
}

static void had_keep(struct resume_item *item, const struct gateway_ask *ask) {
    item->is_had = ask->rc == STATUS_OK && was_had(ask, &item->arena);
    if (!item->is_had)
        item->answer.rc = ask->rc == STATUS_OK ? STATUS_THREAD_NOT_FOUND : ask->rc;
}

/* Who took part in a thread that is gone, only the lists of its users know. */
static int had_ask(struct realtime_session *self, struct resume_item *item) {
    struct question_subject subjects[] = {{.hash = *session_user_hash(&self->session)}, {.hash = item->thread}};
    struct question question = {
        .kind = QUESTION_MEMBERSHIP, .left_ms = ASK_DEADLINE_MS, .subjects = subjects, .subjects_count = 2};
    return item_ask(self, item, &question, had_keep);
}

/* Where the user has joined again since she was removed, what she joined is told from there. */
static void live_from_here(struct realtime_session *self, const struct resume_item *item) {
    const struct missed *answer = &item->answer;
    struct subscription *subscription = subscription_find(audiences_of(self), &self->session, &item->thread);
    bool has_joined_since = subscription != NULL && subscription->next_offset > answer->newest;
    if (subscription != NULL && !answer->is_active && !has_joined_since) {
        subscription_remove(audiences_of(self), subscription);
        return;
    }
    if (!answer->is_active && !has_joined_since)
        return;
    looking_listen_from(&self->session, &item->thread,
                        answer->is_active ? answer->newest + 1 : subscription->next_offset);
    subscription_find(audiences_of(self), &self->session, &item->thread)->is_resuming = false;
}

static int answer_complete(struct realtime_session *self, struct resume_item *item) {
    const struct missed *answer = &item->answer;
    struct buffer frame;
    uint64_t offset;
    int rc = bytes_is_present(answer->receipts) ? encoded_tell(self, answer->receipts, 0, &offset) : STATUS_OK;
    buffer_init(&frame);
    realtime_complete_encode(format_of(self), answer->thread_id, answer->newest, &frame);
    realtime_send_close(self, &frame);
    live_from_here(self, item);
    return rc;
}

static void answer_gap(struct realtime_session *self, struct resume_item *item) {
    struct buffer frame;
    buffer_init(&frame);
    realtime_gap_encode(format_of(self), item->answer.thread_id, item->offset, item->answer.newest, &frame);
    realtime_send_close(self, &frame);
    live_from_here(self, item);
}

/* What the client has not read yet waits for room. */
static int answer_tell(struct realtime_session *self, struct resume_item *item, bool *is_done) {
    const struct missed *answer = &item->answer;
    bool is_gap = item->offset > answer->newest || answer->newest - item->offset > LIMIT_RESUME_CHANGES_MAX;
    if (answer->rc != STATUS_OK)
        return (int)answer->rc;
    if (answer->is_deleted && !item->is_had)
        return had_ask(self, item);
    if (!item->is_begun && is_gap && !answer->is_deleted) {
        answer_gap(self, item);
        *is_done = true;
        return STATUS_OK;
    }
    item->is_begun = true;
    for (; item->told < answer->changes_count; item->told++) {
        if (!has_room(self))
            return STATUS_OK;
        int rc = encoded_tell(self, answer->changes[item->told].encoded, answer->copies, &item->offset);
        if (rc != STATUS_OK)
            return rc;
    }
    if (!answer->is_complete)
        return answer->changes_count > 0 ? missed_ask(self, item) : STATUS_MALFORMED;
    *is_done = true;
    return answer_complete(self, item);
}

static bool cluster_item_go_on(struct realtime_session *self, struct resume_item *item) {
    bool is_done = false;
    int rc = item->has_answer ? answer_tell(self, item, &is_done) : missed_ask(self, item);
    if (rc != STATUS_OK)
        refuse(self, item, rc);
    return rc != STATUS_OK || is_done;
}

/* ---- one after the other ---- */

static bool item_go_on(struct realtime_session *self, struct resume_item *item) {
    struct gateway_read read;
    struct thread_view view;
    struct arena arena;
    bool is_done = true;
    if (is_in_cluster(self))
        return cluster_item_go_on(self, item);
    arena_init(&arena);
    int rc = gateway_read_begin(self->worker, &arena, &read);
    if (rc == 0) {
        rc = thread_view_open(&view, &read.context, &item->thread, session_user_id(&self->session));
        if (rc == 0)
            rc = view_go_on(self, item, &view, &is_done);
        else if (rc == STATUS_THREAD_NOT_FOUND)
            rc = deletion_go_on(self, item, &read);
        gateway_read_end(&read);
    }
    if (rc != 0)
        refuse(self, item, rc);
    arena_close(&arena);
    return rc != 0 || is_done;
}

void resume_begin(struct realtime_session *self) {
    for (struct resume_item *item = self->resume == NULL ? NULL : self->resume->items; item != NULL;
         item = item->hh.next) {
        struct subscription *subscription = subscription_find(audiences_of(self), &self->session, &item->thread);
        if (subscription != NULL)
            subscription->is_resuming = true;
    }
}

/* Clients are told one thread after the other; their leaders are asked for several at a time. */
static void ask_ahead(struct realtime_session *self) {
    size_t count = 0;
    for (struct resume_item *item = self->resume->items; item != NULL && count < ASKED_AHEAD_MAX;
         item = item->hh.next) {
        count++;
        if (item->asked == NULL && !item->has_answer && missed_ask(self, item) != STATUS_OK)
            return; /* asked when its turn comes */
    }
}

void resume_go_on(struct realtime_session *self) {
    struct resume *resume = self->resume;
    if (self->session.is_quiet)
        return; /* nothing is told before the welcome */
    while (resume != NULL && resume->items != NULL && resume->items->asked == NULL && has_room(self))
        if (item_go_on(self, resume->items))
            first_item_free(resume);
    if (resume != NULL && resume->items == NULL) {
        resume_free(resume);
        self->resume = NULL;
    } else if (resume != NULL && is_in_cluster(self)) {
        ask_ahead(self);
    }
}

/* A client that reads nothing could otherwise ask for more and more. */
static int room_check(struct realtime_session *self, size_t count) {
    size_t waiting = self->resume == NULL ? 0 : HASH_COUNT(self->resume->items);
    struct problem problem = {.rc = STATUS_OVERLOADED};
    if (waiting + count <= LIMIT_RESUME_THREADS_MAX)
        return 0;
    realtime_refuse(self, BYTES_ABSENT, BYTES_ABSENT, &problem);
    return problem.rc;
}

void resume_add(struct realtime_session *self, const struct realtime_position *positions, size_t count) {
    if (room_check(self, count) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct id_hash thread = gateway_hash(self->worker->gateway, positions[i].thread_id);
        thread_add(self, &thread, positions[i].thread_id, positions[i].offset);
    }
    resume_go_on(self);
}

void resume_gap(struct realtime_session *self, const struct id_hash *thread, uint64_t offset) {
    thread_add(self, thread, BYTES_ABSENT, offset - 1);
    resume_go_on(self);
}
