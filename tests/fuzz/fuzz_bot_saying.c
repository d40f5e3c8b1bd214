#include "node/bots/bot.h"
#include "node/bots/bot_saying.h"
#include "proto/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX 1024

/* What a bot may say is within bounds; what it may not is refused with a reason. */
static void said(struct bytes input, struct arena *arena) {
    struct bot_saying saying;
    struct problem problem = {0};
    if (bot_saying_parse(arena, input, BYTES_MAX, &saying, &problem) != STATUS_OK) {
        check(problem.rc != STATUS_OK && problem.message.size > 0);
        return;
    }
    bool has_text = saying.message.content.size > 0 && saying.message.content.size <= BYTES_MAX;
    check((saying.kind == BOT_SAYS_MESSAGE) == has_text);
    check(!saying.stream.is_part || saying.kind == BOT_SAYS_MESSAGE);
}

static void answered(struct bytes input, struct arena *arena) {
    struct bytes replies[BOT_REPLIES_MAX];
    size_t count = bot_replies_split(arena, input, BYTES_LITERAL("id"), replies);
    for (size_t i = 0; i < count && i < BOT_REPLIES_MAX; i++)
        said(replies[i], arena);
}

static void recorded(struct bytes input, struct arena *arena) {
    struct bot bot, again;
    if (bot_decode(input, arena, &bot) != STATUS_OK)
        return;
    struct bytes stored = bot_encode(&bot, arena);
    check(bot_decode(stored, arena, &again) == STATUS_OK);
    check(bytes_equal(bot_encode(&again, arena), stored));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes input = bytes_of(data, size);
    struct arena arena;
    arena_init(&arena);
    said(input, &arena);
    answered(input, &arena);
    recorded(input, &arena);
    arena_close(&arena);
    return 0;
}
