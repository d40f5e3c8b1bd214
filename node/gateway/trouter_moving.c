#include "node/gateway/endpoint_claim.h"
#include "node/gateway/trouter_parts.h"
#include "node/log.h"
#include "proto/limits.h"

/* On a node that drains: until a client has its new socket registered and needs no old one. */
#define SUPERSEDED_MS 1500

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

bool trouter_handover_give(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->giver.session);
    if (self == NULL || self->state == TROUTER_LEAVING || self->state == TROUTER_SUPERSEDED)
        return false;
    if (self->state == TROUTER_WAITING) {
        self->successor = handover;
        return true;
    }
    /* Who has not found her threads yet has no place in them to go on from. */
    handover->is_found = !trouter_is_in_cluster(self) || self->session.has_looked;
    self->taker = handover->taker;
    handover_positions_take(handover, &self->session);
    if (!is_old_socket_alive(self))
        endpoint_buffer_move(&handover->pushes, &self->buffer);
    self->session.is_deaf = true;
    self->state = TROUTER_SUPERSEDED;
    self->reconnect_ms = TROUTER_NEVER;
    if (self->websocket == NULL)
        trouter_session_end(self);
    else
        trouter_superseded_leave(self);
    return false;
}

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
}

/* A newer socket asked meanwhile: it gets what we have just got. */
static void successor_serve(struct trouter_session *self) {
    struct handover *successor = self->successor;
    self->successor = NULL;
    if (successor != NULL && !trouter_handover_give(self->session.worker, successor))
        handover_give(successor);
}

void trouter_handover_take(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->taker.session);
    if (self == NULL || self->state != TROUTER_WAITING)
        return;
    endpoint_buffer_move(&self->buffer, &handover->pushes);
    start_live(self, handover);
    successor_serve(self);
}

void trouter_left_pushes_take(struct gateway_worker *worker, struct handover *handover) {
    struct trouter_session *self = session_find(worker, &handover->user, handover->taker.session);
    if (self != NULL && self->state == TROUTER_SUPERSEDED)
        handover_leave(worker->gateway, &handover->user, &self->taker, &handover->pushes);
    if (self == NULL || self->state > TROUTER_LIVE)
        return;
    endpoint_buffer_move(&self->buffer, &handover->pushes);
    if (self->state == TROUTER_LIVE)
        trouter_pushes_send(self);
}

/* What a moving client left unanswered on its old socket goes to its new one. */
void trouter_pushes_leave(struct trouter_session *self) {
    struct endpoint_holder holder = endpoint_holder_find(trouter_gateway(self)->endpoints, &self->endpoint);
    if (holder.session == 0 || holder.session == self->number)
        holder = self->taker; /* on another node */
    if (self->buffer.count > 0)
        handover_leave(trouter_gateway(self), session_user_hash(&self->session), &holder, &self->buffer);
}

static struct endpoint_holder holder_of(const struct trouter_session *self) {
    return (struct endpoint_holder){
        .node = trouter_gateway(self)->node_id, .worker = trouter_worker(self)->index, .session = self->number};
}

static void endpoint_take_from(struct trouter_session *self, const struct endpoint_holder *previous) {
    struct endpoint_holder taker = holder_of(self);
    if (previous->session == 0) {
        start_live(self, NULL);
        successor_serve(self);
        return;
    }
    handover_ask(trouter_gateway(self), session_user_hash(&self->session), previous, &taker);
}

void trouter_claimed(struct gateway_worker *worker, const struct id_hash *user, const struct endpoint_holder *holder,
                     const struct endpoint_holder *previous) {
    struct trouter_session *self = session_find(worker, user, holder->session);
    if (self != NULL && self->state == TROUTER_WAITING)
        endpoint_take_from(self, previous);
}

/* The node that leads the user now has to learn it. */
void trouter_on_look(struct session *session) {
    struct trouter_session *self = (struct trouter_session *)session;
    struct endpoint_holder holder = holder_of(self);
    if (self->state == TROUTER_LIVE)
        endpoint_claim_renew(session->worker, session_user_hash(session), &self->endpoint, &holder);
}

void trouter_endpoint_take(struct trouter_session *self) {
    struct endpoint_holder previous;
    struct gateway *gateway = trouter_gateway(self);
    unsigned worker = trouter_worker(self)->index;
    self->number = endpoint_claim(gateway->endpoints, &self->endpoint, gateway->node_id, worker, &previous);
    self->session.is_deaf = true;
    struct endpoint_holder holder = holder_of(self);
    if (trouter_is_in_cluster(self))
        endpoint_claim_ask(self->session.worker, session_user_hash(&self->session), &self->endpoint, &holder,
                           &previous);
    else
        endpoint_take_from(self, &previous);
}
