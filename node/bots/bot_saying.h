#pragma once
/* What a bot says: an activity as it comes to the connector's interface, read as what it means in a chat. Pure. */
#include "proto/chat_json.h"
#include "proto/json_tree.h"

#define BOT_REPLIES_MAX 16 /* activities in one answer */

enum bot_saying_kind {
    BOT_SAYS_MESSAGE,
    BOT_SAYS_TYPING,  /* the indicator */
    BOT_SAYS_NOTHING, /* what only concerns the framework: trace, event and the like */
};

/* A message that comes in pieces: each has all of the text so far. The first one makes the message, whose id the others
 * name. */
struct bot_stream {
    bool is_part;
    bool is_last;
    struct bytes id;   /* absent: the first one */
    uint64_t sequence; /* 0: not given */
};

struct bot_saying {
    enum bot_saying_kind kind;
    struct bytes id; /* the bot's own, by which it is known when it comes again; absent: none */
    struct send_message_request message;
    struct bot_stream stream;
};

/* Refuses with STATUS_BAD_REQUEST, STATUS_VALIDATION_ERROR and STATUS_REQUEST_ENTITY_TOO_LARGE. */
int bot_saying_parse(struct arena *arena, struct bytes body, size_t message_bytes_max, struct bot_saying *saying,
                     struct problem *problem);

/* The body of an answer to an activity, `{"activities": [...]}`: each as a body for bot_saying_parse, with an id made
 * of `id` and its number if it has none. Gives how many there are, of which the first BOT_REPLIES_MAX are split off.
 * What is anything else is no answer, and there are none. */
size_t bot_replies_split(struct arena *arena, struct bytes body, struct bytes id,
                         struct bytes replies[static BOT_REPLIES_MAX]);
