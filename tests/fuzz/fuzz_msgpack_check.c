/* What is called sound, msgpack-c unpacks to the last byte; and it allocates no more than those bytes can hold. */
#include <msgpack.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/msgpack_check.h"

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (unsigned depth_max = 0; depth_max <= LIMIT_MSGPACK_DEPTH_MAX; depth_max += LIMIT_MSGPACK_DEPTH_MAX / 4)
        if (msgpack_is_sound(bytes_of(data, size), depth_max))
            EXPECT(msgpack_is_sound(bytes_of(data, size), depth_max + 1));
    if (!msgpack_is_sound(bytes_of(data, size), LIMIT_MSGPACK_DEPTH_MAX))
        return 0;
    msgpack_unpacked unpacked;
    size_t offset = 0;
    msgpack_unpacked_init(&unpacked);
    EXPECT(msgpack_unpack_next(&unpacked, (const char *)data, size, &offset) == MSGPACK_UNPACK_SUCCESS);
    EXPECT(offset == size);
    msgpack_unpacked_destroy(&unpacked);
    return 0;
}
