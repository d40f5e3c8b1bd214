#pragma once
/* What operators ask for about subscriptions, done: may wait for the coordinator and for receivers. */
#include "node/events/dead_letters.h"
#include "node/events/subscription_store.h"

#define SUBSCRIPTIONS_MAX 100 /* each has a cursor in every thread with events, and metrics of its own */

enum subscription_task_kind {
    SUBSCRIPTION_LIST,
    SUBSCRIPTION_SHOW,
    SUBSCRIPTION_PUT, /* made or changed; its receiver has to show that it wants events */
    SUBSCRIPTION_REMOVE,
    SUBSCRIPTION_VALIDATE,    /* its receiver is asked again */
    SUBSCRIPTION_CONFIRM,     /* its receiver, or somebody for it, has called back */
    SUBSCRIPTION_TEST,        /* its receiver is sent a sample */
    SUBSCRIPTION_REPLAY,      /* it gets again what has happened since a time, as far as that is kept */
    SUBSCRIPTION_DEAD_LETTERS /* what this node has given up */
};

struct subscription_task {
    enum subscription_task_kind kind;
    struct arena *arena;  /* of what it is given and gives */
    struct bytes name;    /* all but LIST */
    struct bytes body;    /* PUT */
    struct bytes origin;  /* PUT, VALIDATE: where clients reach the cluster */
    struct bytes code;    /* CONFIRM */
    enum event_type type; /* TEST */
    int64_t from_ms;      /* REPLAY */
    size_t count_max;     /* DEAD_LETTERS */
    /* What came of it. */
    int status;             /* of HTTP, if it was not refused */
    struct bytes answer;    /* JSON; absent: none */
    struct problem problem; /* rc not 0: refused */
};

struct subscription_tasks {
    struct subscription_store store;
    struct webhook_options webhooks;
    struct bytes topic;
    struct bytes resource_id;
    const uint8_t *hash_key;
    struct dead_letters dead_letters;
    int64_t keep_ms; /* how long events are kept */
};

void subscription_task_do(const struct subscription_tasks *self, struct subscription_task *task);
