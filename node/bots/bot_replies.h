#pragma once
/* What a bot answers to an activity (expectReplies), said in the thread: each of its activities as a call to the
 * connector's interface that comes from nowhere, on a worker of the node that leads the thread, one after the other. */
#include "node/bots/bot_saying.h"
#include "node/gateway/gateway.h"

/* Heap memory, whoever asks', this first in a struct of its own. */
struct bot_replies {
    struct parcel parcel;
    struct gateway *gateway;
    int64_t issued_s;     /* since when an operator vouches for the bot's user */
    struct bytes user_id; /* the bot's; borrowed until on_done, as the following */
    struct bytes thread_id;
    struct bytes bodies[BOT_REPLIES_MAX];
    size_t count;
    /* Failed: not all were said; they may be said when they come again. On a worker's thread, or on the caller's. */
    void (*on_done)(struct bot_replies *self, bool has_failed);
    struct gateway_worker *worker; /* where they are said */
    size_t next;
};

void bot_replies_say(struct bot_replies *self, unsigned worker);
