/* Threads and users that this node listens to. */
#include <stdlib.h>

#include <utlist.h>

#include "node/core/interest_parts.h"
#include "proto/limits.h"

/* ---- the table ---- */

static struct heard *heard_find(struct interest *self, const struct id_hash *subject) {
    struct heard *heard = NULL;
    HASH_FIND(hh, self->heard, subject, sizeof(*subject), heard);
    return heard;
}

/* The one place where a state changes. Within a state `due_ms` never falls from one to the next. */
static void heard_set(struct interest *self, struct heard *heard, enum heard_state state, int64_t due_ms) {
    DL_DELETE2(self->heard_by_state[heard->state], heard, previous, next);
    heard->state = state;
    heard->due_ms = due_ms;
    DL_APPEND2(self->heard_by_state[state], heard, previous, next);
}

static void heard_remove(struct interest *self, struct heard *heard) {
    DL_DELETE2(self->heard_by_state[heard->state], heard, previous, next);
    HASH_DEL(self->heard, heard);
    free(heard);
}

void listening_free(struct interest *self) {
    while (self->heard != NULL)
        heard_remove(self, self->heard);
}

/* To be told to the owner with the next flush. */
static void heard_refresh(struct interest *self, struct heard *heard) {
    heard->listening = 0;
    if (heard->state != HEARD_FRESH)
        heard_set(self, heard, HEARD_FRESH, 0);
}

/* Something may be missing. Asking for it once is enough. */
static void heard_begin_anew(struct interest *self, struct heard *heard) {
    if (heard->is_anew && heard->state != HEARD_SETTLED)
        return;
    heard->is_anew = true;
    heard_refresh(self, heard);
}

static void listen_to(struct interest *self, const struct id_hash *subject, bool is_user, uint64_t next_offset) {
    struct heard *heard = heard_find(self, subject);
    if (heard != NULL && !heard->is_leaving)
        return;
    if (heard != NULL)
        heard_remove(self, heard);
    heard = calloc(1, sizeof(*heard));
    check(heard != NULL);
    heard->subject = *subject;
    heard->is_user = is_user;
    heard->is_anew = true;
    heard->next_offset = next_offset;
    heard->handed_offset = next_offset == INTEREST_FROM_NOW ? 0 : next_offset;
    HASH_ADD(hh, self->heard, subject, sizeof(heard->subject), heard);
    DL_APPEND2(self->heard_by_state[HEARD_FRESH], heard, previous, next);
}

void interest_listen(struct interest *self, const struct id_hash *thread, uint64_t next_offset) {
    check(next_offset > 0);
    listen_to(self, thread, false, next_offset);
}

void interest_listen_user(struct interest *self, const struct id_hash *user) {
    listen_to(self, user, true, INTEREST_FROM_NOW);
}

void interest_unlisten(struct interest *self, const struct id_hash *subject) {
    struct heard *heard = heard_find(self, subject);
    if (heard == NULL)
        return;
    heard->is_leaving = true;
    heard_refresh(self, heard);
}

void listening_later(struct interest *self, const struct id_hash *subject, int64_t mono_ms) {
    struct heard *heard = heard_find(self, subject);
    if (heard == NULL || heard->is_leaving)
        return;
    heard->is_anew = true;
    heard->listening = 0;
    heard_set(self, heard, HEARD_ASKED, mono_ms + INTEREST_RETRY_MS);
}

/* ---- LISTEN ---- */

static void listen_send(struct interest *self, struct peer *peer) {
    struct packet packet = {.kind = PACKET_LISTEN,
                            .asker_start = self->start,
                            .listening = peer->listening,
                            .listeners = peer->listeners,
                            .listeners_count = peer->listeners_count};
    if (peer->listeners_count > 0)
        self->hooks.send(self->hooks.context, peer->node, &packet);
    peer->listeners = NULL;
    peer->listeners_count = 0;
}

/* Returns the number of the LISTEN that says it. */
static uint64_t listen_add(struct interest *self, struct peer *peer, const struct packet_listener *listener) {
    if (peer->listeners_count == PACKET_LISTENERS_MAX)
        listen_send(self, peer);
    if (peer->listeners == NULL) {
        peer->listeners = ARENA_NEW_ARRAY(&self->arena, struct packet_listener, PACKET_LISTENERS_MAX);
        peer->listening = ++self->listening;
    }
    peer->listeners[peer->listeners_count++] = *listener;
    return peer->listening;
}

static void announce(struct interest *self, struct heard *heard) {
    if (heard->is_user || heard->is_announced || heard->next_offset == INTEREST_FROM_NOW ||
        heard->state != HEARD_SETTLED)
        return;
    heard->is_announced = true;
    self->hooks.listening(self->hooks.context, &heard->subject, heard->next_offset);
}

static void confirmed(struct interest *self, struct heard *heard, uint64_t start, uint64_t born, int64_t mono_ms) {
    bool is_another = heard->born_start != start || heard->born != born;
    heard->born_start = start;
    heard->born = born;
    heard->is_anew = heard->has_moved = false;
    heard_set(self, heard, HEARD_SETTLED, mono_ms + INTEREST_RENEW_MS);
    if (is_another && heard->is_user)
        self->hooks.look_again(self->hooks.context, &heard->subject);
    announce(self, heard);
}

