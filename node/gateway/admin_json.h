#pragma once
/* The bodies of the admin interface: the cluster as its console and weftctl read it, and forecasts. Numbers of bytes
 * and counts are numbers, ids of nodes 16 hexadecimal digits, positions of the hash ring likewise, times milliseconds
 * of Unix time. `slowClients`: readers that were told to resume within the last minute, because they were too slow. */
#include "node/cluster_moves.h"
#include "proto/json_tree.h"

/* What the facts do not say. */
struct admin_cluster {
    const char *cluster_name;
    size_t replication_factor;
    size_t min_in_sync;
    size_t moves_max;
    uint32_t parts; /* that the ring was cut into when the cluster was created */
};

/* A node's id as the admin interface writes it; "" for 0, nobody. */
json_t *admin_id_new(uint64_t id);
json_t *admin_ids_new(const uint64_t *ids, size_t count);

/* Which positions a range has; `parts` as above. */
struct bounds admin_range_bounds(const struct range_record *record, uint32_t parts);

/* `shares` as balancer_shares gave them for `input`; `is_balanced` as balancer_next said. In the arena. */
struct bytes admin_cluster_encode(const struct cluster_facts *facts, const struct admin_cluster *cluster,
                                  const struct balancer_input *input, const double *shares, bool is_balanced,
                                  struct arena *arena);

/* `seconds`: how long it takes at the configured rate; `before` and the forecast's shares belong to `input`. */
struct bytes admin_plan_encode(const struct cluster_facts *facts, const struct balancer_input *input,
                               const struct balancer_forecast *forecast, const double *before, double seconds,
                               struct arena *arena);

/* {"position":"<16 hexadecimal digits>"} */
struct bytes admin_position_encode(uint64_t position, struct arena *arena);

/* {"target":{"holders":[…],"primary":…}} */
struct bytes admin_target_encode(const struct placement *placement, struct arena *arena);
