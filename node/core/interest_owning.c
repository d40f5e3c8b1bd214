/* Nodes that listen to threads and users of which this node is the primary. */
#include <stdlib.h>

#include <utlist.h>

#include "node/core/interest_parts.h"

/* ---- tables ---- */

static struct watched *watched_find(struct interest *self, const struct id_hash *subject) {
    struct watched *watched = NULL;
    HASH_FIND(hh, self->watched, subject, sizeof(*subject), watched);
    return watched;
}

static struct watched *watched_get(struct interest *self, const struct id_hash *subject) {
    struct watched *watched = watched_find(self, subject);
    if (watched == NULL) {
        watched = calloc(1, sizeof(*watched));
        check(watched != NULL);
        watched->subject = *subject;
        watched->epoch = self->hooks.epoch_of(self->hooks.context, subject);
        HASH_ADD(hh, self->watched, subject, sizeof(watched->subject), watched);
    }
    return watched;
}

static struct registration *registration_find(const struct watched *watched, const struct peer *peer) {
    struct registration *registration = watched == NULL ? NULL : watched->registrations;
    while (registration != NULL && registration->peer != peer)
        registration = registration->next_watching;
    return registration;
}

/* The one place where a state changes. */
static void state_set(struct registration *registration, enum registration_state state) {
    struct peer *peer = registration->peer;
    if (registration->state == REGISTRATION_BEHIND)
        DL_DELETE2(peer->behind, registration, previous_behind, next_behind);
    registration->state = state;
    if (state == REGISTRATION_BEHIND)
        DL_APPEND2(peer->behind, registration, previous_behind, next_behind);
}

static void registration_drop(struct interest *self, struct registration *registration) {
    struct watched *watched = registration->watched;
    state_set(registration, REGISTRATION_LIVE);
    DL_DELETE2(registration->peer->registrations, registration, previous, next);
    DL_DELETE2(watched->registrations, registration, previous_watching, next_watching);
    free(registration);
    if (watched->registrations == NULL) {
        HASH_DEL(self->watched, watched);
        free(watched);
    }
}

static struct registration *registration_new(struct interest *self, struct watched *watched, struct peer *peer,
                                             bool is_user) {
    struct registration *registration = calloc(1, sizeof(*registration));
    check(registration != NULL);
    registration->peer = peer;
    registration->watched = watched;
    registration->is_user = is_user;
    registration->born = ++self->born;
    DL_APPEND2(peer->registrations, registration, previous, next);
    DL_APPEND2(watched->registrations, registration, previous_watching, next_watching);
    return registration;
}

void owning_drop_all(struct interest *self, struct peer *peer) {
    while (peer->registrations != NULL)
        registration_drop(self, peer->registrations);
}

void owning_free(struct interest *self) {
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next) {
        owning_drop_all(self, peer);
        listens_drop(peer, INT64_MAX);
    }
}

void owning_drop(struct interest *self, struct peer *peer, const struct id_hash *subject) {
    struct registration *registration = registration_find(watched_find(self, subject), peer);
    if (registration != NULL)
        registration_drop(self, registration);
}

/* ---- registering ---- */

/* What lies between there and the newest is told from the store; only the store knows whether there is something. */
static void place(struct registration *registration, uint64_t next_offset) {
    bool is_there_already = registration->next_offset == next_offset;
    bool is_newest = next_offset == registration->watched->next_offset;
    if (registration->is_user || is_there_already)
        return;
    registration->next_offset = next_offset;
    state_set(registration, is_newest ? REGISTRATION_LIVE : REGISTRATION_BEHIND);
}

static void renew(struct registration *registration, int64_t mono_ms) {
    struct peer *peer = registration->peer;
    DL_DELETE2(peer->registrations, registration, previous, next);
    DL_APPEND2(peer->registrations, registration, previous, next);
    registration->expires_ms = mono_ms + INTEREST_EXPIRES_MS;
}

bool owning_register(struct interest *self, struct peer *peer, const struct packet_listener *listener, uint64_t *born,
                     int64_t mono_ms) {
    if (!self->hooks.is_primary(self->hooks.context, &listener->thread))
        return false;
    struct watched *watched = watched_get(self, &listener->thread);
    struct registration *registration = registration_find(watched, peer);
    bool is_new = registration == NULL;
    if (is_new)
        registration = registration_new(self, watched, peer, listener->is_user);
    if (is_new || listener->is_anew)
        place(registration, listener->next_offset);
    if (is_new && listener->has_moved)
        passing_tell_again(self, peer, &listener->thread);
    renew(registration, mono_ms);
    *born = registration->born;
    return true;
}

