#include "node/gateway/admin_api.h"

#include <stdlib.h>

#include "node/cluster_view.h"
#include "node/gateway/admin_json.h"
#include "node/gateway/gateway.h"
#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/limits.h"

/* ---- what it looks like ---- */

/* The cluster as this node sees it now; everything in the call's arena. */
struct admin_sight {
    struct cluster_facts facts;
    struct balancer_input input;
    double *shares;
};

static void look(const struct gateway_admin *admin, struct arena *arena, struct admin_sight *sight) {
    cluster_view_facts(admin->view, arena, cluster_view_clock_ms(), &sight->facts);
    cluster_moves_input(&sight->facts, &admin->moves, arena, &sight->input);
    sight->shares = ARENA_NEW_ARRAY(arena, double, sight->input.nodes_count);
    balancer_shares(&sight->input, arena, sight->shares);
}

static void cluster_get(struct worker *self, struct http_call *call) {
    const struct gateway *gateway = gateway_worker_of(self)->gateway;
    const struct balancer_settings *settings = &gateway->admin.moves.settings;
    struct balancer_decision decision;
    struct admin_sight sight;
    look(&gateway->admin, &call->arena, &sight);
    balancer_next(&sight.input, &call->arena, &decision);
    struct admin_cluster cluster = {.cluster_name = gateway->config->cluster_name,
                                    .replication_factor = settings->factor,
                                    .min_in_sync = settings->min_in_sync,
                                    .moves_max = settings->moves_max,
                                    .parts = gateway->settings->range_count};
    http_call_reply(
        call, 200,
        admin_cluster_encode(&sight.facts, &cluster, &sight.input, sight.shares, decision.is_balanced, &call->arena));
}

/* By which of its ranges the cluster has what belongs to a thread or a user, whether there is one of that id or not. */
static void position_get(struct worker *self, struct http_call *call) {
    const struct gateway *gateway = gateway_worker_of(self)->gateway;
    struct id_hash hash = gateway_hash(gateway, call->captures[0]);
    http_call_reply(call, 200, admin_position_encode(id_hash_position(&hash), &call->arena));
}

/* Each range is sent by the node that leads it, and nodes send side by side. */
static double seconds_of(const struct cluster_facts *facts, const struct balancer_forecast *forecast,
                         int64_t bytes_per_s, struct arena *arena) {
    uint64_t *sent = ARENA_NEW_ARRAY(arena, uint64_t, facts->nodes_count);
    uint64_t most = 0;
    for (size_t i = 0; i < facts->nodes_count; i++)
        sent[i] = 0;
    for (size_t i = 0; i < forecast->moves_count; i++) {
        const struct balancer_move *move = &forecast->moves[i];
        const struct cluster_node *sender = cluster_facts_node(facts, facts->ranges[move->range].record.primary);
        if (sender == NULL)
            continue;
        size_t at = (size_t)(sender - facts->nodes);
        sent[at] += move->bytes;
        most = sent[at] > most ? sent[at] : most;
    }
    return bytes_per_s == 0 ? 0 : (double)most / (double)bytes_per_s;
}

/* ---- what takes longer, on another thread ---- */

void gateway_wish_free(struct gateway_wish *asked) {
    arena_close(&asked->arena);
    free(asked);
}

static struct gateway_wish *ask_new(struct worker *self, struct http_call *call) {
    struct gateway_wish *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    *asked = (struct gateway_wish){.worker = self->index, .call = call, .gateway = gateway_worker_of(self)->gateway};
    arena_init(&asked->arena);
    return asked;
}

/* With hundreds of nodes and thousands of ranges it takes up to half a second. */
static void plan_compute(struct gateway_wish *asked) {
    const struct gateway *gateway = asked->gateway;
    struct balancer_forecast forecast;
    struct admin_sight sight;
    look(&gateway->admin, &asked->arena, &sight);
    balancer_plan(&sight.input, &asked->arena, &forecast);
    double seconds = seconds_of(&sight.facts, &forecast, gateway->config->move_rate_mb << 20, &asked->arena);
    asked->reply = admin_plan_encode(&sight.facts, &sight.input, &forecast, sight.shares, seconds, &asked->arena);
}

