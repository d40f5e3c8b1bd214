#pragma once
/* Which users have a live session on this node, on whatever worker: one whose client is connected now, not one that is
 * kept for its return. Any OS thread may call. */
#include "proto/ids.h"

struct presence;

struct presence *presence_new(void);
void presence_free(struct presence *presence);

/* Counted: as often as came, she has to go. */
void presence_come(struct presence *presence, const struct id_hash *user);
void presence_go(struct presence *presence, const struct id_hash *user);
bool presence_has(struct presence *presence, const struct id_hash *user);
