#include "node/gateway/endpoint_message.h"
#include "proto/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer first, second;
    struct endpoint_message message;
    struct arena arena;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (endpoint_message_decode(bytes_of(data, size), &arena, &message) == 0) {
        endpoint_message_encode(&message, &first);
        check(endpoint_message_decode(buffer_bytes(&first), &arena, &message) == 0);
        endpoint_message_encode(&message, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
    return 0;
}
