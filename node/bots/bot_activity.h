#pragma once
/* What a bot is told of a change: an activity of the Bot Framework, as its connector sends it. Pure. A bot is told of
 * threads where it takes part, neither of what it did itself nor of what other bots write: two that answer each other
 * would never end. */
#include "node/bots/bot.h"
#include "node/events/event_json.h"

#define BOT_CHANNEL "weft"

struct bot_telling {
    const struct bot *bot;
    const struct bot *all; /* of the cluster */
    size_t all_count;
    const struct event_source *source;
    size_t number;            /* of those who are typing; otherwise 0 */
    struct bytes service_url; /* where bots reach the cluster */
};

bool bot_is_told(const struct bot_telling *telling);
/* How many activities a change is at most: numbers are below it. */
size_t bot_activities_count(const struct bot_telling *telling);

/* The same whenever the change is told again; in it is no dot. */
void bot_telling_id(const struct bot_telling *telling, struct arena *arena, char id[37]);

/* Only of what it is told. The caller owns the result. */
json_t *bot_activity_make(const struct bot_telling *telling, struct arena *arena);
