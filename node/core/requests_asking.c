/* Requests that this node asks of others. */
#include <stdlib.h>

#include <utlist.h>

#include "node/core/requests_parts.h"
#include "proto/limits.h"
#include "proto/status.h"

static struct asked *asked_find(struct requests *self, uint64_t id) {
    struct asked *asked = NULL;
    HASH_FIND(hh, self->asked_table, &id, sizeof(id), asked);
    return asked;
}

static void reply_drop(struct requests *self, struct asked *asked) {
    self->asked_bytes -= asked->in.capacity;
    requests_release(self, asked->in.body);
    asked->in = (struct transfer_in){0};
}

static void asked_remove(struct requests *self, struct asked *asked) {
    HASH_DEL(self->asked_table, asked);
    DL_DELETE2(self->asked_first, asked, previous, next);
    reply_drop(self, asked);
    self->asked_bytes -= asked->body_size;
    requests_release(self, asked->body);
    free(asked);
}

void asking_free(struct requests *self) {
    while (self->asked_first != NULL)
        asked_remove(self, self->asked_first);
}

static uint64_t oldest_open(const struct requests *self) {
    const struct asked *asked = self->asked_first;
    while (asked != NULL && asked->state == ASKED_ABANDONED)
        asked = asked->next;
    return asked == NULL ? self->next_request : asked->id;
}

/* ---- sending ---- */

static struct packet request_packet(const struct requests *self, const struct asked *asked, int64_t mono_ms) {
    int64_t left_ms = asked->deadline_ms - mono_ms;
    struct id_hash nobody = {{0}};
    return (struct packet){.kind = PACKET_REQUEST,
                           .request = asked->id,
                           .asker_start = self->start,
                           .answerer_start = asked->replier == asked->at ? asked->replier_start : 0,
                           .attempt = asked->attempt,
                           .deadline_ms = left_ms < 1 ? 1 : (uint32_t)left_ms,
                           .subject = asked->node == 0 ? asked->subject : nobody,
                           .oldest_request = oldest_open(self),
                           .parts_seen = asked->replier == asked->at ? asked->in.seen : 0};
}

static void request_send(struct requests *self, struct asked *asked, int64_t mono_ms) {
    uint32_t part;
    while (transfer_out_next(&asked->out, mono_ms, &part)) {
        struct packet packet = request_packet(self, asked, mono_ms);
        packet.part = part;
        packet.parts = asked->out.parts;
        packet.body = transfer_out_part(&asked->out, part);
        self->hooks.send(self->hooks.context, asked->at, &packet);
    }
}

/* Whoever sends parts of a reply is told what has come, and what it need not send any more. */
static void reply_seen_send(const struct requests *self, uint64_t to, const struct packet *reply, uint64_t seen) {
    struct packet packet = {.kind = PACKET_REQUEST,
                            .request = reply->request,
                            .asker_start = self->start,
                            .answerer_start = reply->answerer_start,
                            .attempt = reply->attempt,
                            .parts_seen = seen,
                            .oldest_request = oldest_open(self)};
    self->hooks.send(self->hooks.context, to, &packet);
}

/* ---- where to ---- */

static void ask_at(struct requests *self, struct asked *asked, uint64_t node, int64_t mono_ms) {
    asked->attempt++;
    asked->map_turn = self->map_turn;
    asked->at = node;
    if (node == self->node) {
        asked->state = ASKED_SERVED_HERE;
        self->hooks.serve(self->hooks.context, &(struct requests_call){.token = asked->id | TOKEN_OF_OURS,
                                                                       .subject = asked->subject,
                                                                       .body = bytes_of(asked->body, asked->body_size),
                                                                       .deadline_ms = asked->deadline_ms});
        return;
    }
    asked->state = ASKED_ELSEWHERE;
    transfer_out_init(&asked->out, bytes_of(asked->body, asked->body_size));
    request_send(self, asked, mono_ms);
}

