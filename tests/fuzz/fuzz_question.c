#include "proto/question.h"
#include "tests/fuzz/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

AGAIN(question, struct question)
AGAIN(facts, struct fact_list)

static void joined_again(struct arena *arena, struct bytes input) {
    struct buffer encoded, items;
    struct joined_threads joined, again;
    buffer_init(&encoded);
    buffer_init(&items);
    if (joined_threads_decode(input, arena, &joined) == 0) {
        for (size_t i = 0; i < joined_threads_count(&joined); i++) {
            struct joined_thread item = joined_threads_at(&joined, i);
            joined_thread_add(&items, &item);
        }
        check(items.size == joined.items.size);
        check(items.size == 0 || memcmp(items.data, joined.items.data, items.size) == 0);
        joined_threads_encode(&joined, &encoded);
        check(joined_threads_decode(buffer_bytes(&encoded), arena, &again) == 0);
        check(joined_threads_count(&again) == joined_threads_count(&joined));
    }
    buffer_close(&encoded);
    buffer_close(&items);
}

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    question_again(&arena, bytes_of(data, size));
    facts_again(&arena, bytes_of(data, size));
    joined_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
