/* Requests that other nodes ask of this one. */
#include <stdlib.h>

#include <utlist.h>

#include "node/core/requests_parts.h"
#include "proto/limits.h"
#include "proto/status.h"

/* ---- tables ---- */

static struct served *served_find(struct requests *self, const struct served_key *key) {
    struct served *served = NULL;
    HASH_FIND(hh, self->served_table, key, sizeof(*key), served);
    return served;
}

static void incoming_drop(struct requests *self, struct served *served) {
    self->served_bytes -= served->in.capacity;
    requests_release(self, served->in.body);
    served->in = (struct transfer_in){0};
}

static void reply_drop(struct requests *self, struct served *served) {
    self->served_bytes -= served->reply_size;
    requests_release(self, served->reply);
    served->reply = NULL;
    served->reply_size = 0;
    served->out = (struct transfer_out){0};
}

static void served_remove(struct requests *self, struct served *served) {
    if (served->state == SERVED_RUNNING)
        HASH_DELETE(hh_token, self->served_by_token, served);
    if (served->state == SERVED_HELD)
        self->served_held--;
    if (served->state != SERVED_DONE)
        self->served_open--;
    HASH_DEL(self->served_table, served);
    DL_DELETE2(served->asker->first, served, previous, next);
    incoming_drop(self, served);
    reply_drop(self, served);
    free(served);
}

static void asker_remove(struct requests *self, struct asker *asker) {
    while (asker->first != NULL)
        served_remove(self, asker->first);
    HASH_DEL(self->askers, asker);
    free(asker);
}

void serving_free(struct requests *self) {
    while (self->askers != NULL)
        asker_remove(self, self->askers);
}

static struct asker *asker_get(struct requests *self, uint64_t node, uint64_t start) {
    struct asker_key key = {node, start};
    struct asker *asker = NULL;
    HASH_FIND(hh, self->askers, &key, sizeof(key), asker);
    if (asker == NULL) {
        asker = calloc(1, sizeof(*asker));
        check(asker != NULL);
        asker->key = key;
        HASH_ADD(hh, self->askers, key, sizeof(asker->key), asker);
    }
    return asker;
}

/* ---- replies ---- */

static struct packet reply_packet(const struct requests *self, const struct packet *request) {
    return (struct packet){.kind = PACKET_REPLY,
                           .request = request->request,
                           .asker_start = request->asker_start,
                           .answerer_start = self->start,
                           .attempt = request->attempt};
}

static void send(const struct requests *self, uint64_t to, const struct packet *packet) {
    self->hooks.send(self->hooks.context, to, packet);
}

static void reply_send(struct requests *self, struct served *served, int64_t mono_ms) {
    uint32_t part;
    while (transfer_out_next(&served->out, mono_ms, &part)) {
        struct packet packet = {.kind = PACKET_REPLY,
                                .request = served->key.request,
                                .asker_start = served->key.asker_start,
                                .answerer_start = self->start,
                                .attempt = served->attempt,
                                .parts_seen = UINT64_MAX,
                                .rc = served->rc,
                                .part = part,
                                .parts = served->out.parts,
                                .body = transfer_out_part(&served->out, part)};
        send(self, served->key.asker, &packet);
    }
}

static void request_seen_send(struct requests *self, const struct served *served, const struct packet *request) {
    struct packet packet = reply_packet(self, request);
    packet.parts_seen = served->state == SERVED_RECEIVING ? served->in.seen : UINT64_MAX;
    send(self, served->key.asker, &packet);
}

/* Without a trace: when it is repeated there may be room. */
static void overloaded_send(struct requests *self, uint64_t to, const struct packet *request) {
    struct packet packet = reply_packet(self, request);
    packet.rc = STATUS_OVERLOADED;
    packet.parts = 1;
    packet.body = BYTES_LITERAL("");
    send(self, to, &packet);
}

/* ---- requests ---- */

static void run(struct requests *self, struct served *served) {
    served->state = SERVED_RUNNING;
    served->token = self->next_token++;
    HASH_ADD(hh_token, self->served_by_token, token, sizeof(served->token), served);
    self->hooks.serve(self->hooks.context, &(struct requests_call){.token = served->token,
                                                                   .subject = served->subject,
                                                                   .body = transfer_in_body(&served->in),
                                                                   .deadline_ms = served->deadline_ms});
}

