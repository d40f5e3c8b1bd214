/* The link to one node: packets of changes in order, repeated until they are acknowledged. */
#include <stdlib.h>

#include "node/core/interest_parts.h"
#include "proto/limits.h"

#define RESEND_BYTES_MAX (256 * 1024) /* at a time */
#define ALIVE_MS 1000                 /* who has acknowledged something so lately gets everything that is due */

bool link_has_room(const struct interest *self, const struct peer *peer) {
    return peer->unseen_bytes < self->link_bytes_max;
}

bool link_has_room_for_repeats(const struct interest *self, const struct peer *peer) {
    return peer->unseen_bytes < self->link_bytes_max / 2 && peer->repeating < LIMIT_LINK_REPEATS_MAX;
}

/* ---- bytes ---- */

struct blob *blob_make(const struct told_change *told) {
    struct buffer buffer;
    buffer_init(&buffer);
    told_change_encode(told, &buffer);
    struct blob *blob = malloc(sizeof(*blob) + buffer.size);
    check(blob != NULL);
    blob->references = 1;
    blob->size = buffer.size;
    memcpy(blob->data, buffer.data, buffer.size);
    buffer_close(&buffer);
    return blob;
}

void blob_release(struct interest *self, struct blob *blob) {
    if (--blob->references > 0)
        return;
    if (self->released_count == self->released_capacity) {
        self->released_capacity = self->released_capacity == 0 ? 16 : self->released_capacity * 2;
        self->released = realloc(self->released, self->released_capacity * sizeof(struct blob *));
        check(self->released != NULL);
    }
    self->released[self->released_count++] = blob;
}

static void packet_free(struct interest *self, struct link_packet *packet) {
    for (size_t i = 0; i < packet->count; i++)
        blob_release(self, packet->blobs[i]);
    free(packet->blobs);
    free(packet);
}

/* ---- gathering ---- */

static void gathering_close(struct peer *peer) {
    struct link_packet *packet = peer->gathering;
    if (packet == NULL)
        return;
    packet->sequence = ++peer->link_sequence;
    if (peer->unseen_last != NULL)
        peer->unseen_last->next = packet;
    else
        peer->unseen = packet;
    peer->unseen_last = packet;
    if (peer->unsent == NULL)
        peer->unsent = packet;
    peer->gathering = NULL;
}

static struct link_packet *gathering_get(struct peer *peer, size_t size) {
    struct link_packet *packet = peer->gathering;
    if (packet != NULL && (packet->count == PACKET_CHANGES_MAX || packet->bytes + size > INTEREST_PACKET_BYTES))
        gathering_close(peer);
    if (peer->gathering == NULL) {
        peer->gathering = calloc(1, sizeof(*packet));
        check(peer->gathering != NULL);
    }
    return peer->gathering;
}

void link_add(struct peer *peer, struct blob *blob) {
    struct link_packet *packet = gathering_get(peer, blob->size);
    if (packet->count == packet->capacity) {
        packet->capacity = packet->capacity == 0 ? 4 : packet->capacity * 2;
        packet->blobs = realloc(packet->blobs, packet->capacity * sizeof(struct blob *));
        check(packet->blobs != NULL);
    }
    packet->blobs[packet->count++] = blob;
    packet->bytes += blob->size;
    peer->unseen_bytes += blob->size;
    blob->references++;
}

/* ---- sending ---- */

static void packet_send(struct interest *self, const struct peer *peer, struct link_packet *unseen, int64_t mono_ms) {
    struct packet packet = {.kind = PACKET_CHANGES,
                            .asker_start = peer->listener_start,
                            .answerer_start = self->start,
                            .link_sequence = unseen->sequence,
                            .link = peer->unseen->sequence,
                            .changes = ARENA_NEW_ARRAY(&self->arena, struct packet_change, unseen->count),
                            .changes_count = unseen->count};
    for (size_t i = 0; i < unseen->count; i++)
        packet.changes[i].change = bytes_of(unseen->blobs[i]->data, unseen->blobs[i]->size);
    unseen->sent_ms = mono_ms;
    self->hooks.send(self->hooks.context, peer->node, &packet);
}

void link_flush(struct interest *self, struct peer *peer, int64_t mono_ms) {
    gathering_close(peer);
    for (; peer->unsent != NULL; peer->unsent = peer->unsent->next)
        packet_send(self, peer, peer->unsent, mono_ms);
}

static void resend(struct interest *self, struct peer *peer, size_t bytes_max, int64_t mono_ms) {
    size_t bytes = 0;
    for (struct link_packet *packet = peer->unseen; packet != peer->unsent && bytes < bytes_max;
         packet = packet->next) {
        if (mono_ms - packet->sent_ms < INTEREST_RESEND_MS)
            continue;
        packet_send(self, peer, packet, mono_ms);
        self->sent_again++;
        bytes += packet->bytes;
    }
}

void link_tick(struct interest *self, struct peer *peer, int64_t mono_ms) {
    const struct link_packet *oldest = peer->unseen;
    if (oldest == peer->unsent || mono_ms - oldest->sent_ms < peer->resend_ms)
        return;
    if (mono_ms - peer->seen_ms < ALIVE_MS) {
        resend(self, peer, RESEND_BYTES_MAX, mono_ms);
        return;
    }
    resend(self, peer, 1, mono_ms);
    peer->resend_ms = peer->resend_ms * 2 > INTEREST_RESEND_MS_MAX ? INTEREST_RESEND_MS_MAX : peer->resend_ms * 2;
}

/* ---- acknowledged ---- */

static void oldest_drop(struct interest *self, struct peer *peer) {
    struct link_packet *packet = peer->unseen;
    peer->unseen = packet->next;
    if (peer->unseen == NULL)
        peer->unseen_last = NULL;
    if (peer->unsent == packet)
        peer->unsent = packet->next;
    peer->unseen_bytes -= packet->bytes;
    packet_free(self, packet);
}

void link_on_seen(struct interest *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    struct peer *peer = interest_peer(self, from);
    if (packet->answerer_start != self->start || packet->asker_start != peer->listener_start)
        return;
    peer->seen_ms = mono_ms;
    peer->resend_ms = INTEREST_RESEND_MS;
    while (peer->unseen != peer->unsent && peer->unseen->sequence <= packet->link_sequence)
        oldest_drop(self, peer);
}

bool link_is_settled(const struct peer *peer, int64_t mono_ms) {
    bool is_silent = mono_ms - peer->seen_ms > ALIVE_MS && mono_ms - peer->listener_heard_ms > ALIVE_MS;
    return peer->unseen == NULL || is_silent;
}

void link_reset(struct interest *self, struct peer *peer) {
    gathering_close(peer);
    while (peer->unseen != NULL)
        oldest_drop(self, peer);
}
