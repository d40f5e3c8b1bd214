#include "node/gateway/join_api.h"

#include "node/gateway/gateway.h"

static void join_refuse(struct http_call *call, int rc, const char *reason) {
    struct problem problem = {0};
    problem_set(&problem, &call->arena, rc, NULL, "%s", reason);
    http_call_refuse(call, &problem);
}

static void join_post(struct worker *worker, struct http_call *call) {
    const struct gateway *gateway = gateway_worker_of(worker)->gateway;
    struct buffer answer;
    const char *reason = "this node is alone, so there is no cluster to join";
    if (gateway->tell_joining == NULL) {
        join_refuse(call, STATUS_CONFLICT, reason);
        return;
    }
    buffer_init(&answer);
    int rc = gateway->tell_joining(gateway->core, call->client_address, call->body, &answer, &reason);
    http_call_set_header(call, "cache-control", BYTES_LITERAL("no-store"));
    if (rc == STATUS_OK)
        http_call_reply_text(call, 200, "application/octet-stream", buffer_bytes(&answer));
    else
        join_refuse(call, rc, reason);
    buffer_close(&answer);
}

static const struct http_route routes[] = {
    {"POST", "/cluster/join", join_post, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table join_routes = HTTP_ROUTE_TABLE(routes);