/* ---- telling ---- */

/* One change on its way to several nodes: encoded when the first of them is another one. */
struct telling {
    struct told_change told;
    const struct change *change; /* NULL: none */
    struct blob *blob;
};

static void blob_need(struct telling *telling) {
    struct buffer buffer;
    if (telling->blob != NULL)
        return;
    buffer_init(&buffer);
    if (telling->change != NULL) {
        change_encode(telling->change, &buffer);
        telling->told.change = buffer_bytes(&buffer);
    }
    telling->blob = blob_make(&telling->told);
    telling->told.change = BYTES_ABSENT;
    buffer_close(&buffer);
}

static void tell(struct interest *self, struct peer *peer, struct telling *telling) {
    if (peer->node == self->node) {
        listening_take(self, &telling->told, telling->change);
        return;
    }
    blob_need(telling);
    link_add(peer, telling->blob);
}

static void telling_close(struct interest *self, struct telling *telling) {
    if (telling->blob != NULL)
        blob_release(self, telling->blob);
}

/* What has no offset is not in the store, so it is told whatever else is still missing there. */
static void passing_tell(struct interest *self, struct registration *registration, struct telling *telling) {
    if (link_has_room(self, registration->peer))
        tell(self, registration->peer, telling);
}

static void thread_tell(struct interest *self, struct registration *registration, struct telling *telling) {
    uint64_t offset = telling->told.from_offset;
    bool has_room = link_has_room(self, registration->peer);
    if (offset > registration->next_offset || (offset == registration->next_offset && !has_room)) {
        state_set(registration, REGISTRATION_BEHIND);
    } else if (offset == registration->next_offset) {
        registration->next_offset++;
        tell(self, registration->peer, telling);
    }
}

static void user_tell(struct interest *self, struct registration *registration, struct telling *telling) {
    if (link_has_room(self, registration->peer))
        tell(self, registration->peer, telling);
    else
        state_set(registration, REGISTRATION_BEHIND);
}

size_t interest_listeners(struct interest *self, const struct id_hash *subject, uint64_t *nodes, size_t nodes_max) {
    const struct watched *watched = watched_find(self, subject);
    const struct registration *registration = watched == NULL ? NULL : watched->registrations;
    size_t count = 0;
    for (; registration != NULL && count < nodes_max; registration = registration->next_watching)
        nodes[count++] = registration->peer->node;
    return count;
}

void interest_publish(struct interest *self, const struct change *change, unsigned copies) {
    bool is_user = change->kind == CHANGE_USER_JOINED || change->kind == CHANGE_USER_REVOKED;
    uint64_t offset = is_user ? 0 : change->offset;
    struct watched *watched = watched_find(self, &change->subject);
    if (!is_user && offset == 0)
        passing_keep(self, change, copies);
    if (watched == NULL)
        return;
    struct telling telling = {.told = {.subject = change->subject,
                                       .from_offset = offset,
                                       .next_offset = offset == 0 ? 0 : offset + 1,
                                       .copies = copies},
                              .change = change};
    if (offset >= watched->next_offset && offset != 0)
        watched->next_offset = offset + 1;
    for (struct registration *registration = watched->registrations; registration != NULL;
         registration = registration->next_watching) {
        if (!is_user && offset == 0)
            passing_tell(self, registration, &telling);
        else if (registration->state == REGISTRATION_LIVE && is_user)
            user_tell(self, registration, &telling);
        else if (registration->state == REGISTRATION_LIVE)
            thread_tell(self, registration, &telling);
    }
    telling_close(self, &telling);
}

/* ---- from the store ---- */

static void told_once(struct interest *self, struct peer *peer, const struct told_change *told,
                      const struct change *change) {
    struct telling telling = {.told = *told, .change = change};
    tell(self, peer, &telling);
    telling_close(self, &telling);
}

static void behind_go_on(struct interest *self, struct registration *registration) {
    if (registration->is_user) {
        state_set(registration, REGISTRATION_LIVE);
        told_once(self, registration->peer, &(struct told_change){.subject = registration->watched->subject}, NULL);
        return;
    }
    state_set(registration, REGISTRATION_REPEATING);
    registration->peer->repeating++;
    registration->repeat = ++self->repeat;
    self->hooks.repeat(self->hooks.context, &(struct interest_repeat){.number = registration->repeat,
                                                                      .thread = registration->watched->subject,
                                                                      .node = registration->peer->node,
                                                                      .from_offset = registration->next_offset,
                                                                      .bytes_max = INTEREST_REPEAT_BYTES});
}

