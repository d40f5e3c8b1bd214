#pragma once
/* AGAIN(question, struct question): a function question_again(arena, input): what question_decode takes,
 * question_encode writes, and that reads and writes as the same. */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/check.h"

#define AGAIN(name, type)                                                                                              \
    static void name##_again(struct arena *arena, struct bytes input) {                                                \
        struct buffer first, second;                                                                                   \
        type value;                                                                                                    \
        buffer_init(&first);                                                                                           \
        buffer_init(&second);                                                                                          \
        if (name##_decode(input, arena, &value) == 0) {                                                                \
            name##_encode(&value, &first);                                                                             \
            check(name##_decode(buffer_bytes(&first), arena, &value) == 0);                                            \
            name##_encode(&value, &second);                                                                            \
            check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));                                           \
        }                                                                                                              \
        buffer_close(&first);                                                                                          \
        buffer_close(&second);                                                                                         \
    }
