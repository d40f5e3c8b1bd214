#pragma once
/* How often messages that bots are still writing are edited: an edit that comes too soon waits, and is left out when a
 * newer one comes meanwhile; the last one is never late. In bounded memory, where a bot may be forgotten: then it is
 * edited a little more often. Times are given. Any OS thread. */
#include "proto/ids.h"

#define BOT_EDIT_INTERVAL_MS 500

struct bot_streams;

struct bot_streams *bot_streams_new(void);
void bot_streams_free(struct bot_streams *self);

struct bot_edit {
    struct id_hash thread;
    uint64_t message_id;
    uint64_t sequence; /* of pieces; 0: it has none */
    bool is_last;
    uint64_t number; /* given by bot_streams_ask */
};

enum bot_edit_turn { BOT_EDIT_NOW, BOT_EDIT_LATER, BOT_EDIT_NEVER };

/* LATER: asked again by bot_streams_ask_again in `*wait_ms`. */
enum bot_edit_turn bot_streams_ask(struct bot_streams *self, struct bot_edit *edit, uint64_t now_ms, uint64_t *wait_ms);
/* NOW, or NEVER. */
enum bot_edit_turn bot_streams_ask_again(struct bot_streams *self, const struct bot_edit *edit, uint64_t now_ms);
/* The edit was not done: it may come once more. */
void bot_streams_failed(struct bot_streams *self, const struct bot_edit *edit);