static void leave(struct interest *self, struct heard *heard) {
    struct packet_listener listener = {.thread = heard->subject};
    if (heard->owner == self->node)
        owning_drop(self, interest_peer(self, self->node), &heard->subject);
    else if (heard->owner != 0)
        listen_add(self, interest_peer(self, heard->owner), &listener);
    heard_remove(self, heard);
}

static void ask(struct interest *self, struct heard *heard, int64_t mono_ms) {
    uint64_t owner = self->hooks.primary_of(self->hooks.context, &heard->subject);
    heard->epoch = self->hooks.epoch_of(self->hooks.context, &heard->subject);
    if (owner != heard->owner) {
        heard->is_anew = true;
        heard->has_moved |= heard->owner != 0;
        heard->born_start = heard->born = 0;
    }
    heard->owner = owner;
    struct packet_listener listener = {.thread = heard->subject,
                                       .next_offset = heard->next_offset,
                                       .is_anew = heard->is_anew,
                                       .is_user = heard->is_user,
                                       .has_moved = heard->has_moved};
    heard_set(self, heard, HEARD_ASKED, mono_ms + INTEREST_RETRY_MS);
    if (owner == self->node) {
        uint64_t born;
        if (owning_register(self, interest_peer(self, owner), &listener, &born, mono_ms))
            confirmed(self, heard, self->start, born, mono_ms);
    } else if (owner != 0) {
        heard->listening = listen_add(self, interest_peer(self, owner), &listener);
    }
}

static void due_refresh(struct interest *self, enum heard_state state, int64_t mono_ms) {
    while (self->heard_by_state[state] != NULL && self->heard_by_state[state]->due_ms <= mono_ms)
        heard_refresh(self, self->heard_by_state[state]);
}

static void seen_send(struct interest *self, struct peer *peer) {
    struct packet packet = {.kind = PACKET_CHANGES_SEEN,
                            .asker_start = self->start,
                            .answerer_start = peer->their_start,
                            .link_sequence = peer->expected - 1};
    peer->is_owed_seen = false;
    self->hooks.send(self->hooks.context, peer->node, &packet);
}

void listening_flush(struct interest *self, int64_t mono_ms) {
    due_refresh(self, HEARD_ASKED, mono_ms);
    due_refresh(self, HEARD_SETTLED, mono_ms);
    for (struct heard *heard; (heard = self->heard_by_state[HEARD_FRESH]) != NULL;)
        if (heard->is_leaving)
            leave(self, heard);
        else
            ask(self, heard, mono_ms);
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next) {
        listen_send(self, peer);
        if (peer->is_owed_seen)
            seen_send(self, peer);
    }
}

/* This node was the primary already when it was asked, but not ready to be. */
static bool is_ours_now(const struct interest *self, const struct heard *heard) {
    return heard->owner == self->node && heard->state == HEARD_ASKED &&
           self->hooks.is_primary(self->hooks.context, &heard->subject);
}

static bool is_led_otherwise(const struct interest *self, const struct heard *heard) {
    return self->hooks.primary_of(self->hooks.context, &heard->subject) != heard->owner ||
           self->hooks.epoch_of(self->hooks.context, &heard->subject) != heard->epoch;
}

void listening_map_changed(struct interest *self) {
    for (struct heard *heard = self->heard; heard != NULL; heard = heard->hh.next)
        if (is_led_otherwise(self, heard) || is_ours_now(self, heard))
            heard_refresh(self, heard);
}

/* ---- changes ---- */

/* A kind that only a newer node knows cannot be told to anybody here. */
static void hand_on(struct interest *self, const struct told_change *told, uint64_t from_offset,
                    const struct change *change) {
    struct change decoded;
    if (change == NULL && bytes_is_present(told->change) &&
        change_decode(arena_copy(&self->arena, told->change), &self->arena, &decoded) == 0) {
        struct change *kept = ARENA_NEW(&self->arena, struct change);
        *kept = decoded;
        change = kept;
    }
    if (change != NULL)
        self->hooks.hand_on(self->hooks.context, change, from_offset, told->copies);
}

static void user_take(struct interest *self, struct heard *heard, const struct told_change *told,
                      const struct change *change) {
    if (change == NULL && !bytes_is_present(told->change))
        self->hooks.look_again(self->hooks.context, &heard->subject);
    else
        hand_on(self, told, 0, change);
}

static void thread_take(struct interest *self, struct heard *heard, const struct told_change *told,
                        const struct change *change) {
    bool is_first = heard->next_offset == INTEREST_FROM_NOW;
    if (told->next_offset == 0) {
        hand_on(self, told, 0, change);
        return;
    }
    if (!is_first && told->next_offset <= heard->next_offset)
        return;
    if (!is_first && (told->from_offset == 0 || told->from_offset > heard->next_offset)) {
        heard_begin_anew(self, heard);
        return;
    }
    heard->next_offset = told->next_offset;
    if (change != NULL || bytes_is_present(told->change)) {
        bool is_overlapping = heard->handed_offset == 0 || told->from_offset < heard->handed_offset;
        hand_on(self, told, is_overlapping ? told->from_offset : heard->handed_offset, change);
        heard->handed_offset = told->next_offset;
    } else if (heard->handed_offset == 0) {
        heard->handed_offset = told->next_offset;
    }
    announce(self, heard);
}

