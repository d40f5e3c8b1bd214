#include "proto/check.h"
#include "proto/forwarded_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void call_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct forwarded_call call;
    buffer_init(&first);
    buffer_init(&second);
    if (forwarded_call_decode(input, arena, &call) == 0) {
        forwarded_call_encode(&call, &first);
        check(forwarded_call_decode(buffer_bytes(&first), arena, &call) == 0);
        forwarded_call_encode(&call, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

static void reply_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct forwarded_reply reply;
    buffer_init(&first);
    buffer_init(&second);
    if (forwarded_reply_decode(input, arena, &reply) == 0) {
        forwarded_reply_encode(&reply, &first);
        check(forwarded_reply_decode(buffer_bytes(&first), arena, &reply) == 0);
        forwarded_reply_encode(&reply, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    call_again(&arena, bytes_of(data, size));
    reply_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
