#include <stdlib.h>

#include "node/core/requests_parts.h"

struct requests *requests_new(uint64_t node, uint64_t start, const struct requests_hooks *hooks) {
    struct requests *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->node = node;
    self->start = start;
    self->hooks = *hooks;
    self->next_request = 1;
    return self;
}

void requests_free(struct requests *self) {
    asking_free(self);
    serving_free(self);
    requests_done(self);
    free(self->released);
    free(self);
}

void requests_release(struct requests *self, void *memory) {
    if (memory == NULL)
        return;
    if (self->released_count == self->released_capacity) {
        self->released_capacity = self->released_capacity == 0 ? 16 : self->released_capacity * 2;
        self->released = realloc(self->released, self->released_capacity * sizeof(*self->released));
        check(self->released != NULL);
    }
    self->released[self->released_count++] = memory;
}

uint8_t *requests_copy(struct bytes body) {
    uint8_t *copy = malloc(body.size + 1);
    check(copy != NULL);
    if (body.size > 0)
        memcpy(copy, body.data, body.size);
    return copy;
}

void requests_done(struct requests *self) {
    for (size_t i = 0; i < self->released_count; i++)
        free(self->released[i]);
    self->released_count = 0;
}

void requests_on_packet(struct requests *self, uint64_t from, const struct packet *packet, int64_t mono_ms) {
    if (packet->kind == PACKET_REQUEST)
        serving_on_request(self, from, packet, mono_ms);
    else if (packet->kind == PACKET_REPLY)
        asking_on_reply(self, from, packet, mono_ms);
}

void requests_served(struct requests *self, uint64_t token, int rc, struct bytes body, int64_t mono_ms) {
    if (token & TOKEN_OF_OURS)
        asking_served(self, token & ~TOKEN_OF_OURS, rc, body, mono_ms);
    else
        serving_served(self, token, rc, body, mono_ms);
}

void requests_map_changed(struct requests *self, int64_t mono_ms) {
    self->map_turn++;
    asking_map_changed(self, mono_ms);
    serving_map_changed(self);
}

void requests_tick(struct requests *self, int64_t mono_ms) {
    asking_tick(self, mono_ms);
    serving_tick(self, mono_ms);
}

struct requests_statistics requests_statistics(const struct requests *self) {
    return (struct requests_statistics){.asked = self->asked_open,
                                        .serving = self->served_open,
                                        .kept = HASH_COUNT(self->served_table) - self->served_open,
                                        .bytes = self->asked_bytes + self->served_bytes};
}
