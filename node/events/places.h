#pragma once
/* How far consumers have come with threads, beyond what the store says: one place for each thread and consumer of which
 * something is under way or waits, in bounded memory. Delivery's thread only. */
#include "node/events/consumers.h"

#define PLACES_MAX 1024 /* the others stay in the feed */

struct place {
    struct place *next;
    struct id_hash thread;
    struct id_hash consumer;
    uint64_t serial;    /* the consumer's, when it was made */
    uint64_t done;      /* everything up to this offset */
    size_t number;      /* and so many steps of the next change */
    uint64_t done_then; /* where it is when the attempt that is under way is over */
    size_t number_then;
    size_t steps; /* of the last attempt; as many are in it when it is made again */
    unsigned attempts_made;
    int64_t due_ms;          /* of the next attempt */
    uint64_t told;           /* what the log was last told */
    struct attempt *attempt; /* NULL: nothing is under way */
};

struct places {
    struct place *first;
    size_t count;
};

/* NULL: there is none. */
struct place *places_find(const struct places *self, const struct id_hash *thread, const struct id_hash *consumer);
/* A new one, at `done`. NULL: there is no room now. */
struct place *places_add(struct places *self, const struct id_hash *thread, const struct consumer *consumer,
                         uint64_t done);
/* How many of the consumer's wait to be tried again. */
size_t places_failed(const struct places *self, const struct id_hash *consumer);
/* What is under way is broken off. */
void places_remove(struct places *self, struct place *place);
/* Consumers were loaded: attempts follow them, and places of those that are none any more, or begin anew, go. */
void places_follow(struct places *self, const struct consumers *consumers);
/* Forgets those of threads that are led elsewhere, of which nothing is under way. */
void places_keep_led(struct places *self, bool (*is_led_here)(void *context, const struct id_hash *thread),
                     void *context);
void places_close(struct places *self);
