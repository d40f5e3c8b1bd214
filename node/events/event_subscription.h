#pragma once
/* What an operator wants delivered where: one record for each, kept at the coordinator as `subscriptions/<name>`. JSON
 * with the members of the vendor's event subscriptions; the stored form has the secrets, what is shown has not. */
#include "node/events/delivery_terms.h"
#include "node/events/event_filter.h"
#include "node/events/event_signature.h"
#include "node/events/webhook.h"

#define SUBSCRIPTION_NAME_BYTES_MAX 48
#define SUBSCRIPTION_HEADERS_MAX 10
#define SUBSCRIPTION_HEADER_BYTES_MAX 4096
#define SUBSCRIPTION_VALIDATION_MS (10 * 60 * 1000) /* contract 12 */

struct event_subscription_header {
    struct bytes name;
    struct bytes value;
    bool is_secret; /* its value is not shown */
};

struct event_subscription {
    struct bytes name;
    struct bytes endpoint;
    enum event_schema schema;
    struct event_choice choice;
    struct event_subscription_header *headers; /* of every delivery */
    size_t headers_count;
    struct event_secret secrets[EVENT_SECRETS_MAX];
    size_t secrets_count;
    struct delivery_terms terms;
    /* Not the operator's to say. */
    bool is_validated; /* the receiver has shown that it wants events */
    struct bytes validation_code;
    int64_t validation_until_ms; /* so long it may still do so by calling back */
    int64_t created_ms;
    uint64_t serial; /* of its beginning, or of the last replay: another one than ever before */
    int64_t from_ms; /* it gets what has happened since */
};

/* 3 to 48 letters, digits and dashes. */
bool event_subscription_name_is_valid(struct bytes name);

/* The body of a PUT: what the operator says; secrets only if they are given. Refuses with STATUS_VALIDATION_ERROR and
 * the field. Members that only are shown are skipped, so that what was shown can be sent back; a member that nobody
 * knows is refused, as it would be missed. */
int event_subscription_parse(struct bytes body, bool may_be_private, struct arena *arena,
                             struct event_subscription *subscription, struct problem *problem);

/* The stored form. STATUS_MALFORMED. Everything is in the arena. */
struct bytes event_subscription_encode(const struct event_subscription *subscription, struct arena *arena);
int event_subscription_decode(struct bytes stored, struct arena *arena, struct event_subscription *subscription);

/* What operators are shown; the caller owns it. With `secrets` those too: they are shown once, when they were made. */
enum event_subscription_showing { SHOW_NO_SECRETS, SHOW_SECRETS };
json_t *event_subscription_to_json(const struct event_subscription *subscription,
                                   enum event_subscription_showing showing);
