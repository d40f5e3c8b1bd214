#include "node/gateway/missed.h"
#include "proto/check.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct buffer first, second;
    struct missed missed;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (missed_decode(bytes_of(data, size), &arena, &missed) == STATUS_OK) {
        missed_encode(&missed, &first);
        check(missed_decode(buffer_bytes(&first), &arena, &missed) == STATUS_OK);
        missed_encode(&missed, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
    return 0;
}