static bool may_lead_soon(const struct requests *self, const struct served *served) {
    static const struct id_hash nobody;
    return !id_hash_equal(&served->subject, &nobody) &&
           self->hooks.may_lead_soon(self->hooks.context, &served->subject);
}

static void run_or_hold(struct requests *self, struct served *served, int64_t mono_ms) {
    if (!may_lead_soon(self, served)) {
        run(self, served);
        return;
    }
    served->state = SERVED_HELD;
    served->held_until_ms = mono_ms + REQUESTS_HELD_MS;
    self->served_held++;
}

static void held_run(struct requests *self, struct served *served) {
    self->served_held--;
    run(self, served);
}

static bool has_room_for(const struct requests *self, const struct packet *packet) {
    struct transfer_in nothing = {0};
    /* The other half is for replies. */
    return self->served_open < LIMIT_FORWARDS_OPEN_MAX && HASH_COUNT(self->served_table) < LIMIT_FORWARDS_KEPT_MAX &&
           self->served_bytes + transfer_in_needs(&nothing, packet) <= LIMIT_FORWARD_BYTES_MAX / 2;
}

static struct served *served_new(struct requests *self, struct asker *asker, const struct packet *packet) {
    struct served *served = calloc(1, sizeof(*served));
    check(served != NULL);
    served->key = (struct served_key){asker->key.node, asker->key.start, packet->request};
    served->asker = asker;
    served->attempt = packet->attempt;
    served->subject = packet->subject;
    HASH_ADD(hh, self->served_table, key, sizeof(served->key), served);
    DL_APPEND2(asker->first, served, previous, next);
    self->served_open++;
    return served;
}

static void receive(struct requests *self, struct served *served, const struct packet *packet, int64_t mono_ms) {
    size_t capacity = served->in.capacity;
    if (transfer_in_take(&served->in, packet) != STATUS_OK)
        return;
    self->served_bytes += served->in.capacity - capacity;
    if (transfer_in_is_done(&served->in))
        run_or_hold(self, served, mono_ms);
    if (packet->parts > 1)
        request_seen_send(self, served, packet);
}

static void deadline_set(struct served *served, const struct packet *packet, int64_t mono_ms) {
    uint32_t left_ms = packet->deadline_ms;
    if (left_ms > LIMIT_FORWARD_DEADLINE_MS_MAX)
        left_ms = LIMIT_FORWARD_DEADLINE_MS_MAX;
    if (mono_ms + left_ms > served->deadline_ms)
        served->deadline_ms = mono_ms + left_ms;
}

/* The asker has it, or does not want it any more. That it was served is still known. */
static void reply_is_over(struct requests *self, struct served *served) {
    served->is_over = true;
    if (served->state == SERVED_DONE)
        reply_drop(self, served);
}

static void reply_seen(struct requests *self, struct served *served, const struct packet *packet, int64_t mono_ms) {
    if (served->state != SERVED_DONE || served->is_over || packet->answerer_start != self->start)
        return;
    transfer_out_seen(&served->out, packet->parts_seen);
    if (transfer_out_is_done(&served->out))
        reply_is_over(self, served);
    else
        reply_send(self, served, mono_ms);
}

/* Nothing was done when this node was not the primary, so a newer attempt is a new request. */
static bool is_reopened(struct requests *self, struct served *served, const struct packet *packet) {
    if (served->state != SERVED_DONE || served->rc != STATUS_NOT_PRIMARY || packet->attempt <= served->attempt)
        return false;
    reply_drop(self, served);
    served->state = SERVED_RECEIVING;
    served->rc = STATUS_OK;
    self->served_open++;
    return true;
}

static void repeated(struct requests *self, struct served *served, const struct packet *packet, int64_t mono_ms) {
    if (served->is_over || packet->attempt < served->attempt)
        return;
    bool is_receiving = is_reopened(self, served, packet) || served->state == SERVED_RECEIVING;
    bool is_newer = packet->attempt > served->attempt;
    served->attempt = packet->attempt;
    deadline_set(served, packet, mono_ms);
    if (is_receiving) {
        receive(self, served, packet, mono_ms);
    } else if (served->state == SERVED_RUNNING || served->state == SERVED_HELD) {
        if (packet->parts > 1)
            request_seen_send(self, served, packet);
    } else if (is_newer || mono_ms - served->out.sent_ms >= TRANSFER_RESEND_MS / 2) {
        transfer_out_again(&served->out);
        reply_send(self, served, mono_ms);
    }
}