static void wait_to_ask(struct asked *asked, int64_t mono_ms) {
    asked->state = ASKED_WAITING;
    if (asked->backoff_ms == 0)
        asked->backoff_ms = REQUESTS_BACKOFF_MS;
    asked->retry_ms = mono_ms + asked->backoff_ms;
}

/* Only who has waited for nothing waits longer: many maps in a row, as when a node leaves, are no reason to. */
static void back_off(struct asked *asked) {
    asked->backoff_ms *= 2;
    if (asked->backoff_ms > REQUESTS_BACKOFF_MS_MAX)
        asked->backoff_ms = REQUESTS_BACKOFF_MS_MAX;
}

/* 0: nobody known. */
static uint64_t whom(const struct requests *self, const struct asked *asked) {
    return asked->node != 0 ? asked->node : self->hooks.primary_of(self->hooks.context, &asked->subject);
}

static void ask_whom_the_map_names(struct requests *self, struct asked *asked, int64_t mono_ms) {
    uint64_t node = whom(self, asked);
    if (node == 0)
        wait_to_ask(asked, mono_ms);
    else
        ask_at(self, asked, node, mono_ms);
}

/* Nothing was done there. If the map names another already, or has changed since, whoever it names is asked at once,
 * but not round and round. */
static void refused(struct requests *self, struct asked *asked, uint64_t by, int64_t mono_ms) {
    bool is_first = asked->backoff_ms == 0;
    bool has_map_changed = asked->map_turn != self->map_turn;
    uint64_t node = whom(self, asked);
    wait_to_ask(asked, mono_ms);
    if (node != 0 && (has_map_changed || (is_first && node != by)))
        ask_at(self, asked, node, mono_ms);
}

int requests_ask(struct requests *self, const struct requests_question *question, int64_t mono_ms) {
    int64_t deadline_max_ms = mono_ms + LIMIT_FORWARD_DEADLINE_MS_MAX;
    if (question->body.size > TRANSFER_BYTES_MAX)
        return STATUS_REQUEST_ENTITY_TOO_LARGE;
    if (HASH_COUNT(self->asked_table) >= LIMIT_FORWARDS_OPEN_MAX ||
        self->asked_bytes + question->body.size > LIMIT_FORWARD_BYTES_MAX)
        return STATUS_OVERLOADED;
    struct asked *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    asked->id = self->next_request++;
    asked->body = requests_copy(question->body);
    asked->body_size = question->body.size;
    asked->subject = question->subject;
    asked->node = question->node;
    asked->reply_to = question->reply_to;
    asked->worker = question->worker;
    asked->deadline_ms = question->deadline_ms < deadline_max_ms ? question->deadline_ms : deadline_max_ms;
    self->asked_bytes += asked->body_size;
    self->asked_open++;
    HASH_ADD(hh, self->asked_table, id, sizeof(asked->id), asked);
    DL_APPEND2(self->asked_first, asked, previous, next);
    ask_whom_the_map_names(self, asked, mono_ms);
    return STATUS_OK;
}

/* ---- answers ---- */

/* The request is gone afterwards, unless the server here still reads it. */
static void answer(struct requests *self, struct asked *asked, int rc, struct bytes body) {
    self->hooks.answer(
        self->hooks.context,
        &(struct requests_answer){.reply_to = asked->reply_to, .worker = asked->worker, .rc = rc, .body = body});
    self->asked_open--;
    if (asked->state == ASKED_SERVED_HERE)
        asked->state = ASKED_ABANDONED;
    else
        asked_remove(self, asked);
}

/* A reply is gathered from one life of one node; the newest that we asked comes first. */
static bool reply_is_gathered_from(struct requests *self, struct asked *asked, uint64_t from,
                                   const struct packet *packet) {
    if (asked->replier == from && asked->replier_start == packet->answerer_start)
        return true;
    if (asked->in.parts > 0 && (asked->state != ASKED_ELSEWHERE || asked->at != from))
        return false;
    reply_drop(self, asked);
    asked->replier = from;
    asked->replier_start = packet->answerer_start;
    return true;
}

