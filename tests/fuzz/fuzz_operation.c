#include "proto/check.h"
#include "proto/operation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void operation_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct realtime_request operation;
    buffer_init(&first);
    buffer_init(&second);
    if (operation_decode(input, arena, &operation) == 0) {
        operation_encode(&operation, &first);
        check(operation_decode(buffer_bytes(&first), arena, &operation) == 0);
        operation_encode(&operation, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

static void result_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct operation_result result;
    buffer_init(&first);
    buffer_init(&second);
    if (operation_result_decode(input, arena, &result) == 0) {
        operation_result_encode(&result, &first);
        check(operation_result_decode(buffer_bytes(&first), arena, &result) == 0);
        operation_result_encode(&result, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    operation_again(&arena, bytes_of(data, size));
    result_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