static void on_planned(struct gateway_worker *worker, struct gateway_wish *asked) {
    (void)worker;
    if (asked->rc != STATUS_OK)
        http_call_refuse_status(asked->call, asked->rc);
    else
        http_call_reply(asked->call, 200, asked->reply);
    gateway_wish_free(asked);
}

static void plan_get(struct worker *self, struct http_call *call) {
    struct gateway *gateway = gateway_worker_of(self)->gateway;
    struct gateway_wish *asked = ask_new(self, call);
    asked->compute = plan_compute;
    asked->on_answer = on_planned;
    int rc = gateway->admin.compute(gateway->core, asked);
    if (rc == STATUS_OK)
        return;
    gateway_wish_free(asked);
    http_call_refuse_status(call, rc);
}

/* ---- what is wished ---- */

static void wish_refuse(struct http_call *call, int rc, const struct operator_wish *wish) {
    struct problem problem = {0};
    problem_set(&problem, &call->arena, rc, wish->target, "%s",
                wish->reason == NULL ? status_sentence(rc) : wish->reason);
    http_call_refuse(call, &problem);
}

static void on_wished(struct gateway_worker *worker, struct gateway_wish *asked) {
    struct http_call *call = asked->call;
    (void)worker;
    if (asked->rc != STATUS_OK)
        wish_refuse(call, asked->rc, &asked->wish);
    else if (asked->wish.kind == WISH_MOVE)
        http_call_reply(call, 202, admin_target_encode(&asked->wish.placement, &call->arena));
    else
        http_call_reply(call, 202, BYTES_LITERAL("{}"));
    gateway_wish_free(asked);
}

static void wish_ask(struct worker *self, struct http_call *call, const struct operator_wish *wish) {
    struct gateway *gateway = gateway_worker_of(self)->gateway;
    if (gateway->admin.wish == NULL) {
        http_call_refuse_status(call, STATUS_NOT_IN_CLUSTER);
        return;
    }
    struct gateway_wish *asked = ask_new(self, call);
    asked->wish = *wish;
    asked->on_answer = on_wished;
    int rc = gateway->admin.wish(gateway->core, asked);
    if (rc == STATUS_OK)
        return;
    gateway_wish_free(asked);
    http_call_refuse_status(call, rc);
}

static void pause_post(struct worker *self, struct http_call *call) {
    wish_ask(self, call, &(struct operator_wish){.kind = WISH_PAUSE});
}

static void resume_post(struct worker *self, struct http_call *call) {
    wish_ask(self, call, &(struct operator_wish){.kind = WISH_RESUME});
}

static void cancel_post(struct worker *self, struct http_call *call) {
    wish_ask(self, call, &(struct operator_wish){.kind = WISH_CANCEL});
}

/* False: it has been refused. */
static bool node_find(struct worker *self, struct http_call *call, const char *target, struct bytes name,
                      uint64_t *id) {
    const struct gateway_admin *admin = &gateway_worker_of(self)->gateway->admin;
    struct cluster_facts facts;
    struct problem problem = {0};
    cluster_view_facts(admin->view, &call->arena, cluster_view_clock_ms(), &facts);
    const struct cluster_node *node = cluster_facts_node_called(&facts, name);
    if (node != NULL) {
        *id = node->id;
        return true;
    }
    problem_set(&problem, &call->arena, STATUS_NOT_FOUND, target, "There is no node '%.*s', or several of that name.",
                BYTES_ARG(name));
    http_call_refuse(call, &problem);
    return false;
}

static void drain_change(struct worker *self, struct http_call *call, enum operator_wish_kind kind) {
    struct operator_wish wish = {.kind = kind};
    if (node_find(self, call, "node", call->captures[0], &wish.node))
        wish_ask(self, call, &wish);
}

