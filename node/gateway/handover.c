#include "node/gateway/handover.h"

#include <stdlib.h>

#include "node/gateway/endpoint_message.h"
#include "node/gateway/subscription.h"
#include "node/gateway/trouter_session.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/limits.h"

/* The client waits for its welcome meanwhile, and a node that is up answers at once. */
#define HANDOVER_DEADLINE_MS 3000
#define LEAVE_DEADLINE_MS 10000
/* Of pushes, between nodes; the oldest are left behind, as those are that have no room in a buffer. */
#define HANDOVER_BYTES_MAX (4 * 1024 * 1024)

static struct handover *handover_new(struct gateway *gateway, const struct handover_wish *wish,
                                     const struct endpoint_holder *giver) {
    struct handover *handover = calloc(1, sizeof(*handover));
    check(handover != NULL);
    handover->gateway = gateway;
    handover->user = wish->user;
    handover->endpoint = wish->endpoint;
    handover->giver = *giver;
    handover->taker = wish->taker;
    handover->is_search = wish->is_search;
    return handover;
}

void handover_free(struct handover *handover) {
    endpoint_buffer_close(&handover->pushes);
    free(handover->positions);
    free(handover);
}

/* ---- between nodes ---- */

static size_t bytes_of_push(const struct endpoint_push *push) {
    return shared_bytes_view(push->before).size + shared_bytes_view(push->after).size;
}

/* How many of the oldest have to stay behind. */
static size_t too_many(struct endpoint_buffer *pushes) {
    size_t bytes = 0, skipped = 0;
    uint32_t cursor = 0;
    struct endpoint_push *push;
    while ((push = endpoint_buffer_next(pushes, &cursor)) != NULL)
        bytes += bytes_of_push(push);
    cursor = 0;
    while (bytes > HANDOVER_BYTES_MAX && (push = endpoint_buffer_next(pushes, &cursor)) != NULL) {
        bytes -= bytes_of_push(push);
        skipped++;
    }
    return skipped;
}

/* Borrows from `pushes`. */
static void pushes_pack(struct arena *arena, struct endpoint_buffer *pushes, struct endpoint_message *message) {
    size_t skipped = too_many(pushes);
    struct endpoint_push *push;
    uint32_t cursor = 0;
    message->pushes = ARENA_NEW_ARRAY(arena, struct endpoint_message_push, pushes->count + 1);
    while ((push = endpoint_buffer_next(pushes, &cursor)) != NULL) {
        if (skipped > 0)
            skipped--;
        else
            message->pushes[message->pushes_count++] =
                (struct endpoint_message_push){.before = shared_bytes_view(push->before),
                                               .after = shared_bytes_view(push->after),
                                               .thread = push->of.thread,
                                               .offset = push->of.offset};
    }
}

static void pushes_unpack(const struct endpoint_message *message, struct endpoint_buffer *pushes) {
    for (size_t i = 0; i < message->pushes_count; i++) {
        struct shared_bytes *before = shared_bytes_copy(message->pushes[i].before);
        struct shared_bytes *after = shared_bytes_copy(message->pushes[i].after);
        endpoint_buffer_add(pushes, before, after)->of =
            (struct endpoint_push_of){.thread = message->pushes[i].thread, .offset = message->pushes[i].offset};
        shared_bytes_release(before);
        shared_bytes_release(after);
    }
}

static void positions_pack(const struct handover *handover, struct buffer *out) {
    for (size_t i = 0; i < handover->positions_count; i++) {
        struct joined_thread position = {.thread = handover->positions[i].thread,
                                         .offset = handover->positions[i].next_offset};
        joined_thread_add(out, &position);
    }
}

static void positions_unpack(struct bytes packed, struct handover *handover) {
    struct joined_threads positions = {.items = packed};
    size_t count = joined_threads_count(&positions);
    handover->positions = calloc(count + 1, sizeof(*handover->positions));
    check(handover->positions != NULL);
    handover->positions_count = count;
    for (size_t i = 0; i < count; i++) {
        struct joined_thread position = joined_threads_at(&positions, i);
        handover->positions[i] = (struct listening_position){.thread = position.thread, .next_offset = position.offset};
    }
}

static void handover_pack(struct handover *handover, struct buffer *out) {
    struct endpoint_message message = {
        .is_found = handover->is_found, .giver = handover->instead.holder, .turn = handover->instead.turn};
    struct buffer positions;
    struct arena arena;
    arena_init(&arena);
    buffer_init(&positions);
    pushes_pack(&arena, &handover->pushes, &message);
    positions_pack(handover, &positions);
    message.positions = buffer_bytes(&positions);
    endpoint_message_encode(&message, out);
    buffer_close(&positions);
    arena_close(&arena);
}

