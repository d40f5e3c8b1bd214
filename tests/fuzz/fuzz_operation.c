#include "proto/operation.h"
#include "tests/fuzz/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

AGAIN(operation, struct realtime_request)
AGAIN(operation_result, struct operation_result)

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    operation_again(&arena, bytes_of(data, size));
    operation_result_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
