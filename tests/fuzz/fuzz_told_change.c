/* Changes from another node: anything may come, nothing may crash, and what was understood survives once more. */
#include <stddef.h>
#include <stdint.h>

#include "proto/check.h"
#include "proto/told_change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct told_change told, again;
    struct buffer out;
    arena_init(&arena);
    if (told_change_decode(bytes_of(data, size), &arena, &told) == 0) {
        buffer_init(&out);
        told_change_encode(&told, &out);
        check(told_change_decode(buffer_bytes(&out), &arena, &again) == 0);
        check(again.from_offset == told.from_offset && again.next_offset == told.next_offset);
        check(bytes_equal(again.change, told.change));
        buffer_close(&out);
    }
    arena_close(&arena);
    return 0;
}
