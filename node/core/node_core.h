#pragma once
/* The core of a node: everything that happens comes in as an event, everything it wants comes out as actions. No clock,
 * no chance, no sockets, no files; production and the simulator run this same code. One thread at a time. */
#include "node/core/action.h"
#include "node/core/cluster_map.h"
#include "node/core/durations.h"
#include "node/core/event.h"

struct node_core;

struct node_core_options {
    uint32_t range_count;      /* as the cluster was created; more by splits */
    uint32_t ranges_max;       /* how many there may be in the end; 0: no more */
    uint64_t start;            /* another one for each life of this node */
    uint64_t self;             /* this node's id, not 0 */
    bool is_alone;             /* no coordinator but its own: it leads every range */
    size_t replication_factor; /* how many replicas a range should have */
    size_t min_in_sync;        /* below that many, itself included, a write is refused */
    size_t link_bytes_max;     /* changes told to another node that has not said it has them */
    size_t queue_max;          /* proposals waiting or on disk, and changes followed up; beyond it STATUS_OVERLOADED */
    uint64_t snapshot_bytes_per_s; /* rows sent to learners, of all ranges together; 0: no bound */
};

/*            FULL, and only the reserve had room        the reserve has none either, or it failed
 *  WORKS ─────────────────────────────────────▶ FULL ─────────────────────────────────────────────▶ REFUSES
 *    ▲ ▲                                         │ ▲                                                 │  │
 *    │ └────────── a probe found room ───────────┘ └──────────── a probe did in the reserve ─────────┘  │
 *    └───────────────────────────────────────── a probe found room ─────────────────────────────────────┘
 * Alone, where nobody else could do better, every batch is a probe. */
enum node_core_disk {
    NODE_CORE_DISK_WORKS,
    NODE_CORE_DISK_IS_FULL, /* what is in a log already, and what removes, finds room in the reserve; nothing else */
    NODE_CORE_DISK_REFUSES  /* everything; others lead what this node led */
};

struct node_core_statistics {
    enum node_core_disk disk;
    int disk_rc;    /* why it refuses: STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED */
    size_t waiting; /* entries not yet lent to the disk */
    size_t on_disk;
    size_t follow_ups;
    uint64_t applied;
    uint64_t batches;
    struct durations held;    /* writes of a range, here, for each hand-over to another node */
    struct durations given;   /* for each hand-over to this node: from hearing of it to taking writes */
    struct durations stalled; /* for each of those whose last primary has told how long it held writes: both together */
    struct interest_statistics interest; /* zeros for a node alone */
};

struct node_core *node_core_new(const struct node_core_options *options);
void node_core_free(struct node_core *core);

/* Adds what is to be done to `actions`. What the actions borrow is valid until node_core_done. */
void node_core_step(struct node_core *core, const struct event *event, struct action_list *actions);

/* The actions of the last step have been performed. */
void node_core_done(struct node_core *core);

/* Who leads a range as far as this node knows. Not for a node alone. */
struct node_core_lead {
    uint64_t primary;       /* 0: not known */
    int64_t lease_until_ms; /* monotonic: this node may read until then; 0: it does not lead */
    size_t in_sync;         /* replicas, the primary included */
    uint64_t epoch;
};
struct node_core_lead node_core_lead(const struct node_core *core, uint32_t range);

/* How another node is served by the primary of a range. */
struct node_core_replica_status {
    uint64_t node;
    uint64_t durable; /* on its disk, as it said last */
    uint64_t chunk;   /* of the snapshot that it gets: so many are on its disk; of `chunks`, which is 0 without one, or
                         before the first is read */
    uint64_t chunks;
    uint64_t snapshot_bytes; /* of all chunks */
};

/* A range as this node sees it. */
struct node_core_range_status {
    struct range_record record; /* epoch 0: not known yet */
    uint64_t version;
    struct placement placement; /* without holders: nothing is wished */
    enum replication_role role;
    bool is_handing_over;     /* we lead, and are about to give it away */
    bool is_dropping;         /* what was here goes */
    bool is_empty;            /* nothing of it is on this node's disk, as far as this life knows */
    uint64_t last_index;      /* of the log, here */
    uint64_t committed;       /* as far as this node knows */
    uint64_t entries_applied; /* since this node started, whoever led */
    uint64_t entries_led;     /* of these, while it led itself */
    uint64_t changes_told;    /* by this node, as the primary; each goes to whoever listens */
    struct node_core_replica_status replicas[RANGE_REPLICAS_MAX]; /* when it leads */
    size_t replicas_count;
};
struct node_core_range_status node_core_range_status(const struct node_core *core, uint32_t range);

/* Which range has which positions, as far as this node knows; valid until the next step. */
const struct cluster_map *node_core_map(const struct node_core *core);
uint32_t node_core_range_count(const struct node_core *core);

/* The nodes that are told of a user or thread that this one leads; at most `nodes_max` are written. */
size_t node_core_listeners(const struct node_core *core, const struct id_hash *subject, uint64_t *nodes,
                           size_t nodes_max);

/* After EVENT_LEAVE: nothing is held up any more when this node stops. */
bool node_core_may_leave(const struct node_core *core, int64_t mono_ms);

struct node_core_statistics node_core_statistics(const struct node_core *core);
