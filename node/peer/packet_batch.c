#include "node/peer/packet_batch.h"

#include "node/peer/big_endian.h"
#include "proto/check.h"
#include "proto/status.h"

void packet_batch_begin(struct buffer *out, uint64_t credit) {
    out->size = 0;
    store_u64(buffer_reserve(out, PACKET_BATCH_HEAD_BYTES), credit);
    buffer_added(out, PACKET_BATCH_HEAD_BYTES);
}

void packet_batch_add(struct buffer *out, struct bytes packet) {
    check(packet.size <= UINT32_MAX);
    store_u32(buffer_reserve(out, PACKET_BATCH_ITEM_BYTES), (uint32_t)packet.size);
    buffer_added(out, PACKET_BATCH_ITEM_BYTES);
    buffer_append_bytes(out, packet);
}

bool packet_batch_next(struct packet_batch *batch, struct bytes *packet) {
    struct bytes rest = batch->rest;
    if (rest.size < PACKET_BATCH_ITEM_BYTES || rest.size - PACKET_BATCH_ITEM_BYTES < load_u32(rest.data))
        return false;
    *packet = bytes_of(rest.data + PACKET_BATCH_ITEM_BYTES, load_u32(rest.data));
    batch->rest = bytes_of(packet->data + packet->size, rest.size - PACKET_BATCH_ITEM_BYTES - packet->size);
    return true;
}

int packet_batch_open(struct bytes encoded, struct packet_batch *batch) {
    if (encoded.size < PACKET_BATCH_HEAD_BYTES)
        return STATUS_MALFORMED;
    batch->credit = load_u64(encoded.data);
    batch->rest = bytes_of(encoded.data + PACKET_BATCH_HEAD_BYTES, encoded.size - PACKET_BATCH_HEAD_BYTES);
    struct packet_batch walk = *batch;
    struct bytes packet;
    while (packet_batch_next(&walk, &packet))
        ;
    return walk.rest.size == 0 ? STATUS_OK : STATUS_MALFORMED;
}
