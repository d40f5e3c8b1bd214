#pragma once
/* The bots that there are, as this node knew them last, for those who may not wait for the coordinator. Any OS thread.
 */
#include "node/bots/bot.h"

struct bot_roster;

struct bot_roster *bot_roster_new(void);
void bot_roster_free(struct bot_roster *self);

/* Copied. */
void bot_roster_set(struct bot_roster *self, const struct bot *bots, size_t count);
/* Whose name and secret these are. False: nobody's. The user's id is in the arena. */
bool bot_roster_admit(struct bot_roster *self, struct bytes name, struct bytes secret, struct arena *arena,
                      struct bytes *user_id);
