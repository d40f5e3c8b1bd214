#include "proto/forwarded_call.h"
#include "tests/fuzz/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

AGAIN(forwarded_call, struct forwarded_call)
AGAIN(forwarded_reply, struct forwarded_reply)

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    forwarded_call_again(&arena, bytes_of(data, size));
    forwarded_reply_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
