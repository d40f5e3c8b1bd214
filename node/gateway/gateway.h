#pragma once
/* What every handler and session of the gateway shares: settings, the store to read from, and the way to the core.
 * Built by the server, which fills the callbacks; nothing in the gateway knows the server. */
#include <stdatomic.h>

#include "node/cluster_moves.h"
#include "node/config.h"
#include "node/core/entry.h"
#include "node/core/thread_view.h"
#include "node/gateway/worker.h"
#include "node/operator_wish.h"
#include "node/settings.h"
#include "node/trace_rings.h"
#include "proto/problem.h"

struct gateway_ask;
struct gateway_worker;
struct session_table;
struct token_cache;
struct rate_limiter;
struct endpoint_registry;
struct cluster_view;
struct desk;
struct presence;
struct push;
struct question;
struct subscription_tasks;
struct gateway_bots;
struct bridge_table;

/* An operator's wish on its way: heap memory. The server fills in what came of it and posts the parcel; then on_answer
 * is called on the worker's thread and owns the memory again. So does the server when the worker has stopped meanwhile.
 */
struct gateway_wish {
    struct parcel parcel;
    struct operator_wish wish;
    int rc;
    unsigned worker;
    struct http_call *call;
    /* NULL, or in place of a wish something that takes too long for a worker: called on another thread, which may use
     * what never changes, the view, and the memory here. */
    void (*compute)(struct gateway_wish *asked);
    const struct gateway *gateway;
    struct arena arena;
    struct bytes reply; /* in the arena */
    void (*on_answer)(struct gateway_worker *worker, struct gateway_wish *wish);
};
void gateway_wish_free(struct gateway_wish *asked);

/* What the admin interface needs. */
struct gateway_admin {
    struct cluster_view *view;
    struct cluster_moves_options moves;
    /* STATUS_SHUTTING_DOWN: not taken, still yours. NULL: a node alone, of which nothing can be wished. */
    int (*wish)(void *core, struct gateway_wish *wish);
    /* The same for what is computed; a node alone can do that, too. */
    int (*compute)(void *core, struct gateway_wish *asked);
};

/* Who leads the range of a user or thread, as far as this node knows. */
enum gateway_place {
    GATEWAY_HERE,
    GATEWAY_ELSEWHERE,
    GATEWAY_NOWHERE /* nobody now */
};

/* The time in which this node leads a range. */
struct gateway_reign {
    uint64_t epoch;   /* a later one, of whatever node, has a higher one */
    int64_t lasts_ms; /* so long already */
};

struct gateway {
    const struct config *config;
    const struct settings *settings;
    struct token_key token_key;
    struct access_keys access_keys;
    struct store *store;
    const struct seal_key *master;
    atomic_bool is_draining; /* new real-time connections are refused with 503, tellers say goaway */
    struct gateway_worker *workers;
    size_t workers_count;
    atomic_size_t connections; /* of all workers */
    uint64_t node_id;          /* as the other nodes know this one; 0: there are none */
    void *core;                /* for the callbacks; any thread may call them */
    /* Takes the entry; its answer comes to the worker named in it. STATUS_SHUTTING_DOWN: not taken, still yours. */
    int (*propose)(void *core, struct entry *entry);
    /* Something to tell that is not stored (typing). The change is borrowed until return. */
    int (*notice)(void *core, const struct change *change);
    /* Called for every request, so it must not lock. NULL: everything is here. */
    enum gateway_place (*place)(void *core, const struct id_hash *subject);
    /* The range of a subject, to ask for several in one question. Only where `place` is. */
    uint32_t (*range_of)(void *core, const struct id_hash *subject);
    /* In a cluster: false if this node does not lead the range of a subject. */
    bool (*reign)(void *core, const struct id_hash *subject, struct gateway_reign *reign);
    /* In a cluster: the other nodes that are alive, at most CLUSTER_NODES_MAX. */
    size_t (*others)(void *core, uint64_t *nodes);
    /* In a cluster: where clients reach another node that stays, chosen by `chance`; room for NODE_ADDRESS_BYTES_MAX
     * + 1. False: none is known. */
    bool (*elsewhere)(void *core, uint32_t chance, char *url);
    /* 0: this node can serve, as its ranges have primaries and its disk takes writes; or why not. NULL: always. */
    int (*readiness)(void *core);
    /* Takes the question to the node that leads the range of its subject, which serves it by gateway_serve. Asks again
     * when that node does not lead any more, when it does not answer, and while nobody leads; this node may turn out to
     * lead, and then serves it too. The answer comes to the worker named in it. STATUS_SHUTTING_DOWN,
     * STATUS_OVERLOADED: not taken, still yours. */
    int (*ask)(void *core, struct gateway_ask *ask);
    /* How many other nodes hold durably what this one has of the subject's range. NULL: none do. */
    unsigned (*copies)(void *core, const struct id_hash *subject);
    /* In a cluster, sessions hear of a thread only what is listened to: everything from `next_offset` on, in order,
     * perhaps again what others had told already. Offset 0: a user; gateway_look_again follows, for a thread
     * gateway_listening, each when the node that leads it has taken notice. Each is ended by one unlisten. NULL: a node
     * alone, whose sessions hear everything. */
    void (*listen)(void *core, const struct id_hash *subject, uint64_t next_offset);
    void (*unlisten)(void *core, const struct id_hash *subject);
    /* In a cluster, of a user whose range this node leads: which nodes have sessions of hers. At most `nodes_max` are
     * written. */
    size_t (*listeners)(void *core, const struct id_hash *user, uint64_t *nodes, size_t nodes_max);
    /* Serves a QUESTION_PUSH. NULL: this node sends nothing to devices; who asks is told STATUS_NOT_IMPLEMENTED. */
    int (*push)(struct gateway_worker *worker, struct arena *arena, const struct question *question);
    /* Answers a node that asks to join the cluster (proto/join.h). `reason` says for people why not. NULL: a node
     * alone. */
    int (*tell_joining)(void *core, struct bytes address, struct bytes message, struct buffer *answer,
                        const char **reason);
    /* May the bridge of this name act for a user? STATUS_NOT_FOUND: there is none; STATUS_FORBIDDEN: not for her. */
    int (*bridge_check)(void *core, struct bytes bridge, struct bytes user_id);
    /* Somebody outside begins to want what happens, as has just been stored. */
    void (*expect_events)(void *core);
    int64_t started_ms;
    struct rate_limiter *limiter;        /* NULL: no limits */
    struct endpoint_registry *endpoints; /* of the official SDK; shared by the workers */
    struct presence *presence;           /* likewise */
    struct gateway_admin admin;
    struct trace *trace; /* NULL: nothing is remembered */
    struct desk *desk;
    const struct subscription_tasks *subscriptions; /* node/events */
    const struct gateway_bots *bots;                /* node/bots */
    struct bridge_table *bridges;                   /* node/bridges */
    struct push *pushes;                            /* node/push; NULL: it is off */
};

