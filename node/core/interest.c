#include <stdlib.h>

#include "node/core/interest_parts.h"

struct interest *interest_new(uint64_t node, uint64_t start, size_t link_bytes_max,
                              const struct interest_hooks *hooks) {
    struct interest *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->node = node;
    self->start = start;
    self->link_bytes_max = link_bytes_max;
    self->hooks = *hooks;
    arena_init(&self->arena);
    return self;
}

void interest_free(struct interest *self) {
    listening_free(self);
    owning_free(self);
    passing_free(self);
    for (struct peer *peer = self->peers, *next; peer != NULL; peer = next) {
        next = peer->hh.next;
        link_reset(self, peer);
        early_drop_below(peer, UINT64_MAX);
        HASH_DEL(self->peers, peer);
        free(peer);
    }
    interest_done(self);
    free(self->released);
    arena_close(&self->arena);
    free(self);
}

struct peer *interest_peer(struct interest *self, uint64_t node) {
    struct peer *peer = NULL;
    HASH_FIND(hh, self->peers, &node, sizeof(node), peer);
    if (peer == NULL) {
        peer = calloc(1, sizeof(*peer));
        check(peer != NULL);
        peer->node = node;
        peer->resend_ms = INTEREST_RESEND_MS;
        HASH_ADD(hh, self->peers, node, sizeof(peer->node), peer);
    }
    return peer;
}

void interest_on_packet(struct interest *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    if (packet->kind == PACKET_LISTEN)
        listens_on_packet(self, from, packet, mono_ms);
    else if (packet->kind == PACKET_CHANGES)
        listening_on_changes(self, from, packet, mono_ms);
    else if (packet->kind == PACKET_CHANGES_SEEN)
        link_on_seen(self, from, packet, mono_ms);
}

void interest_map_changed(struct interest *self, int64_t mono_ms) {
    owning_map_changed(self, mono_ms);
    listening_map_changed(self);
}

void interest_tick(struct interest *self, int64_t mono_ms) {
    owning_tick(self, mono_ms);
    passing_tick(self);
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        link_tick(self, peer, mono_ms);
}

bool interest_has_told_all(const struct interest *self, int64_t mono_ms) {
    for (const struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        if (!link_is_settled(peer, mono_ms))
            return false;
    return true;
}

void interest_flush(struct interest *self, int64_t mono_ms) {
    listening_flush(self, mono_ms);
    owning_flush(self);
    for (struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        link_flush(self, peer, mono_ms);
}

void interest_done(struct interest *self) {
    for (size_t i = 0; i < self->released_count; i++)
        free(self->released[i]);
    self->released_count = 0;
    arena_reset(&self->arena);
}

struct interest_statistics interest_statistics(const struct interest *self) {
    struct interest_statistics statistics = {.listened = HASH_COUNT(self->heard),
                                             .watched = HASH_COUNT(self->watched),
                                             .sent_again = self->sent_again,
                                             .repeats = self->repeat};
    for (enum heard_state state = HEARD_FRESH; state < HEARD_SETTLED; state++)
        for (const struct heard *heard = self->heard_by_state[state]; heard != NULL; heard = heard->next)
            statistics.unsettled++;
    for (const struct peer *peer = self->peers; peer != NULL; peer = peer->hh.next)
        statistics.links_bytes += peer->unseen_bytes;
    return statistics;
}
