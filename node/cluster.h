#pragma once
/* What makes this node one of a cluster: it tells the coordinator who it is, follows the records of ranges and nodes
 * there, and has links to the other nodes. News go to the core as events; what the core wants comes in as actions. All
 * of it on the core's loop, but for the threads of the coordinator and of errands, which only post. */
#include "node/cluster_view.h"
#include "node/config.h"
#include "node/core/action.h"
#include "node/core/event.h"
#include "node/data_folder.h"
#include "node/mailbox.h"

struct cluster;

struct cluster_options {
    const struct config *config; /* borrowed, as everything here */
    struct data_folder *folder;
    struct cluster_view *view; /* is told everything that the coordinator tells */
    uv_loop_t *loop;
    struct mailbox *mailbox;
    uint16_t port; /* really bound, for clients */
    /* On the loop. The event is borrowed until return; its times are not filled in. */
    void (*on_event)(void *context, struct event *event);
    void *context;
};

/* Who this node is; known before the cluster is open. `reason` says what is wrong. */
int cluster_node_id(const struct config *config, uint64_t *id, const char **reason);

/* The core has been started. Records of ranges that nobody holds yet are made, with this node as their primary.
 * STATUS_CONFLICT, STATUS_SERVICE_UNAVAILABLE; errors have been logged. */
int cluster_open(const struct cluster_options *options, struct cluster **cluster);

/* ACTION_SEND, ACTION_SWAP, ACTION_READ_OUTBOX, ACTION_READ_CHUNK, ACTION_REPEAT. */
void cluster_perform(struct cluster *cluster, const struct action *action);

/* Rows of ranges sent to nodes that learn them, so far; from any thread. */
uint64_t cluster_snapshot_bytes_sent(const struct cluster *cluster);

/* Of all links together; numbers only rise, but for `peers_up`. */
struct cluster_statistics {
    uint64_t peers_up;
    uint64_t messages_sent, messages_received;
    uint64_t messages_missed; /* sent to us and lost on the way, or not here yet */
    uint64_t bytes_sent, bytes_received;
    uint64_t snapshot_bytes_sent;
    uint64_t packets_dropped; /* by us: a queue was full, or the peer was down */
};
void cluster_statistics(const struct cluster *cluster, struct cluster_statistics *sum);

/* No news come any more; the loop must turn until `on_closed`. */
void cluster_close(struct cluster *cluster, void (*on_closed)(void *context), void *context);
/* After that. */
void cluster_free(struct cluster *cluster);

/* Where the other nodes reach this one, really bound. */
uint16_t cluster_peer_port(const struct cluster *cluster);
