#pragma once
/* Event subscriptions as consumers: a step is an event, wanted or not, and is brought by a request, alone or with
 * others of its thread; again by the schedule, and a dead letter when it is given up. */
#include "node/events/consumers.h"
#include "node/events/dead_letters.h"
#include "node/events/subscription_store.h"

struct subscription_kind_options {
    struct subscription_store store; /* what is borrowed lives as long as the kind */
    struct webhook_options webhooks;
    struct bytes topic;
    struct dead_letters dead_letters;
    int64_t keep_ms; /* no event is kept longer, whatever a subscription says */
};

struct consumer_kind *subscription_kind_new(const struct subscription_kind_options *options);
