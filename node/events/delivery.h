#pragma once
/* Brings what happens in threads to those who want it, on a thread of its own: at least once, that of one thread to one
 * consumer in order. How far each has come goes into the log of the thread's range; whoever leads it later goes on from
 * there. Who they are and how it reaches them is said by kinds of consumers (consumers.h). */
#include <stdatomic.h>

#include "node/coordinator/coordinator.h"
#include "node/events/delivery_facts.h"
#include "node/events/feed.h"
#include "proto/change.h"
#include "proto/command.h"
#include "storage/seal.h"

#define DELIVERY_KINDS_MAX 4

struct delivery;
struct store;

struct delivery_options {
    struct feed *feed; /* borrowed, as everything here but the kinds */
    struct store *store;
    const struct seal_key *master;
    const uint8_t *hash_key;
    struct coordinator *coordinator;
    struct consumer_kind *kinds[DELIVERY_KINDS_MAX]; /* taken */
    size_t kinds_count;
    atomic_bool *is_watched; /* set: there are consumers, or it is not known */
    bool (*is_led_here)(void *context, const struct id_hash *thread);
    int (*propose)(void *context, const struct command *command); /* borrowed until return; nobody waits */
    void (*on_consumers)(void *context); /* they were loaded: some may have begun. On delivery's thread */
    void *context;
};

/* NULL: there is no room for the thread. */
struct delivery *delivery_start(const struct delivery_options *options);
/* Consumers are looked for again when the coordinator says that they have changed, until it is closed. Its codes. */
int delivery_watch(struct delivery *delivery);
/* The feed has news, or a kind. From any thread. */
void delivery_wake(struct delivery *delivery);
/* Somebody has begun to want what happens, and its subscription, or what it has, is stored: what happens from now on is
 * kept here, before the coordinator says who that is. From any thread. */
void delivery_expect(struct delivery *delivery);
/* Something has happened that is not kept (unkept.h). Copied; from any thread. */
void delivery_notice(struct delivery *delivery, const struct change *change);
/* As delivery_facts_get. From any thread. */
bool delivery_consumers(struct delivery *delivery, struct arena *arena, struct delivery_fact **facts, size_t *count);
/* What is under way is broken off. The coordinator may still tell it something. */
void delivery_stop(struct delivery *delivery);
void delivery_free(struct delivery *delivery);
