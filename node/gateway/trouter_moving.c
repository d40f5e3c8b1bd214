#include "node/gateway/subscription.h"
#include "node/gateway/trouter_parts.h"
#include "node/log.h"
#include "proto/limits.h"

/* On a node that drains: until a client has its new socket registered and needs no old one. */
#define SUPERSEDED_MS 1500
/* Of a newer session that is known to be there: longer than a claim and a hand-over may take together, so it has asked
 * by then if it ever does. */
#define YIELD_MS 9000
/* Each is a session that moved on while it was asked; a client does not open so many sockets meanwhile. */
#define FOLLOWED_MAX 4

/* The client itself would keep its old socket for a minute. */
void trouter_superseded_leave(struct trouter_session *self) {
    if (self->state != TROUTER_SUPERSEDED || !atomic_load(&trouter_gateway(self)->is_draining))
        return;
    self->leave_ms = worker_now_ms(trouter_worker(self)) + SUPERSEDED_MS;
    trouter_timer_arm(self);
}

static struct trouter_session *session_find(struct gateway_worker *worker, const struct id_hash *user,
                                            uint64_t number) {
    struct session *session = session_table_find(worker->sessions, user);
    for (; session != NULL; session = session->next) {
        struct trouter_session *self = (struct trouter_session *)session;
        if (session->kind == &trouter_kind && self->number == number)
            return self;
    }
    return NULL;
}

/* A client that was asked to move still reads its old socket and answers there; otherwise it has given it up. */
static bool is_old_socket_alive(const struct trouter_session *self) {
    return trouter_can_send(self) && self->session.is_told_to_move;
}

static struct endpoint_place place_of(const struct trouter_session *self) {
    return (struct endpoint_place){.holder = {.node = trouter_gateway(self)->node_id,
                                              .worker = trouter_worker(self)->index,
                                              .session = self->number},
                                   .turn = self->turn};
}

/* ---- giving ---- */

/* Somebody whose claim came later than ours has nothing for us to wait for, and waits for us. */
static bool is_out_of_turn(const struct trouter_session *self, const struct handover *handover) {
    return handover->is_search && self->turn > handover->taker.turn && handover->taker.turn != 0;
}

static void superseded_by(struct trouter_session *self, const struct endpoint_place *taker) {
    self->taker = *taker;
    self->state = TROUTER_SUPERSEDED;
    self->session.is_deaf = true;
    self->reconnect_ms = self->yield_ms = TROUTER_NEVER;
}

/* Only one can have what we are waiting for: who claimed last. The other one learns whom it goes to. */
static bool successor_keep(struct trouter_session *self, struct handover *handover) {
    struct handover *other = self->successor;
    if (other != NULL && handover->taker.turn < other->taker.turn) {
        handover->instead = other->taker;
        return false;
    }
    self->successor = handover;
    if (other != NULL) {
        other->instead = handover->taker;
        handover_give(other);
    }
    return true;
}

static void live_give(struct trouter_session *self, struct handover *handover) {
    /* Who has not found her threads yet has no place in them to go on from. */
    handover->is_found = !trouter_is_in_cluster(self) || self->session.has_looked;
    handover_positions_take(handover, &self->session);
    if (!is_old_socket_alive(self))
        endpoint_buffer_move(&handover->pushes, &self->buffer);
    superseded_by(self, &handover->taker);
    if (self->websocket == NULL)
        trouter_session_end(self);
    else
        trouter_superseded_leave(self);
}

bool trouter_handover_give(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->giver.session);
    if (self == NULL || self->state == TROUTER_LEAVING || is_out_of_turn(self, handover))
        return false;
    if (self->state == TROUTER_WAITING)
        return successor_keep(self, handover);
    if (self->state == TROUTER_SUPERSEDED)
        handover->instead = self->taker;
    else
        live_give(self, handover);
    return false;
}

/* A newer socket asked meanwhile: it gets what we have just got. */
static void successor_serve(struct trouter_session *self) {
    struct handover *successor = self->successor;
    self->successor = NULL;
    if (successor != NULL && !trouter_handover_give(self->session.worker, successor))
        handover_give(successor);
}

/* What a moving client left unanswered on its old socket goes to its new one. */
void trouter_pushes_leave(struct trouter_session *self) {
    struct endpoint_holder holder = endpoint_holder_find(trouter_gateway(self)->endpoints, &self->endpoint);
    if (holder.session == 0 || holder.session == self->number)
        holder = self->taker.holder; /* on another node */
    if (self->buffer.count > 0)
        handover_leave(trouter_gateway(self), session_user_hash(&self->session), &holder, &self->buffer);
}

/* The taker never asked, and so began without what we have. */
void trouter_yield(struct trouter_session *self) {
    struct endpoint_place taker = self->taker;
    struct session *session = &self->session;
    while (session->subscriptions != NULL)
        subscription_remove(session_table_audiences(session->worker->sessions), session->subscriptions);
    superseded_by(self, &taker);
    successor_serve(self);
    if (!is_old_socket_alive(self))
        trouter_pushes_leave(self);
    if (self->websocket == NULL) {
        trouter_session_end(self);
        return;
    }
    trouter_superseded_leave(self);
    trouter_timer_arm(self);
}

/* ---- taking ---- */