void listening_take(struct interest *self, const struct told_change *told, const struct change *change) {
    struct heard *heard = heard_find(self, &told->subject);
    if (heard == NULL || heard->is_leaving)
        return;
    if (heard->is_user)
        user_take(self, heard, told, change);
    else
        thread_take(self, heard, told, change);
}

/* Of what this owner has told us something is missing, and it cannot be said of what; but not of what it tells us since
 * `start`, if that is not 0. */
static void owner_begins_anew(struct interest *self, uint64_t owner, uint64_t start) {
    for (struct heard *heard = self->heard; heard != NULL; heard = heard->hh.next) {
        if (heard->owner != owner || (start != 0 && heard->born_start == start))
            continue;
        heard->born_start = heard->born = 0;
        heard_begin_anew(self, heard);
    }
}

/* ---- the link ---- */

static void early_free(struct peer *peer, struct early_packet *early) {
    peer->early_bytes -= early->bytes;
    arena_close(&early->arena);
    free(early);
}

void early_drop_below(struct peer *peer, uint64_t sequence) {
    while (peer->early != NULL && peer->early->sequence < sequence) {
        struct early_packet *next = peer->early->next;
        early_free(peer, peer->early);
        peer->early = next;
    }
}

static size_t bytes_of_changes(const struct packet *packet) {
    size_t bytes = sizeof(struct early_packet);
    for (size_t i = 0; i < packet->changes_count; i++)
        bytes += sizeof(struct packet_change) + packet->changes[i].change.size;
    return bytes;
}

/* Kept until what is missing has been sent again; without room it is sent again itself. */
static void early_keep(const struct interest *self, struct peer *peer, const struct packet *packet) {
    size_t bytes = bytes_of_changes(packet);
    struct early_packet **link = &peer->early;
    while (*link != NULL && (*link)->sequence < packet->link_sequence)
        link = &(*link)->next;
    bool is_known = *link != NULL && (*link)->sequence == packet->link_sequence;
    if (is_known || peer->early_bytes + bytes > self->link_bytes_max)
        return;
    struct early_packet *early = calloc(1, sizeof(*early));
    check(early != NULL);
    arena_init(&early->arena);
    early->sequence = packet->link_sequence;
    early->bytes = bytes;
    early->count = packet->changes_count;
    early->changes = ARENA_NEW_ARRAY(&early->arena, struct packet_change, early->count);
    for (size_t i = 0; i < early->count; i++)
        early->changes[i].change = arena_copy(&early->arena, packet->changes[i].change);
    early->next = *link;
    *link = early;
    peer->early_bytes += bytes;
}

static void link_follow(struct interest *self, struct peer *peer, const struct packet *packet) {
    bool is_first = peer->their_start == 0;
    bool is_other_life = peer->their_start != packet->answerer_start;
    if (!is_other_life && packet->link <= peer->expected)
        return;
    peer->their_start = packet->answerer_start;
    peer->expected = packet->link;
    early_drop_below(peer, is_other_life ? UINT64_MAX : peer->expected);
    if (!is_first)
        owner_begins_anew(self, peer->node, packet->link == 1 ? packet->answerer_start : 0);
}

static void changes_take(struct interest *self, const struct packet_change *changes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct told_change told;
        if (told_change_decode(changes[i].change, &self->arena, &told) == 0)
            listening_take(self, &told, NULL);
    }
}

static void early_take(struct interest *self, struct peer *peer) {
    while (peer->early != NULL && peer->early->sequence == peer->expected) {
        struct early_packet *early = peer->early;
        peer->early = early->next;
        peer->expected++;
        changes_take(self, early->changes, early->count);
        early_free(peer, early);
    }
}

static void confirmations_take(struct interest *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    for (size_t i = 0; i < packet->listeners_count; i++) {
        struct heard *heard = heard_find(self, &packet->listeners[i].thread);
        bool is_asked = heard != NULL && heard->state == HEARD_ASKED && heard->owner == from &&
                        heard->listening == packet->listening;
        if (is_asked)
            confirmed(self, heard, packet->answerer_start, packet->listeners[i].born, mono_ms);
    }
}

void listening_on_changes(struct interest *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    struct peer *peer = interest_peer(self, from);
    if (packet->asker_start != self->start)
        return;
    confirmations_take(self, from, packet, mono_ms);
    if (packet->link_sequence == 0 || packet->link == 0 || packet->link > packet->link_sequence ||
        packet->link_sequence == UINT64_MAX)
        return;
    link_follow(self, peer, packet);
    peer->is_owed_seen = true;
    if (packet->link_sequence > peer->expected)
        early_keep(self, peer, packet);
    if (packet->link_sequence == peer->expected) {
        peer->expected++;
        changes_take(self, packet->changes, packet->changes_count);
    }
    early_take(self, peer);
}
