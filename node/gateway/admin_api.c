#include "node/gateway/admin_api.h"

#include "node/cluster_view.h"
#include "node/gateway/admin_json.h"
#include "node/gateway/authentication.h"

/* The cluster as this node sees it now; everything in the call's arena. */
struct admin_sight {
    struct cluster_facts facts;
    struct balancer_input input;
    double *shares;
};

static bool admit(struct gateway_worker *worker, struct http_call *call) {
    struct problem problem = {0};
    if (authenticate_admin(worker, call, &problem) == STATUS_OK)
        return true;
    http_call_refuse(call, &problem);
    return false;
}

static void look(struct gateway_worker *worker, struct arena *arena, struct admin_sight *sight) {
    const struct gateway_admin *admin = &worker->gateway->admin;
    cluster_view_facts(admin->view, arena, cluster_view_clock_ms(), &sight->facts);
    cluster_moves_input(&sight->facts, &admin->moves, arena, &sight->input);
    sight->shares = ARENA_NEW_ARRAY(arena, double, sight->input.nodes_count);
    for (size_t i = 0; i < sight->input.nodes_count; i++) {
        struct cluster_holdings holdings = cluster_facts_holdings(&sight->facts, sight->input.nodes[i].id);
        sight->shares[i] = (double)holdings.primary / (double)sight->facts.ranges_count;
    }
}

static void cluster_get(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    const struct gateway_admin *admin = &worker->gateway->admin;
    struct cluster_move *moves;
    struct admin_sight sight;
    size_t moves_count;
    if (!admit(worker, call))
        return;
    look(worker, &call->arena, &sight);
    cluster_moves_list(&sight.facts, &call->arena, &moves, &moves_count);
    struct admin_cluster cluster = {.cluster_name = worker->gateway->config->cluster_name,
                                    .replication_factor = admin->moves.settings.factor,
                                    .min_in_sync = admin->moves.settings.min_in_sync,
                                    .moves_max = admin->moves.settings.moves_max,
                                    .parts = worker->gateway->settings->range_count};
    http_call_reply(
        call, 200,
        admin_cluster_encode(&sight.facts, &cluster, &sight.input, sight.shares, moves_count == 0, &call->arena));
}

static const struct http_route routes[] = {
    {"GET", "/admin/cluster", cluster_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table admin_routes = HTTP_ROUTE_TABLE(routes);
