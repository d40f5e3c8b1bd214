#include "node/gateway/handover.h"

#include <stdlib.h>

#include "node/gateway/subscription.h"
#include "node/gateway/trouter_session.h"
#include "proto/check.h"

static struct handover *handover_new(struct gateway *gateway, const struct id_hash *user,
                                     const struct endpoint_holder *giver, const struct endpoint_holder *taker) {
    struct handover *handover = calloc(1, sizeof(*handover));
    check(handover != NULL);
    handover->gateway = gateway;
    handover->user = *user;
    handover->giver = *giver;
    handover->taker = *taker;
    return handover;
}

void handover_free(struct handover *handover) {
    endpoint_buffer_close(&handover->pushes);
    free(handover->positions);
    free(handover);
}

/* A worker that takes nothing any more has no sockets either. */
static void post(struct handover *handover, unsigned worker, void (*deliver)(void *receiver, struct parcel *parcel)) {
    handover->parcel.deliver = deliver;
    if (worker_post(handover->gateway->workers[worker].worker, &handover->parcel) != 0)
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

void handover_ask(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *giver,
                  const struct endpoint_holder *taker) {
    post(handover_new(gateway, user, giver, taker), giver->worker, on_asked);
}

void handover_give(struct handover *handover) {
    post(handover, handover->taker.worker, on_given);
}

void handover_leave(struct gateway *gateway, const struct id_hash *user, const struct endpoint_holder *taker,
                    struct endpoint_buffer *pushes) {
    struct handover *handover = handover_new(gateway, user, taker, taker);
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
