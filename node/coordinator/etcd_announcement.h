#pragma once
/* One announcement of etcd.c on a thread of its own: a key under a lease, kept alive at a third of its time, granted
 * and put again when etcd has let it go. Who stands for election only makes the key, and looks again at a third of the
 * time as long as somebody else has it. */
#include "node/coordinator/etcd_client.h"

struct etcd_announcement;

/* Copies key and value. NULL: there is no room for a thread. */
struct etcd_announcement *etcd_announcement_start(struct etcd_client *client, struct bytes key, struct bytes value,
                                                  unsigned ttl_s, bool is_election);
/* The first tells the thread to end; the second waits for it, revokes the lease if etcd can be reached, and frees. */
void etcd_announcement_interrupt(struct etcd_announcement *announcement);
void etcd_announcement_join(struct etcd_announcement *announcement);
