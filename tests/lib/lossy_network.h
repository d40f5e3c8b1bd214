#pragma once
/* A network for tests of what nodes tell each other: every packet is encoded, may be lost, doubled and overtaken, and
 * is decoded where it arrives. Chance comes from one seed, time from the test. */
#include <stdlib.h>

#include "proto/buffer.h"
#include "proto/check.h"
#include "proto/packet.h"

struct flying_packet {
    struct flying_packet *next;
    int64_t due_ms;
    uint64_t from, to;
    struct buffer encoded;
};

struct lossy_network {
    uint64_t chance;
    unsigned lost_percent, doubled_percent;
    int64_t delay_ms_max;
    struct flying_packet *flying;
    size_t sent;
};

static inline uint64_t chance_next(uint64_t *chance) {
    *chance += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t z = *chance;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline unsigned chance_below(uint64_t *chance, unsigned bound) {
    return (unsigned)(chance_next(chance) % bound);
}

static inline void network_put(struct lossy_network *network, uint64_t from, uint64_t to, const struct packet *packet,
                               int64_t mono_ms) {
    struct flying_packet *flying = calloc(1, sizeof(*flying));
    check(flying != NULL);
    flying->from = from;
    flying->to = to;
    flying->due_ms = mono_ms + 1 + chance_below(&network->chance, (unsigned)network->delay_ms_max);
    packet_encode(packet, &flying->encoded);
    struct flying_packet **end = &network->flying;
    while (*end != NULL)
        end = &(*end)->next;
    *end = flying;
}

static inline void network_send(struct lossy_network *network, uint64_t from, uint64_t to, const struct packet *packet,
                                int64_t mono_ms) {
    network->sent++;
    if (chance_below(&network->chance, 100) < network->lost_percent)
        return;
    network_put(network, from, to, packet, mono_ms);
    if (chance_below(&network->chance, 100) < network->doubled_percent)
        network_put(network, from, to, packet, mono_ms);
}

/* One packet whose time has come, or NULL. */
static inline struct flying_packet *network_take(struct lossy_network *network, int64_t mono_ms) {
    for (struct flying_packet **link = &network->flying; *link != NULL; link = &(*link)->next) {
        struct flying_packet *flying = *link;
        if (flying->due_ms <= mono_ms) {
            *link = flying->next;
            return flying;
        }
    }
    return NULL;
}

static inline void flying_packet_free(struct flying_packet *flying) {
    buffer_close(&flying->encoded);
    free(flying);
}

static inline void network_close(struct lossy_network *network) {
    while (network->flying != NULL) {
        struct flying_packet *next = network->flying->next;
        flying_packet_free(network->flying);
        network->flying = next;
    }
}
