#pragma once
/* Bots as consumers of what happens: a step is an activity, brought by one signed request; what the bot answers in its
 * answer is said in the thread before the next one comes. */
#include "node/bots/bot_roster.h"
#include "node/events/consumers.h"

struct gateway;

struct bot_kind_options {
    struct sealed_items items; /* what is borrowed lives as long as the kind */
    struct webhook_options webhooks;
    struct bytes service_url; /* where bots reach this node, or the cluster */
    struct bot_roster *roster;
    struct gateway *gateway;
    void (*wake)(void *context); /* delivery's thread; from any thread */
    void *context;
};

struct consumer_kind *bot_kind_new(const struct bot_kind_options *options);