static void reply_take(struct requests *self, struct asked *asked, uint64_t from, const struct packet *packet,
                       int64_t mono_ms) {
    if (!reply_is_gathered_from(self, asked, from, packet))
        return;
    size_t needs = transfer_in_needs(&asked->in, packet);
    if (self->asked_bytes + needs > LIMIT_FORWARD_BYTES_MAX) {
        answer(self, asked, STATUS_OVERLOADED, BYTES_ABSENT);
        return;
    }
    size_t capacity = asked->in.capacity;
    if (transfer_in_take(&asked->in, packet) != STATUS_OK)
        return;
    self->asked_bytes += asked->in.capacity - capacity;
    asked->out.sent_ms = mono_ms; /* it is on its way: no need to ask again */
    reply_seen_send(self, from, packet, asked->in.seen);
    if (transfer_in_is_done(&asked->in))
        answer(self, asked, (int)packet->rc, transfer_in_body(&asked->in));
}

void asking_on_reply(struct requests *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    struct asked *asked = asked_find(self, packet->request);
    if (packet->asker_start != self->start || packet->rc > 0 || packet->rc < INT16_MIN)
        return;
    if (asked == NULL || asked->state == ASKED_ABANDONED) {
        if (packet->parts > 0)
            reply_seen_send(self, from, packet, UINT64_MAX);
        return;
    }
    bool is_current = asked->state == ASKED_ELSEWHERE && asked->at == from && asked->attempt == packet->attempt;
    if (is_current) {
        transfer_out_seen(&asked->out, packet->parts_seen);
        request_send(self, asked, mono_ms);
    }
    if (packet->parts == 0)
        return;
    if (packet->rc != STATUS_NOT_PRIMARY)
        reply_take(self, asked, from, packet, mono_ms);
    else if (is_current)
        refused(self, asked, from, mono_ms);
}

void asking_served(struct requests *self, uint64_t id, int rc, struct bytes body, int64_t mono_ms) {
    struct asked *asked = asked_find(self, id);
    if (asked == NULL)
        return;
    if (asked->state == ASKED_ABANDONED) {
        asked_remove(self, asked);
    } else if (asked->state == ASKED_SERVED_HERE) {
        asked->state = ASKED_WAITING;
        if (rc == STATUS_NOT_PRIMARY) {
            refused(self, asked, self->node, mono_ms);
            return;
        }
        uint8_t *copy = requests_copy(body);
        requests_release(self, copy);
        answer(self, asked, rc, bytes_of(copy, body.size));
    }
}

/* ---- time and map ---- */

void asking_map_changed(struct requests *self, int64_t mono_ms) {
    for (struct asked *asked = self->asked_first; asked != NULL; asked = asked->next) {
        if (asked->state != ASKED_WAITING && asked->state != ASKED_ELSEWHERE)
            continue;
        uint64_t node = whom(self, asked);
        if (node != 0 && (asked->state == ASKED_WAITING || node != asked->at))
            ask_at(self, asked, node, mono_ms);
    }
}

void asking_tick(struct requests *self, int64_t mono_ms) {
    for (struct asked *asked = self->asked_first, *next; asked != NULL; asked = next) {
        next = asked->next;
        if (asked->state == ASKED_ABANDONED)
            continue;
        if (mono_ms >= asked->deadline_ms) {
            answer(self, asked, STATUS_SERVICE_UNAVAILABLE, BYTES_ABSENT);
        } else if (asked->state == ASKED_WAITING && mono_ms >= asked->retry_ms) {
            back_off(asked);
            ask_whom_the_map_names(self, asked, mono_ms);
        } else if (asked->state == ASKED_ELSEWHERE && mono_ms - asked->out.sent_ms >= TRANSFER_RESEND_MS) {
            transfer_out_again(&asked->out);
            request_send(self, asked, mono_ms);
        }
    }
}