/* What this asker does not wait for any more is known by its number alone. */
static void older_are_over(struct requests *self, struct asker *asker, uint64_t oldest_request) {
    if (oldest_request > asker->oldest_request)
        asker->oldest_request = oldest_request;
    for (struct served *served = asker->first, *next; served != NULL; served = next) {
        next = served->next;
        if (served->state == SERVED_RUNNING)
            continue;
        if (served->key.request >= asker->oldest_request)
            break;
        served_remove(self, served);
    }
}

void serving_on_request(struct requests *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    struct asker *asker = asker_get(self, from, packet->asker_start);
    struct served_key key = {from, packet->asker_start, packet->request};
    asker->heard_ms = mono_ms;
    older_are_over(self, asker, packet->oldest_request);
    if (packet->request < asker->oldest_request)
        return;
    struct served *served = served_find(self, &key);
    if (packet->parts == 0) {
        if (served != NULL)
            reply_seen(self, served, packet, mono_ms);
    } else if (served != NULL) {
        repeated(self, served, packet, mono_ms);
    } else if (packet->parts <= PACKET_PARTS_MAX && packet->deadline_ms > 0) {
        if (!has_room_for(self, packet)) {
            overloaded_send(self, from, packet);
            return;
        }
        served = served_new(self, asker, packet);
        deadline_set(served, packet, mono_ms);
        receive(self, served, packet, mono_ms);
    }
}

void serving_served(struct requests *self, uint64_t token, int rc, struct bytes body, int64_t mono_ms) {
    struct served *served = NULL;
    HASH_FIND(hh_token, self->served_by_token, &token, sizeof(token), served);
    if (served == NULL)
        return;
    HASH_DELETE(hh_token, self->served_by_token, served);
    served->state = SERVED_DONE;
    self->served_open--;
    incoming_drop(self, served);
    if (body.size > TRANSFER_BYTES_MAX) {
        rc = STATUS_INTERNAL_ERROR;
        body = BYTES_ABSENT;
    } else if (self->served_bytes + body.size > LIMIT_FORWARD_BYTES_MAX) {
        rc = STATUS_OVERLOADED;
        body = BYTES_ABSENT;
    }
    served->rc = rc;
    if (served->key.request < served->asker->oldest_request) {
        served_remove(self, served);
        return;
    }
    served->reply = requests_copy(body);
    served->reply_size = body.size;
    self->served_bytes += body.size;
    transfer_out_init(&served->out, bytes_of(served->reply, served->reply_size));
    reply_send(self, served, mono_ms);
}

/* ---- time and map ---- */

void serving_map_changed(struct requests *self) {
    for (struct asker *asker = self->askers; asker != NULL && self->served_held > 0; asker = asker->hh.next)
        for (struct served *served = asker->first; served != NULL; served = served->next)
            if (served->state == SERVED_HELD && !may_lead_soon(self, served))
                held_run(self, served);
}

static void held_long_run(struct requests *self, int64_t mono_ms) {
    for (struct asker *asker = self->askers; asker != NULL && self->served_held > 0; asker = asker->hh.next)
        for (struct served *served = asker->first; served != NULL; served = served->next)
            if (served->state == SERVED_HELD && mono_ms >= served->held_until_ms)
                held_run(self, served);
}

static void expired_are_over(struct requests *self, struct asker *asker, int64_t mono_ms) {
    for (struct served *served = asker->first, *next; served != NULL; served = next) {
        next = served->next;
        if (served->state == SERVED_RUNNING)
            continue;
        if (mono_ms <= served->deadline_ms + LIMIT_FORWARD_GRACE_MS)
            break;
        served_remove(self, served);
    }
}

void serving_tick(struct requests *self, int64_t mono_ms) {
    held_long_run(self, mono_ms);
    for (struct asker *asker = self->askers, *next; asker != NULL; asker = next) {
        next = asker->hh.next;
        expired_are_over(self, asker, mono_ms);
        if (asker->first == NULL && mono_ms - asker->heard_ms > LIMIT_FORWARD_DEADLINE_MS_MAX + LIMIT_FORWARD_GRACE_MS)
            asker_remove(self, asker);
    }
}