static void start_live(struct trouter_session *self, const struct handover *handover) {
    self->state = TROUTER_LIVE;
    self->session.is_deaf = false;
    trouter_pushes_send(self);
    int rc = handover != NULL && handover->is_found
                 ? listening_resume(&self->session, handover->positions, handover->positions_count,
                                    LIMIT_SESSION_UNANSWERED_MAX)
                 : listening_start(&self->session);
    if (rc != 0)
        log_error("a session cannot listen to all of its threads: %s", status_sentence(rc));
    successor_serve(self);
}

static void ask(struct trouter_session *self, const struct endpoint_holder *giver, bool is_search) {
    struct handover_wish wish = {.user = *session_user_hash(&self->session),
                                 .endpoint = self->endpoint,
                                 .taker = place_of(self),
                                 .is_search = is_search};
    self->asked++;
    handover_ask(trouter_gateway(self), &wish, giver);
}

/* True: whoever has got it instead is asked, or has it rightly because its claim came later. */
static bool follow(struct trouter_session *self, const struct endpoint_place *instead) {
    struct endpoint_place own = place_of(self);
    if (instead->holder.session == 0 || endpoint_holder_equal(&instead->holder, &own.holder))
        return false;
    if (instead->turn > self->turn && self->turn != 0) {
        self->taker = *instead;
        trouter_yield(self);
        return true;
    }
    if (self->followed++ == FOLLOWED_MAX)
        return false;
    ask(self, &instead->holder, false);
    return true;
}

static void waiting_take(struct trouter_session *self, const struct handover *handover) {
    self->asked--;
    if (!handover->is_found && !handover->is_search && follow(self, &handover->instead))
        return;
    if (handover->is_found || self->asked == 0)
        start_live(self, handover);
}

void trouter_handover_take(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->taker.holder.session);
    trouter_left_pushes_take(worker, handover);
    if (self != NULL && self->state == TROUTER_WAITING)
        waiting_take(self, handover);
}

void trouter_left_pushes_take(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->taker.holder.session);
    if (handover->pushes.count > 0 && self != NULL && self->state == TROUTER_SUPERSEDED)
        handover_leave(worker->gateway, &handover->user, &self->taker.holder, &handover->pushes);
    if (self == NULL || self->state > TROUTER_LIVE)
        return;
    endpoint_buffer_move(&self->buffer, &handover->pushes);
    if (self->state == TROUTER_LIVE)
        trouter_pushes_send(self);
}

/* ---- whom to take it from ---- */

/* Whoever holds it is on one of the nodes, if there is anybody. */
static void search(struct trouter_session *self, const struct endpoint_holder *previous_here) {
    uint64_t nodes[CLUSTER_NODES_MAX];
    struct gateway *gateway = trouter_gateway(self);
    size_t count = gateway->others(gateway->core, nodes);
    for (size_t i = 0; i < count; i++)
        ask(self, &(struct endpoint_holder){.node = nodes[i]}, true);
    if (previous_here->session != 0)
        ask(self, previous_here, true);
}

static void endpoint_take_from(struct trouter_session *self, const struct endpoint_claimed *claimed) {
    if (claimed->is_unsure)
        search(self, &claimed->previous);
    else if (claimed->previous.session != 0)
        ask(self, &claimed->previous, false);
    if (self->asked == 0)
        start_live(self, NULL);
}

void trouter_claimed(struct gateway_worker *worker, const struct id_hash *user, const struct endpoint_holder *holder,
                     const struct endpoint_claimed *claimed) {
    struct trouter_session *self = session_find(worker, user, holder->session);
    if (self == NULL || self->state != TROUTER_WAITING)
        return;
    self->turn = claimed->turn;
    if (self->successor != NULL && is_out_of_turn(self, self->successor)) {
        handover_give(self->successor);
        self->successor = NULL;
    }
    endpoint_take_from(self, claimed);
}

void trouter_outdated(struct gateway_worker *worker, const struct id_hash *user, const struct endpoint_holder *holder,
                      const struct endpoint_place *newest) {
    struct trouter_session *self = session_find(worker, user, holder->session);
    if (self == NULL || self->state != TROUTER_LIVE)
        return;
    self->taker = *newest;
    self->yield_ms = worker_now_ms(trouter_worker(self)) + YIELD_MS;
    trouter_timer_arm(self);
}

/* The node that leads the user now has to learn it. */
void trouter_on_look(struct session *session) {
    struct trouter_session *self = (struct trouter_session *)session;
    struct endpoint_place place = place_of(self);
    if (self->state == TROUTER_LIVE)
        endpoint_claim_renew(session->worker, session_user_hash(session), &self->endpoint, &place);
}

void trouter_endpoint_take(struct trouter_session *self) {
    struct gateway *gateway = trouter_gateway(self);
    struct endpoint_claimed claimed = {0};
    self->number = endpoint_claim(gateway->endpoints, &self->endpoint, gateway->node_id, trouter_worker(self)->index,
                                  &claimed.previous);
    self->session.is_deaf = true;
    struct endpoint_place place = place_of(self);
    if (trouter_is_in_cluster(self))
        endpoint_claim_ask(self->session.worker, session_user_hash(&self->session), &self->endpoint, &place.holder,
                           &claimed.previous);
    else
        endpoint_take_from(self, &claimed);
}
