#pragma once
/* Sends what happened to devices, on a thread of its own. What push services do not take now is sent again, for as long
 * as it is of interest; devices that they do not know any more are given up. In memory only: what a node that dies has
 * not sent is lost. */
#include <stdatomic.h>

#include "node/coordinator/coordinator.h"
#include "node/push/push_queue.h"
#include "proto/command.h"
#include "storage/seal.h"

struct push;

struct push_options {
    struct coordinator *coordinator; /* borrowed, as everything here */
    const struct seal_key *master;
    const char *contact; /* of VAPID; may be "" */
    const char *ca_file;
    bool may_be_private;
    int64_t ttl_ms;
    struct push_account account; /* for mobile devices; what it refers to is borrowed */
    /* A device is gone. Borrowed until return; nobody waits. */
    int (*propose)(void *context, const struct command *command);
    /* False: the user has taken it back, or it went with her tokens while this waited. On the thread of pushes. */
    bool (*has_device)(void *context, const struct id_hash *user, struct bytes device_id);
    void *context;
};

/* NULL: there is no room for the thread. */
struct push *push_start(const struct push_options *options);
void push_stop(struct push *push);
void push_free(struct push *push);

/* The key that browsers subscribe with. STATUS_SERVICE_UNAVAILABLE: the coordinator has not told it yet. Any thread. */
int push_public_key(struct push *push, uint8_t point[PUSH_PUBLIC_KEY_BYTES]);

/* Whether devices of this kind can be reached. */
bool push_reaches(const struct push *push, enum push_transport transport);
/* All of them or none; copied. Any thread. When too much waits, the oldest makes room. STATUS_SHUTTING_DOWN. */
int push_add(struct push *push, const struct push_job *jobs, size_t count);

struct push_statistics {
    uint64_t sent, refused, gone, given_up, repeated;
    uint64_t replaced, displaced; /* push_queue.h */
    uint64_t withdrawn;           /* with the device */
    size_t waiting;
};
struct push_statistics push_statistics(struct push *push);