/* One per worker; used on its thread only. `worker->context` points here. */
struct gateway_worker {
    struct gateway *gateway;
    struct worker *worker;
    struct session_table *sessions;
    struct token_cache *tokens;
    _Atomic uint64_t delivered; /* events handed to sessions; others only read it */
    struct trace_ring *trace;   /* NULL: nothing is remembered */
    uint16_t connections_begun; /* gives them numbers in it */
};

static inline struct gateway_worker *gateway_worker_of(struct worker *worker) {
    return worker->context;
}

/* Someone who waits for an entry: put it first in your own struct and give it as the entry's `reply_to`. The server
 * fills result and copies and posts the parcel; then on_answer is called on the worker's thread and owns the memory
 * again. */
struct reply {
    struct parcel parcel;
    int64_t proposed_us; /* the server's: trace_now_us */
    struct command_result result;
    unsigned copies;
    void (*on_answer)(struct gateway_worker *worker, struct reply *reply);
};

/* Someone who waits for another node: heap memory, this first in your own struct, which owns nothing else. The server
 * fills rc and reply and posts the parcel; then on_answer is called on the worker's thread and owns the memory again,
 * to be given back by gateway_ask_free. So does the server when the worker has stopped meanwhile. */
struct gateway_ask {
    struct parcel parcel;
    struct gateway_ask *next; /* the server's, until it answers */
    struct gateway_ask **link;
    struct id_hash subject;
    uint64_t node;        /* 0: whoever leads the subject's range is asked; otherwise this node, whatever it leads */
    struct buffer body;   /* proto/question.h */
    uint32_t deadline_ms; /* from now on; the answer comes until then, whatever it is */
    unsigned worker;
    int rc;              /* 0: answered; otherwise nobody did in time, or the node that leads could not */
    struct buffer reply; /* what gateway_serve gave */
    void (*on_answer)(struct gateway_worker *worker, struct gateway_ask *ask);
};
void gateway_ask_free(struct gateway_ask *ask);

static inline bool gateway_is_here(const struct gateway *gateway, const struct id_hash *subject) {
    return gateway->place == NULL || gateway->place(gateway->core, subject) == GATEWAY_HERE;
}

static inline unsigned gateway_copies(const struct gateway *gateway, const struct id_hash *subject) {
    return gateway->copies == NULL ? 0 : gateway->copies(gateway->core, subject);
}

/* A new entry of a client for `subject`, with the worker filled in; what the command borrows is to be copied into
 * entry->arena by the caller. */
struct entry *gateway_entry_new(struct gateway_worker *worker, enum command_kind kind, const struct id_hash *subject,
                                struct bytes actor_id, struct reply *reply);

/* A read transaction with what rules need. Keep it short: the store's map cannot grow meanwhile. */
struct gateway_read {
    struct apply_context context; /* transaction, arena, master, hash key */
};
int gateway_read_begin(struct gateway_worker *worker, struct arena *arena, struct gateway_read *read);
/* The same to tell what is stored of `subject`. STATUS_NOT_PRIMARY: that is another node's to say by now. */
int gateway_read_begin_of(struct gateway_worker *worker, struct arena *arena, const struct id_hash *subject,
                          struct gateway_read *read);
void gateway_read_end(struct gateway_read *read);

struct id_hash gateway_hash(const struct gateway *gateway, struct bytes raw_id);