void owning_flush(struct interest *self) {
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        for (struct registration *registration = peer->behind, *next;
             registration != NULL && link_has_room_for_repeats(self, peer); registration = next) {
            next = registration->next_behind;
            if (self->hooks.is_primary(self->hooks.context, &registration->watched->subject))
                behind_go_on(self, registration);
        }
}

static void repeated_tell(struct interest *self, struct registration *registration,
                          const struct interest_repeated *repeated) {
    uint64_t next_offset = registration->next_offset == INTEREST_FROM_NOW ? 0 : registration->next_offset;
    struct told_change told = {.subject = repeated->asked.thread, .copies = repeated->copies};
    for (size_t i = 0; i < repeated->changes_count; i++) {
        if (repeated->changes[i].offset < next_offset)
            continue;
        told.from_offset = next_offset;
        told.next_offset = next_offset = repeated->changes[i].offset + 1;
        told_once(self, registration->peer, &told, &repeated->changes[i]);
    }
    if (repeated->next_offset > next_offset) {
        told.from_offset = next_offset;
        told.next_offset = next_offset = repeated->next_offset;
        told_once(self, registration->peer, &told, NULL);
    }
    registration->next_offset = next_offset;
}

void interest_repeated(struct interest *self, const struct interest_repeated *repeated, int64_t mono_ms) {
    struct peer *peer = interest_peer(self, repeated->asked.node);
    struct watched *watched = watched_find(self, &repeated->asked.thread);
    struct registration *registration = registration_find(watched, peer);
    if (peer->repeating > 0)
        peer->repeating--;
    if (registration == NULL || registration->state != REGISTRATION_REPEATING ||
        registration->repeat != repeated->asked.number)
        return; /* it has been asked differently since */
    if (repeated->rc != 0) {
        registration_drop(self, registration);
        if (peer->node == self->node)
            listening_later(self, &repeated->asked.thread, mono_ms);
        return;
    }
    repeated_tell(self, registration, repeated);
    /* What was published meanwhile was not told, because this had to come first. */
    bool is_newest = repeated->is_complete && registration->next_offset >= watched->next_offset;
    if (is_newest)
        watched->next_offset = registration->next_offset;
    state_set(registration, is_newest ? REGISTRATION_LIVE : REGISTRATION_BEHIND);
}

/* ---- time and map ---- */

static void watched_drop(struct interest *self, const struct watched *watched, int64_t mono_ms) {
    struct id_hash subject = watched->subject;
    for (struct registration *registration = watched->registrations, *next; registration != NULL; registration = next) {
        bool is_ours = registration->peer->node == self->node;
        next = registration->next_watching;
        registration_drop(self, registration);
        if (is_ours)
            listening_later(self, &subject, mono_ms);
    }
}

/* Who listened to us in an earlier epoch need not say so again. But others may have led it in between. */
static void lead_on(struct interest *self, struct watched *watched) {
    uint64_t epoch = self->hooks.epoch_of(self->hooks.context, &watched->subject);
    if (epoch == watched->epoch || !self->hooks.is_primary(self->hooks.context, &watched->subject))
        return;
    watched->epoch = epoch;
    watched->next_offset = 0;
    for (struct registration *registration = watched->registrations; registration != NULL;
         registration = registration->next_watching)
        state_set(registration, REGISTRATION_BEHIND);
}

void owning_map_changed(struct interest *self, int64_t mono_ms) {
    for (struct watched *watched = self->watched, *next; watched != NULL; watched = next) {
        next = watched->hh.next;
        if (self->hooks.primary_of(self->hooks.context, &watched->subject) == self->node)
            lead_on(self, watched);
        else
            watched_drop(self, watched, mono_ms);
    }
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        listens_take(self, peer, mono_ms);
}

void owning_tick(struct interest *self, int64_t mono_ms) {
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next) {
        while (peer->registrations != NULL && peer->registrations->expires_ms < mono_ms)
            registration_drop(self, peer->registrations);
        if (peer->registrations != NULL)
            peer->registered_ms = mono_ms;
        /* What it was told last may still be on its way. */
        if (mono_ms - peer->registered_ms > INTEREST_MOVING_MS)
            link_reset(self, peer);
        listens_drop(peer, mono_ms);
    }
}