static void drain_post(struct worker *self, struct http_call *call) {
    drain_change(self, call, WISH_DRAIN);
}

static void drain_delete(struct worker *self, struct http_call *call) {
    drain_change(self, call, WISH_STAY);
}

struct move_request {
    struct bytes from;
    struct bytes to;
    struct bytes primary;
};

static int move_request_parse(struct http_call *call, struct move_request *request, struct problem *problem) {
    struct json_reader reader = {&call->arena, problem};
    json_t *root;
    int rc = json_body_load(&reader, call->body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = json_text_read(&reader, root, "from", NODE_NAME_BYTES_MAX, &request->from);
    if (rc == STATUS_OK)
        rc = json_text_read(&reader, root, "to", NODE_NAME_BYTES_MAX, &request->to);
    if (rc == STATUS_OK)
        rc = json_text_read(&reader, root, "primary", NODE_NAME_BYTES_MAX, &request->primary);
    json_decref(root);
    return rc;
}

static int range_parse(struct http_call *call, uint32_t *range, struct problem *problem) {
    struct bytes text = call->captures[0];
    *range = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.size > 6 || text.data[i] < '0' || text.data[i] > '9')
            return problem_set(problem, &call->arena, STATUS_NOT_FOUND, "range", "A range is a number, as 7.");
        *range = *range * 10 + (uint32_t)(text.data[i] - '0');
    }
    return STATUS_OK;
}

static bool named_find(struct worker *self, struct http_call *call, const char *target, struct bytes name,
                       uint64_t *id) {
    return !bytes_is_present(name) || node_find(self, call, target, name, id);
}

static void move_post(struct worker *self, struct http_call *call) {
    struct operator_wish wish = {.kind = WISH_MOVE};
    struct move_request request = {BYTES_ABSENT, BYTES_ABSENT, BYTES_ABSENT};
    struct problem problem = {0};
    if (range_parse(call, &wish.range, &problem) != STATUS_OK ||
        move_request_parse(call, &request, &problem) != STATUS_OK)
        http_call_refuse(call, &problem);
    else if (named_find(self, call, "from", request.from, &wish.from) &&
             named_find(self, call, "to", request.to, &wish.to) &&
             named_find(self, call, "primary", request.primary, &wish.primary))
        wish_ask(self, call, &wish);
}

static int split_request_parse(struct http_call *call, uint32_t *ranges, struct problem *problem) {
    struct json_reader reader = {&call->arena, problem};
    json_t *root;
    int rc = json_body_load(&reader, call->body, &root);
    if (rc != STATUS_OK)
        return rc;
    const json_t *value = json_member_find(root, "ranges");
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > LIMIT_RANGES_MAX)
        rc = problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "ranges",
                         "The number of ranges must be an integer from 1 to %d.", LIMIT_RANGES_MAX);
    else
        *ranges = (uint32_t)json_integer_value(value);
    json_decref(root);
    return rc;
}

static void split_post(struct worker *self, struct http_call *call) {
    struct operator_wish wish = {.kind = WISH_SPLIT, .parts = gateway_worker_of(self)->gateway->settings->range_count};
    struct problem problem = {0};
    if (split_request_parse(call, &wish.ranges, &problem) == STATUS_OK)
        wish_ask(self, call, &wish);
    else
        http_call_refuse(call, &problem);
}

static const struct http_route routes[] = {
    {"GET", "/admin/cluster", cluster_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/plan", plan_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/positions/{}", position_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/rebalance/pause", pause_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/rebalance/resume", resume_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/rebalance/cancel", cancel_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/ranges/{}/move", move_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/split", split_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/nodes/{}/drain", drain_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"DELETE", "/admin/nodes/{}/drain", drain_delete, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
};
const struct http_route_table admin_routes = HTTP_ROUTE_TABLE(routes);
