#pragma once
/* A bot as operators describe it: a user of this cluster who has an address that is told what happens in the threads
 * where she takes part. One record for each, kept at the coordinator as `bots/<name>`, sealed, as it has a secret.
 * JSON; the stored form has the secret, what is shown has not. */
#include "node/coordinator/sealed_items.h"
#include "node/events/event_signature.h"
#include "node/events/webhook.h"
#include "proto/json_tree.h"

#define BOT_NAME_BYTES_MAX 48

struct bot {
    struct bytes name;
    struct bytes endpoint;
    struct bytes user_id;
    struct bytes display_name;
    bool wants_typing;    /* it is told who is typing, too */
    bool expects_replies; /* activities ask for the answers in the answer (deliveryMode) */
    struct event_secret secret;
    bool has_secret;
    int64_t created_ms; /* not the operator's to say, as the following */
    int64_t changed_ms; /* whom an operator named before her tokens were revoked says nothing any more */
};

/* 3 to 48 letters, digits and dashes. */
bool bot_name_is_valid(struct bytes name);

/* The body of a PUT; what it does not say is absent, and deliveryMode then normal. Refuses with STATUS_VALIDATION_ERROR
 * and the field. Members that only are shown are skipped; one that nobody knows is refused, as it would be missed. */
int bot_parse(struct bytes body, bool may_be_private, struct arena *arena, struct bot *bot, struct problem *problem);

/* The stored form. STATUS_MALFORMED. Everything is in the arena. */
struct bytes bot_encode(const struct bot *bot, struct arena *arena);
int bot_decode(struct bytes stored, struct arena *arena, struct bot *bot);

/* What operators are shown; the caller owns it. The secret is shown once, when it was made. */
enum bot_showing { BOT_WITHOUT_SECRET, BOT_WITH_SECRET };
json_t *bot_to_json(const struct bot *bot, enum bot_showing showing);

/* At the coordinator; codes as of sealed_items.h. */
struct sealed_items bot_items(struct coordinator *coordinator, const struct seal_key *master);
int bot_get(const struct sealed_items *items, struct bytes name, struct arena *arena, struct bot *bot,
            uint64_t *version);
int bots_list(const struct sealed_items *items, struct arena *arena, struct bot **bots, size_t *count);
