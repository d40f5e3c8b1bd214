#pragma once
/* Brings events to those who want them, on a thread of its own: at least once, those of one thread to one receiver in
 * order, again by the schedule when they are not taken, and as dead letters when they are given up. How far each has
 * come goes into the log of the thread's range, when all are done or now and then; whoever leads it later goes on from
 * there. */
#include "node/events/dead_letters.h"
#include "node/events/feed.h"
#include "node/events/subscription_store.h"
#include "proto/command.h"

struct delivery;

struct delivery_options {
    struct feed *feed; /* borrowed, as everything here */
    struct store *store;
    const struct seal_key *master;
    const uint8_t *hash_key;
    struct subscription_store subscriptions;
    struct webhook_options webhooks; /* is_stopping is its own */
    struct bytes topic;
    struct dead_letters dead_letters;
    atomic_bool *is_watched; /* set: somebody wants events */
    bool (*is_led_here)(void *context, const struct id_hash *thread);
    int (*propose)(void *context, const struct command *command); /* borrowed until return; nobody waits */
    void *context;
};

/* NULL: there is no room for the thread. */
struct delivery *delivery_start(const struct delivery_options *options);
/* The feed has news. From any thread. */
void delivery_wake(struct delivery *delivery);
/* Requests under way are broken off. The coordinator may still tell it something until it is closed. */
void delivery_stop(struct delivery *delivery);
void delivery_free(struct delivery *delivery);