/* What cannot be read is as if the giver had not been there. */
static void handover_unpack(struct bytes encoded, struct handover *handover) {
    struct endpoint_message message;
    struct arena arena;
    arena_init(&arena);
    if (endpoint_message_decode(encoded, &arena, &message) == STATUS_OK) {
        handover->is_found = message.is_found;
        handover->instead = (struct endpoint_place){.holder = message.giver, .turn = message.turn};
        pushes_unpack(&message, &handover->pushes);
        positions_unpack(message.positions, handover);
    }
    arena_close(&arena);
}

/* A hand-over that another node is asked for. */
struct handover_ask {
    struct gateway_ask ask;
    struct handover_wish wish;
};

static struct handover_ask *ask_new(const struct handover_wish *wish, uint64_t node, uint32_t deadline_ms) {
    struct handover_ask *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    asked->wish = *wish;
    asked->ask.subject = wish->user;
    asked->ask.node = node;
    asked->ask.deadline_ms = deadline_ms;
    buffer_init(&asked->ask.body);
    buffer_init(&asked->ask.reply);
    return asked;
}

static void question_write(struct gateway_ask *ask, enum question_kind kind, const struct endpoint_message *message) {
    struct question_subject subject = {.hash = ask->subject};
    struct buffer encoded;
    buffer_init(&encoded);
    endpoint_message_encode(message, &encoded);
    struct question question = {.kind = kind,
                                .left_ms = ask->deadline_ms,
                                .call = buffer_bytes(&encoded),
                                .subjects = &subject,
                                .subjects_count = 1};
    question_encode(&question, &ask->body);
    buffer_close(&encoded);
}

static void on_handover(struct gateway_worker *worker, struct gateway_ask *ask) {
    const struct handover_ask *asked = (const struct handover_ask *)ask;
    struct handover handover = {.gateway = worker->gateway,
                                .user = ask->subject,
                                .taker = asked->wish.taker,
                                .is_search = asked->wish.is_search};
    if (ask->rc == STATUS_OK)
        handover_unpack(buffer_bytes(&ask->reply), &handover);
    else
        log_warning("an endpoint's old node does not hand it over: %s", status_sentence(ask->rc));
    trouter_handover_take(worker, &handover);
    endpoint_buffer_close(&handover.pushes);
    free(handover.positions);
    gateway_ask_free(ask);
}

static void ask_another_node(struct gateway *gateway, const struct handover_wish *wish,
                             const struct endpoint_holder *giver) {
    struct handover_ask *asked = ask_new(wish, giver->node, HANDOVER_DEADLINE_MS);
    struct endpoint_message message = {.endpoint = wish->endpoint,
                                       .giver = *giver,
                                       .taker = wish->taker.holder,
                                       .turn = wish->taker.turn,
                                       .is_search = wish->is_search};
    asked->ask.worker = wish->taker.holder.worker;
    asked->ask.on_answer = on_handover;
    question_write(&asked->ask, QUESTION_HANDOVER, &message);
    if (gateway->ask(gateway->core, &asked->ask) != STATUS_OK)
        gateway_ask_free(&asked->ask); /* this node is about to end */
}

static void on_left_there(struct gateway_worker *worker, struct gateway_ask *ask) {
    (void)worker;
    gateway_ask_free(ask);
}

static void leave_to_another_node(struct gateway *gateway, const struct id_hash *user,
                                  const struct endpoint_holder *taker, struct endpoint_buffer *pushes) {
    struct handover_wish wish = {.user = *user, .taker = {.holder = *taker}};
    struct handover_ask *asked = ask_new(&wish, taker->node, LEAVE_DEADLINE_MS);
    struct endpoint_message message = {.taker = *taker};
    struct arena arena;
    arena_init(&arena);
    pushes_pack(&arena, pushes, &message);
    asked->ask.on_answer = on_left_there;
    question_write(&asked->ask, QUESTION_PUSHES, &message);
    if (gateway->ask(gateway->core, &asked->ask) != STATUS_OK)
        gateway_ask_free(&asked->ask);
    arena_close(&arena);
    endpoint_buffer_close(pushes);
}

/* ---- between workers ---- */

static void give_to_another_node(struct handover *handover) {
    struct buffer encoded;
    buffer_init(&encoded);
    handover_pack(handover, &encoded);
    handover->on_given(handover->asked_from, buffer_bytes(&encoded));
    buffer_close(&encoded);
    handover_free(handover);
}

