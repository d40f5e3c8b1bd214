#include "proto/check.h"
#include "proto/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct buffer first, second;
    struct command command;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (command_decode(bytes_of(data, size), &arena, &command) == 0) {
        command_encode(&command, &first);
        check(command_decode(buffer_bytes(&first), &arena, &command) == 0);
        command_encode(&command, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
    return 0;
}
