#pragma once
/* One watch of etcd.c on a thread of its own: a stream of events that is opened anew, at the next member, whenever it
 * breaks, and compared with a list when etcd has forgotten what came meanwhile. */
#include "node/coordinator/etcd_client.h"

struct etcd_watch;

struct etcd_watch_options {
    struct etcd_client *client;
    struct bytes root;   /* the cluster's prefix; names are told without it */
    struct bytes prefix; /* of names */
    uint64_t revision;   /* 0: tell everything there is first */
    coordinator_on_change *on_change;
    void *context;
};

/* Copies the prefixes. STATUS_CONFLICT: the revision is forgotten; otherwise as etcd_client_call. */
int etcd_watch_start(const struct etcd_watch_options *options, struct etcd_watch **watch);
/* The first tells the thread to end, the second waits for it and frees the watch. */
void etcd_watch_interrupt(struct etcd_watch *watch);
void etcd_watch_join(struct etcd_watch *watch);
