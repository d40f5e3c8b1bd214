#pragma once
/* A bridge: a trusted service that may act for users of Teams, as an operator has named it. Its record, its bounds, and
 * for whom it may act. Pure. */
#include "proto/json_tree.h"

#define BRIDGE_NAME_BYTES_MAX 50
#define BRIDGE_IDENTITIES_MAX 25 /* as many as a filter of server events takes */

struct bridge {
    struct bytes name;
    struct bytes *identities; /* raw ids of Teams users; one that ends in "*" means all that begin so */
    size_t identities_count;
    int64_t created_ms;
};

/* 3 to 50 letters, digits and dashes. */
bool bridge_name_is_valid(struct bytes name);

/* What an operator says: {"identities": [...]}. STATUS_BAD_REQUEST, STATUS_VALIDATION_ERROR. In the arena. */
int bridge_parse(struct bytes body, struct arena *arena, struct bridge *bridge, struct problem *problem);

/* As it is shown and stored; the caller owns it. */
json_t *bridge_to_json(const struct bridge *bridge);
/* STATUS_MALFORMED. In the arena. */
int bridge_decode(struct bytes stored, struct arena *arena, struct bridge *bridge);

bool bridge_may_act_for(const struct bridge *bridge, struct bytes user_id);
