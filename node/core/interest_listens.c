/* LISTENs of other nodes. One that comes before this node knows that it leads waits for that: who asks may have heard
 * of it first. It is then as if it had come later, so what one node says of one subject is taken in the order in which
 * it said it. */
#include <stdlib.h>
#include <string.h>

#include "node/core/interest_parts.h"

#define LISTENS_KEPT_MAX 64 /* of one node; of further ones what is not ours yet is asked for again */

/* A listener that has restarted knows nothing of what its earlier life was told. The life before is over, unless what
 * we took for the newer one was an old packet that came late: then nothing more has come of that. */
static bool listener_life_is_current(struct interest *self, struct peer *peer, uint64_t start, int64_t mono_ms) {
    bool is_current = start == peer->listener_start;
    bool is_before = start == peer->listener_start_before;
    if (start == 0 || (!is_current && is_before && mono_ms - peer->listener_heard_ms < INTEREST_RENEW_MS))
        return false;
    peer->listener_heard_ms = mono_ms;
    if (is_current)
        return true;
    owning_drop_all(self, peer);
    listens_drop(peer, INT64_MAX);
    link_reset(self, peer);
    peer->listener_start_before = peer->listener_start;
    peer->listener_start = start;
    peer->listening_seen = 0;
    return true;
}

/* The drop of one that was never registered does nothing. */
static bool listener_take(struct interest *self, struct peer *peer, const struct packet_listener *listener,
                          struct packet *answer, int64_t mono_ms) {
    uint64_t born;
    if (listener->next_offset == 0)
        owning_drop(self, peer, &listener->thread);
    if (!self->hooks.is_primary(self->hooks.context, &listener->thread))
        return false;
    if (listener->next_offset != 0 && owning_register(self, peer, listener, &born, mono_ms))
        answer->listeners[answer->listeners_count++] =
            (struct packet_listener){.thread = listener->thread, .born = born};
    return true;
}

/* What this node leads of it; the rest stays. */
static void kept_take(struct interest *self, struct peer *peer, struct kept_listen *kept, int64_t mono_ms) {
    size_t left = 0;
    struct packet answer = {.kind = PACKET_CHANGES,
                            .asker_start = peer->listener_start,
                            .answerer_start = self->start,
                            .listening = kept->listening,
                            .listeners = ARENA_NEW_ARRAY(&self->arena, struct packet_listener, kept->count)};
    for (size_t i = 0; i < kept->count; i++)
        if (!listener_take(self, peer, &kept->listeners[i], &answer, mono_ms))
            kept->listeners[left++] = kept->listeners[i];
    kept->count = left;
    if (answer.listeners_count > 0)
        self->hooks.send(self->hooks.context, peer->node, &answer);
}

static struct kept_listen *kept_new(const struct packet *packet, int64_t mono_ms) {
    size_t bytes = packet->listeners_count * sizeof(*packet->listeners);
    struct kept_listen *kept = calloc(1, sizeof(*kept) + bytes);
    check(kept != NULL);
    kept->listening = packet->listening;
    kept->expires_ms = mono_ms + INTEREST_RETRY_MS;
    kept->count = packet->listeners_count;
    if (bytes > 0)
        memcpy(kept->listeners, packet->listeners, bytes);
    return kept;
}

/* True: it was the last in its place, and is gone. */
static bool kept_drop_if(struct peer *peer, struct kept_listen **link, bool is_over) {
    struct kept_listen *kept = *link;
    if (!is_over)
        return false;
    *link = kept->next;
    peer->kept_count--;
    free(kept);
    return true;
}

void listens_take(struct interest *self, struct peer *peer, int64_t mono_ms) {
    for (struct kept_listen **link = &peer->kept; *link != NULL;) {
        kept_take(self, peer, *link, mono_ms);
        if (!kept_drop_if(peer, link, (*link)->count == 0))
            link = &(*link)->next;
    }
}

void listens_drop(struct peer *peer, int64_t mono_ms) {
    while (peer->kept != NULL && kept_drop_if(peer, &peer->kept, peer->kept->expires_ms <= mono_ms))
        ;
}

static void kept_add(struct peer *peer, struct kept_listen *kept) {
    struct kept_listen **link = &peer->kept;
    while (*link != NULL)
        link = &(*link)->next;
    *link = kept;
    if (++peer->kept_count > LISTENS_KEPT_MAX)
        kept_drop_if(peer, &peer->kept, true);
}

void listens_on_packet(struct interest *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    struct peer *peer = interest_peer(self, from);
    if (packet->listeners_count > PACKET_LISTENERS_MAX ||
        !listener_life_is_current(self, peer, packet->asker_start, mono_ms) ||
        packet->listening <= peer->listening_seen)
        return;
    peer->listening_seen = packet->listening;
    struct kept_listen *kept = kept_new(packet, mono_ms);
    kept_take(self, peer, kept, mono_ms);
    if (kept->count > 0)
        kept_add(peer, kept);
    else
        free(kept);
}