/* A worker that takes nothing any more has no sockets either. */
static void post(struct handover *handover, unsigned worker, void (*deliver)(void *receiver, struct parcel *parcel)) {
    handover->parcel.deliver = deliver;
    if (worker_post(handover->gateway->workers[worker].worker, &handover->parcel) == STATUS_OK)
        return;
    if (handover->asked_from != NULL)
        give_to_another_node(handover);
    else
        handover_free(handover);
}

static void on_asked(void *receiver, struct parcel *parcel) {
    struct handover *handover = (struct handover *)parcel;
    if (!trouter_handover_give(gateway_worker_of(receiver), handover))
        handover_give(handover);
}

static void on_given(void *receiver, struct parcel *parcel) {
    struct handover *handover = (struct handover *)parcel;
    trouter_handover_take(gateway_worker_of(receiver), handover);
    handover_free(handover);
}

static void on_left(void *receiver, struct parcel *parcel) {
    struct handover *handover = (struct handover *)parcel;
    trouter_left_pushes_take(gateway_worker_of(receiver), handover);
    handover_free(handover);
}

void handover_ask(struct gateway *gateway, const struct handover_wish *wish, const struct endpoint_holder *giver) {
    if (giver->node != gateway->node_id)
        ask_another_node(gateway, wish, giver);
    else
        post(handover_new(gateway, wish, giver), giver->worker, on_asked);
}

void handover_give(struct handover *handover) {
    if (handover->asked_from != NULL)
        give_to_another_node(handover);
    else
        post(handover, handover->taker.holder.worker, on_given);
}

void handover_leave(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *taker,
                    struct endpoint_buffer *pushes) {
    if (taker->node != gateway->node_id) {
        leave_to_another_node(gateway, user, taker, pushes);
        return;
    }
    struct handover_wish wish = {.user = *user, .taker = {.holder = *taker}};
    struct handover *handover = handover_new(gateway, &wish, taker);
    endpoint_buffer_move(&handover->pushes, pushes);
    post(handover, taker->worker, on_left);
}

void handover_positions_take(struct handover *handover, struct session *session) {
    struct audience_table *audiences = session_table_audiences(session->worker->sessions);
    size_t count = 0;
    for (struct subscription *each = session->subscriptions; each != NULL; each = each->session_next)
        count++;
    handover->positions = calloc(count + 1, sizeof(*handover->positions));
    check(handover->positions != NULL);
    while (session->subscriptions != NULL) {
        struct subscription *subscription = session->subscriptions;
        handover->positions[handover->positions_count++] = (struct listening_position){
            .thread = *audience_thread(subscription->audience), .next_offset = subscription->next_offset};
        subscription_remove(audiences, subscription);
    }
}

/* ---- what other nodes ask ---- */

static bool is_of_this_node(const struct gateway *gateway, const struct endpoint_holder *holder) {
    return holder->node == gateway->node_id && holder->worker < gateway->workers_count;
}

/* Who searches asks every node, and most of them have nobody. */
static int handover_begin(struct gateway *gateway, struct handover *handover) {
    if (handover->is_search && handover->giver.session == 0)
        handover->giver = endpoint_holder_find(gateway->endpoints, &handover->endpoint);
    if (handover->giver.session == 0) {
        give_to_another_node(handover);
        return STATUS_OK;
    }
    if (!is_of_this_node(gateway, &handover->giver)) {
        handover_free(handover);
        return STATUS_MALFORMED;
    }
    post(handover, handover->giver.worker, on_asked);
    return STATUS_OK;
}

int handover_serve(struct gateway *gateway, const struct question *question, void *asked_from,
                   void (*on_done)(void *asked_from, struct bytes encoded)) {
    struct endpoint_message message;
    struct arena arena;
    arena_init(&arena);
    int rc = endpoint_message_decode(question->call, &arena, &message);
    if (rc == STATUS_OK) {
        struct handover_wish wish = {.user = question->subjects[0].hash,
                                     .endpoint = message.endpoint,
                                     .taker = {.holder = message.taker, .turn = message.turn},
                                     .is_search = message.is_search};
        struct handover *handover = handover_new(gateway, &wish, &message.giver);
        handover->asked_from = asked_from;
        handover->on_given = on_done;
        rc = handover_begin(gateway, handover);
    }
    arena_close(&arena);
    return rc;
}

int handover_pushes_serve(struct gateway *gateway, const struct question *question) {
    struct endpoint_buffer pushes = {0};
    struct endpoint_message message;
    struct arena arena;
    arena_init(&arena);
    int rc = endpoint_message_decode(question->call, &arena, &message);
    if (rc == STATUS_OK && !is_of_this_node(gateway, &message.taker))
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK) {
        pushes_unpack(&message, &pushes);
        handover_leave(gateway, &question->subjects[0].hash, &message.taker, &pushes);
    }
    arena_close(&arena);
    return rc;
}
