#pragma once
/* The parts of a server, for the files that make it up and nobody else: server.c puts it together, core_loop.c steps
 * the core, gateway_setup.c opens the gateway, shutdown.c ends it. */
#include <pthread.h>
#include <stdatomic.h>

#include "node/balancing.h"
#include "node/core/node_core.h"
#include "node/data_folder.h"
#include "node/disk.h"
#include "node/gateway/gateway.h"
#include "node/last_minute.h"
#include "node/latencies.h"
#include "node/mailbox.h"
#include "node/range_sizes.h"
#include "node/route_map.h"
#include "node/server.h"
#include "node/sweeping.h"

/*     SIGTERM, SIGINT, or emptied        moved, handed over, or patience over,      the core has nothing left
 *  RUNNING ──────────────────▶ DRAINING ─────────────────────────────▶ STOPPING ──────────────────────────▶ loop ends
 *      └─────────────── workers cannot be started ─────────────────────────▲
 */
enum server_phase {
    SERVER_RUNNING,  /* serving */
    SERVER_DRAINING, /* real-time clients are told to move away, ranges are handed over */
    SERVER_STOPPING  /* no new requests; what the core has is finished, then workers and loop end */
};

/* Who leads a range, for workers to look up. */
struct lead {
    _Atomic uint64_t primary;
    _Atomic int64_t lease_until_ms;
    _Atomic size_t in_sync;
    _Atomic uint64_t epoch;
    _Atomic int64_t since_ms; /* monotonic: when this node learnt of the epoch */
};

struct consumer_kind;

struct server {
    struct config config;
    struct data_folder folder;
    struct node_core *core;
    pthread_mutex_t core_mutex;      /* whoever has news steps the core, one at a time; guards `actions` as well */
    atomic_size_t posted;            /* proposals and notices on their way to the loop */
    struct latencies commits;        /* since the last record of this node's load; guarded by core_mutex */
    struct last_minute slow_readers; /* told to resume; the thread of balancing's */
    struct disk *disk;
    struct cluster *cluster;     /* NULL: alone */
    struct join_host *join_host; /* NULL: alone */
    struct cluster_view *view;
    struct range_sizes *sizes;
    struct balancing *balancing;
    struct feed *feed;      /* threads with events for those outside */
    atomic_bool is_watched; /* there is somebody outside */
    struct delivery *_Atomic delivery;
    struct sweeping *sweeping;
    uint64_t node_id;
    struct gateway_ask *asks; /* on their way to other nodes; the loop's */
    size_t min_in_sync;
    struct lead *leads; /* by range; NULL: alone */
    struct route_map *routes;
    bool is_cluster_closing, is_cluster_closed;
    struct gateway gateway;
    struct worker *workers;
    size_t workers_started;
    bool are_workers_joined;
    uv_loop_t loop; /* the core's */
    struct mailbox mailbox;
    uv_timer_t tick;
    uv_timer_t shutdown_timer;
    uv_signal_t signals[2];
    struct parcel batch_parcel; /* one batch is on disk at a time */
    struct batch *batch_done;
    int storing_rc;                 /* how the last batch ended; alone */
    enum node_core_disk disk_state; /* as was logged last; in a cluster */
    atomic_int disk_refuses_rc;     /* 0, or why it takes nothing; in a cluster */
    struct action_list actions;
    enum server_phase phase;
    int64_t phase_began_ms; /* monotonic */
    size_t websockets_left; /* DRAINING: at the last look */
    int64_t left_ms;        /* DRAINING: monotonic, when one of them was seen to have gone */
    SSL_CTX *tls;
};

/* core_loop.c. Events in, actions out: on the loop's thread, on a worker's when it proposes, on the disk's when a small
 * batch is done. */
int core_loop_open(struct server *server);
void core_loop_end(struct server *server);                       /* once or more; the loop runs out afterwards */
void core_loop_step(struct server *server, struct event *event); /* fills in the times */
bool core_loop_is_idle(struct server *server);
bool core_loop_may_leave(struct server *server);          /* the others go on without a pause when this node stops */
int core_loop_propose(void *server, struct entry *entry); /* gateway->propose */
/* What this node wants by itself: nobody is told what comes of it, so who asks looks again later. The command is
 * borrowed. STATUS_OVERLOADED while others wait; STATUS_SHUTTING_DOWN. From any thread. */
