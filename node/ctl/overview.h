#pragma once
/* What GET /admin/cluster tells: nodes, ranges, moves under way, the balancer. Texts live as long as the overview. */
#include "node/ctl/admin.h"

struct load {
    double stored_bytes, connections, sessions, slow_clients;
    double deliveries_per_second, writes_per_second;
    double commit_ms_p50, commit_ms_p99;
    double share; /* of the cluster's load: 0..1 */
};

struct node {
    const char *id; /* 16 hexadecimal digits */
    const char *name, *zone, *public_url, *peer_address;
    bool is_alive, is_draining, is_this_node;
    double primary, in_sync, learning; /* ranges it leads, has in sync, learns */
    struct load load;
};

struct range {
    unsigned number;
    double epoch;
    const char *first, *last; /* positions on the ring */
    const char *primary;      /* node id; "": nobody leads it */
    const json_t *in_sync, *learners;
    const json_t *target_holders; /* NULL: it is as it should be */
    const char *target_primary;
    double stored_bytes, writes_per_second, deliveries_per_second;
};

struct move {
    unsigned range;
    const char *kind, *from, *to, *state; /* from, to: node ids, "" if it is from or to nowhere */
    double bytes_done, bytes_total, bytes_per_second;
    double started_at; /* epoch milliseconds; 0: not said */
};

struct overview {
    json_t *root;
    const char *cluster;
    const char *balancer; /* node id; "": none is elected */
    bool is_paused, is_balanced;
    double moves_max, ranges_configured, replication_factor, min_in_sync;
    struct node *nodes; /* by name */
    size_t nodes_count;
    struct range *ranges;
    size_t ranges_count;
    struct move *moves;
    size_t moves_count;
};

/* Asks for it, and learns the addresses of all nodes on the way. Exit status as of admin_call. After EXIT_DONE the
 * overview is to be closed. */
int overview_get(struct admin *admin, struct overview *overview);
/* EXIT_REFUSED: not of the form, `complaint` says so; the overview has nothing then. Takes the answer in any case. */
int overview_take(struct admin *admin, json_t *answer, struct overview *overview);
void overview_close(struct overview *overview);

/* Takes what is in an array of moves (of /admin/cluster or /admin/plan); NULL is as an empty one. The caller frees it.
 */
struct move *moves_take(const json_t *array, size_t *count);

const struct range *overview_range(const struct overview *overview, unsigned number);
const struct node *overview_node(const struct overview *overview, const char *id);
/* A node's name, its id when it is not in the overview (any more), "" for "". */
const char *overview_name(const struct overview *overview, const char *id);
/* The node that somebody means by a name, an id, or the beginning of either that fits no other. NULL: `complaint` says
 * why. */
const struct node *overview_find(struct admin *admin, const struct overview *overview, const char *word);
