#include "proto/command.h"
#include "tests/fuzz/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

AGAIN(command, struct command)

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    command_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
