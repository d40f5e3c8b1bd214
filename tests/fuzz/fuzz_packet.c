#include "proto/check.h"
#include "proto/packet.h"
#include "proto/range_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes can be written again, and then reads as the same. */
static void try_packet(struct bytes input) {
    struct arena arena;
    struct buffer first, second;
    struct packet packet;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (packet_decode(input, &arena, &packet) == 0) {
        packet_encode(&packet, &first);
        check(packet_decode(buffer_bytes(&first), &arena, &packet) == 0);
        packet_encode(&packet, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
}

static void try_range_record(struct bytes input) {
    struct range_record record, again;
    struct buffer encoded;
    if (range_record_decode(input, &record) != 0)
        return;
    buffer_init(&encoded);
    range_record_encode(&record, &encoded);
    check(range_record_decode(buffer_bytes(&encoded), &again) == 0);
    check(range_record_equal(&record, &again));
    buffer_close(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_packet(bytes_of(data, size));
    try_range_record(bytes_of(data, size));
    return 0;
}
