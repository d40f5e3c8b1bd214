/* Whatever the target, decoded segments hold no NUL and are never "." or "..", and the query can be walked to its end.
 */
#include <stdlib.h>

#include "node/gateway/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void walk_query(struct arena *arena, const struct target *target, size_t size_max) {
    size_t cursor = 0;
    size_t count = 0;
    struct bytes name;
    struct bytes value;
    while (target_query_next(arena, target, &cursor, &name, &value)) {
        EXPECT(++count <= size_max);
        EXPECT(name.size + value.size <= size_max);
    }
    target_query_find(arena, target, "api-version");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct target target;
    arena_init(&arena);
    if (target_parse(&arena, bytes_of(data, size), &target) == 0) {
        EXPECT(target.segments_count <= TARGET_SEGMENTS_MAX);
        for (size_t i = 0; i < target.segments_count; i++) {
            struct bytes segment = target.segments[i];
            EXPECT(segment.size == 0 || memchr(segment.data, '\0', segment.size) == NULL || memchr(data, '\0', size));
            EXPECT(!bytes_equal_text(segment, ".") && !bytes_equal_text(segment, ".."));
        }
        walk_query(&arena, &target, size);
    }
    arena_close(&arena);
    return 0;
}
