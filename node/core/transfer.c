#include "node/core/transfer.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"

static uint64_t bit_of(uint32_t part) {
    return (uint64_t)1 << part;
}

static uint64_t all_of(uint32_t parts) {
    return parts == PACKET_PARTS_MAX ? UINT64_MAX : bit_of(parts) - 1;
}

void transfer_out_init(struct transfer_out *out, struct bytes body) {
    check(body.size <= TRANSFER_BYTES_MAX);
    size_t parts = (body.size + PACKET_PART_BYTES - 1) / PACKET_PART_BYTES;
    *out = (struct transfer_out){.body = body, .parts = parts == 0 ? 1 : (uint32_t)parts};
}

bool transfer_out_next(struct transfer_out *out, int64_t mono_ms, uint32_t *part) {
    if (__builtin_popcountll(out->sent & ~out->seen) >= TRANSFER_IN_FLIGHT_MAX)
        return false;
    uint64_t waiting = all_of(out->parts) & ~out->sent & ~out->seen;
    if (out->parts == 0 || waiting == 0)
        return false;
    *part = (uint32_t)__builtin_ctzll(waiting);
    out->sent |= bit_of(*part);
    out->sent_ms = mono_ms;
    return true;
}

struct bytes transfer_out_part(const struct transfer_out *out, uint32_t part) {
    size_t from = (size_t)part * PACKET_PART_BYTES;
    size_t left = out->body.size - from;
    if (out->body.size == 0)
        return BYTES_LITERAL("");
    return bytes_of(out->body.data + from, left < PACKET_PART_BYTES ? left : PACKET_PART_BYTES);
}

void transfer_out_seen(struct transfer_out *out, uint64_t seen) {
    if (out->parts > 0)
        out->seen = seen & all_of(out->parts);
}

bool transfer_out_is_done(const struct transfer_out *out) {
    return out->parts > 0 && out->seen == all_of(out->parts);
}

void transfer_out_again(struct transfer_out *out) {
    if (transfer_out_is_done(out))
        out->seen &= ~bit_of(out->parts - 1);
    out->sent = out->seen;
}

void transfer_in_close(struct transfer_in *in) {
    free(in->body);
    *in = (struct transfer_in){0};
}

static size_t capacity_of(const struct packet *packet) {
    return packet->parts == 1 ? packet->body.size + 1 : (size_t)packet->parts * PACKET_PART_BYTES;
}

size_t transfer_in_needs(const struct transfer_in *in, const struct packet *packet) {
    return in->parts == 0 && packet->parts <= PACKET_PARTS_MAX ? capacity_of(packet) : 0;
}

static bool part_is_sound(const struct transfer_in *in, const struct packet *packet) {
    bool is_last = packet->part + 1 == packet->parts;
    if (packet->parts == 0 || packet->parts > PACKET_PARTS_MAX || packet->part >= packet->parts)
        return false;
    if (in->parts != 0 && packet->parts != in->parts)
        return false;
    /* Parts repeat each other: a single one must fit the room that was made for the first to come. */
    if (packet->parts == 1)
        return packet->body.size <= PACKET_PART_BYTES && (in->parts == 0 || packet->body.size < in->capacity);
    return is_last ? packet->body.size >= 1 && packet->body.size <= PACKET_PART_BYTES
                   : packet->body.size == PACKET_PART_BYTES;
}

int transfer_in_take(struct transfer_in *in, const struct packet *packet) {
    if (!part_is_sound(in, packet))
        return STATUS_MALFORMED;
    if (in->parts == 0) {
        in->parts = packet->parts;
        in->capacity = capacity_of(packet);
        in->body = malloc(in->capacity);
        check(in->body != NULL);
    }
    if (in->seen & bit_of(packet->part))
        return STATUS_OK;
    size_t from = (size_t)packet->part * PACKET_PART_BYTES;
    if (packet->body.size > 0)
        memcpy(in->body + from, packet->body.data, packet->body.size);
    if (packet->part + 1 == packet->parts)
        in->size = from + packet->body.size;
    in->seen |= bit_of(packet->part);
    return STATUS_OK;
}

bool transfer_in_is_done(const struct transfer_in *in) {
    return in->parts > 0 && in->seen == all_of(in->parts);
}

struct bytes transfer_in_body(const struct transfer_in *in) {
    return bytes_of(in->body, in->size);
}
