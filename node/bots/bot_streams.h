#pragma once
/* How often messages that bots are still writing are edited: an edit that comes too soon waits, and is left out when a
 * newer one is done meanwhile; the last one is never late. Who edits what is not looked at here, so nobody's edits
 * count for anybody else's. In bounded memory, where a bot may be forgotten: then it is edited a little more often.
 * Times are given. Any OS thread. */
#include "proto/ids.h"

#define BOT_EDIT_INTERVAL_MS 500

struct bot_streams;

struct bot_streams *bot_streams_new(void);
void bot_streams_free(struct bot_streams *self);

struct bot_edit {
    struct id_hash caller;
    struct id_hash thread;
    uint64_t message_id;
    uint64_t sequence; /* of pieces; 0: it has none */
    bool is_last;
    uint64_t number; /* given by bot_streams_ask; 0: it is not remembered */
};

enum bot_edit_turn { BOT_EDIT_NOW, BOT_EDIT_LATER, BOT_EDIT_NEVER };

/* LATER: asked again by bot_streams_ask_again in `*wait_ms`. NOW: bot_streams_settle says what came of it. */
enum bot_edit_turn bot_streams_ask(struct bot_streams *self, struct bot_edit *edit, uint64_t now_ms, uint64_t *wait_ms);
enum bot_edit_turn bot_streams_ask_again(struct bot_streams *self, const struct bot_edit *edit, uint64_t now_ms,
                                         uint64_t *wait_ms);
/* One that was not done may come once more, and those that it would have made needless are needed. */
void bot_streams_settle(struct bot_streams *self, const struct bot_edit *edit, bool is_done);