int core_loop_propose_own(void *server, const struct command *command);
int core_loop_notice(void *server, const struct change *change); /* gateway->notice */
void core_loop_on_written(void *server, struct batch *batch);    /* the disk's on_done */

int64_t core_loop_monotonic_ms(void);

/* routing.c. Only in a cluster. */
int routing_open(struct server *server);
void routing_close(struct server *server);                                     /* what was asked and never answered */
void routing_update(struct server *server);                                    /* after each step */
enum gateway_place routing_place(void *server, const struct id_hash *subject); /* gateway->place */
uint32_t routing_range_of(void *server, const struct id_hash *subject);        /* gateway->range_of */
bool routing_reign(void *server, const struct id_hash *subject, struct gateway_reign *reign); /* gateway->reign */
size_t routing_others(void *server, uint64_t *nodes);                                         /* gateway->others */
bool routing_elsewhere(void *server, uint32_t chance, char *url);                             /* gateway->elsewhere */
int routing_readiness(void *server);                                                          /* gateway->readiness */
unsigned routing_copies(void *server, const struct id_hash *subject);                         /* gateway->copies */
int routing_ask(void *server, struct gateway_ask *ask);                                       /* gateway->ask */
void routing_reply(struct server *server, const struct action *action);
void routing_serve(struct server *server, const struct action *action);
void routing_listen(void *server, const struct id_hash *subject, uint64_t next_offset); /* gateway->listen */
void routing_unlisten(void *server, const struct id_hash *subject);                     /* gateway->unlisten */
size_t routing_listeners(void *server, const struct id_hash *user, uint64_t *nodes,
                         size_t nodes_max); /* gateway->listeners */
void routing_look_again(struct server *server, const struct id_hash *user);
void routing_listening(struct server *server, const struct id_hash *thread);

/* own_load.c. What this node stores and serves is measured and announced; errors have been logged. */
int own_load_open(struct server *server);
void own_load_close(struct server *server);

/* own_events.c */
void own_events_take(struct server *server, const struct action *action);   /* performs an ACTION_EVENTS */
void own_events_notice(struct server *server, const struct change *change); /* typing, in a thread led here */
void own_events_tick(struct server *server);

/* own_sweep.c. What is due in the ranges led here is looked for and proposed; errors have been logged. */
int own_sweep_open(struct server *server);
void own_sweep_wake(void *server); /* delivery's on_consumers */
void own_sweep_close(struct server *server);

/* wishes.c */
int wishes_ask(void *server, struct gateway_wish *wish); /* gateway->admin.wish */
void wishes_on_emptied(void *server);                    /* balancing's on_emptied */

/* events_setup.c. Subscriptions to events, as long as the coordinator is open; errors have been logged. */
int events_open(struct server *server);
void events_close(struct server *server); /* after the workers' threads, before their memory goes */
void events_free(struct server *server);  /* after the coordinator */

/* bridges_setup.c. Who may act for users of Teams, as long as the coordinator is open; errors have been logged. */
int bridges_open(struct server *server);
void bridges_free(struct server *server); /* after the coordinator */

/* bots_setup.c. */
void bots_setup_open(struct server *server);                  /* before the workers start */
struct consumer_kind *bots_setup_kind(struct server *server); /* for delivery */
void bots_setup_close(struct server *server);                 /* after workers and delivery have stopped */

/* push_setup.c. What devices of absent users are told, if they are; errors have been logged. */
int push_setup_open(struct server *server);                   /* before the workers start */
struct consumer_kind *push_setup_kind(struct server *server); /* for delivery */
void push_setup_close(struct server *server);                 /* after workers and delivery have stopped */

/* gateway_setup.c. TLS, what handlers share, the workers; errors have been logged. */
int gateway_setup(struct server *server);
int gateway_start(struct server *server);
void gateway_join(struct server *server); /* waits for the workers' threads, once or more */
void gateway_close(struct server *server);

/* shutdown.c */
int shutdown_open(struct server *server);   /* from now on signals are obeyed */
void shutdown_begin(struct server *server); /* as a signal does */
void shutdown_now(struct server *server);   /* without draining */
