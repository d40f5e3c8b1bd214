#pragma once
/* The cluster as one node knows it at one moment: its nodes, its ranges, who holds them and who should, and the load
 * that nodes announce. Plain values; cluster_view.h keeps them up to date and gives copies. */
#include "proto/arena.h"
#include "proto/load_record.h"
#include "proto/node_record.h"
#include "proto/placement.h"

#define CLUSTER_NODES_MAX 256

/* Per second. */
struct cluster_rate {
    double now;  /* of the last seconds, for people */
    double mean; /* of the last half minute, to act on */
};

/* What a node says of a range that it holds. */
struct cluster_load {
    struct load_range counted;
    struct cluster_rate writes;
    struct cluster_rate deliveries;
};

struct cluster_learner {
    struct load_learner at;
    double bytes_per_s;
    int64_t since_ms; /* unix time: when it was first heard of */
};

struct cluster_node {
    uint64_t id;
    bool has_record; /* and is admitted */
    char name[NODE_NAME_BYTES_MAX + 1];
    char zone[NODE_NAME_BYTES_MAX + 1];
    char public_url[NODE_ADDRESS_BYTES_MAX + 1];
    char peer_address[NODE_ADDRESS_BYTES_MAX + 1];
    bool is_alive;
    bool is_draining;         /* it is to be emptied */
    int64_t silent_since_ms;  /* monotonic, of the node whose view this is; while it is not alive */
    struct load_record total; /* its lists are below; node 0: it has not said anything yet */
    double deliveries_per_s;
    struct cluster_load *loads; /* rising by range */
    size_t loads_count;
    struct cluster_learner *learners;
    size_t learners_count;
};

struct cluster_range {
    struct range_record record; /* epoch 0: not known */
    struct placement placement; /* holders_count 0: nothing is wished */
    uint64_t placement_version;
    int64_t since_ms; /* unix time: since when the wish is not fulfilled */
};

struct cluster_facts {
    uint64_t self;
    struct cluster_node *nodes; /* rising by id */
    size_t nodes_count;
    struct cluster_range *ranges; /* by number */
    size_t ranges_count;
    uint64_t balancer; /* the node that was elected; 0: none now */
    bool is_paused;
    int64_t mono_ms; /* when */
};

/* Everything in the arena. */
void cluster_facts_copy(const struct cluster_facts *from, struct arena *arena, struct cluster_facts *to);

/* NULL: not known. */
struct cluster_node *cluster_facts_node(const struct cluster_facts *facts, uint64_t id);
/* By id as 16 hexadecimal digits, or by name, which one that is alive has before those that are not. NULL: none, or
 * several have that name. */
const struct cluster_node *cluster_facts_node_called(const struct cluster_facts *facts, struct bytes name);
/* NULL: the node has said nothing of the range. */
const struct cluster_load *cluster_node_load(const struct cluster_node *node, uint32_t range);

/* Of one copy: what its primary has measured, else the most that anybody has. */
uint64_t cluster_facts_bytes(const struct cluster_facts *facts, const struct cluster_range *range);
/* Of all nodes together: who led it a moment ago counts until its rate has died away. */
struct cluster_rate cluster_facts_writes(const struct cluster_facts *facts, uint32_t range);
struct cluster_rate cluster_facts_deliveries(const struct cluster_facts *facts, uint32_t range);

/* How many ranges the node leads, holds in sync (those that it leads included), and learns. */
struct cluster_holdings {
    size_t primary;
    size_t in_sync;
    size_t learning;
};
struct cluster_holdings cluster_facts_holdings(const struct cluster_facts *facts, uint64_t node);
/* Every range's record is known, and none names the node. */
bool cluster_facts_holds_nothing(const struct cluster_facts *facts, uint64_t node);

/* A wish that the record does not fulfil yet. */
bool cluster_range_is_under_way(const struct cluster_range *range);
