#include "proto/check.h"
#include "proto/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void question_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct question question;
    buffer_init(&first);
    buffer_init(&second);
    if (question_decode(input, arena, &question) == 0) {
        question_encode(&question, &first);
        check(question_decode(buffer_bytes(&first), arena, &question) == 0);
        question_encode(&question, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

static void facts_again(struct arena *arena, struct bytes input) {
    struct buffer first, second;
    struct fact_list facts;
    buffer_init(&first);
    buffer_init(&second);
    if (facts_decode(input, arena, &facts) == 0) {
        facts_encode(&facts, &first);
        check(facts_decode(buffer_bytes(&first), arena, &facts) == 0);
        facts_encode(&facts, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
}

/* Whatever decodes can be written again, and then reads as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena);
    question_again(&arena, bytes_of(data, size));
    facts_again(&arena, bytes_of(data, size));
    arena_close(&arena);
    return 0;
}
