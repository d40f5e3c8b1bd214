#include "node/bridges/bridges_api.h"

#include "node/bridges/bridge_table.h"
#include "node/gateway/desk_call.h"
#include "node/log.h"

/* What an operator asks for, on its way to the coordinator and back. */
struct bridge_job {
    struct desk_call base;
    struct bytes name; /* all but the list */
    struct bytes body; /* PUT */
};

static struct coordinator *coordinator_of(const struct bridge_job *job) {
    return bridge_table_coordinator(job->base.gateway->bridges);
}

static void refuse(struct bridge_job *job, int rc) {
    struct arena *arena = &job->base.arena;
    if (rc == STATUS_STORE_MISSING)
        problem_set(&job->base.problem, arena, STATUS_NOT_FOUND, "name", "There is no bridge \"%.*s\".",
                    BYTES_ARG(job->name));
    else if (rc == STATUS_CONFLICT)
        problem_set(&job->base.problem, arena, rc, "name",
                    "The bridge \"%.*s\" was changed by somebody else meanwhile; look at it, and try again.",
                    BYTES_ARG(job->name));
    else
        problem_set(&job->base.problem, arena, rc, NULL, "%s", status_sentence(rc));
}

/* Takes `json`. */
static void reply(struct bridge_job *job, int status, json_t *json) {
    job->base.status = status;
    job->base.answer = json_text_take(&job->base.arena, json);
}

/* ---- on another thread ---- */

static void list_do(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bridge_job *job = (struct bridge_job *)base;
    (void)is_stopping;
    struct bridge *bridges;
    uint64_t revision;
    size_t count;
    int rc = bridge_store_list(coordinator_of(job), &job->base.arena, &bridges, &count, &revision);
    if (rc != STATUS_OK) {
        refuse(job, rc);
        return;
    }
    json_t *object = json_object_new();
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, bridge_to_json(&bridges[i]));
    json_member_set(object, "value", array);
    reply(job, 200, object);
}

static void show_do(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bridge_job *job = (struct bridge_job *)base;
    (void)is_stopping;
    struct bridge bridge;
    uint64_t version;
    int rc = bridge_store_get(coordinator_of(job), job->name, &job->base.arena, &bridge, &version);
    if (rc == STATUS_OK)
        reply(job, 200, bridge_to_json(&bridge));
    else
        refuse(job, rc);
}

static void remove_do(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bridge_job *job = (struct bridge_job *)base;
    (void)is_stopping;
    struct bridge bridge;
    uint64_t version;
    int rc = bridge_store_get(coordinator_of(job), job->name, &job->base.arena, &bridge, &version);
    if (rc == STATUS_OK || rc == STATUS_RECORD_CORRUPT)
        rc = bridge_store_remove(coordinator_of(job), job->name, version);
    job->base.status = 204;
    if (rc == STATUS_OK)
        log_info("the bridge %.*s is removed", BYTES_ARG(job->name));
    else
        refuse(job, rc);
}

static void put_do(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bridge_job *job = (struct bridge_job *)base;
    (void)is_stopping;
    struct bridge wanted, before;
    uint64_t version = 0;
    if (bridge_parse(job->body, &job->base.arena, &wanted, &job->base.problem) != STATUS_OK)
        return;
    int rc = bridge_store_get(coordinator_of(job), job->name, &job->base.arena, &before, &version);
    bool is_known = rc == STATUS_OK;
    bool is_new = rc == STATUS_STORE_MISSING;
    wanted.name = job->name;
    wanted.created_ms = is_known ? before.created_ms : worker_wall_ms();
    if (is_known || is_new || rc == STATUS_RECORD_CORRUPT)
        rc = bridge_store_put(coordinator_of(job), &wanted, &job->base.arena, is_new ? 0 : version);
    if (rc != STATUS_OK) {
        refuse(job, rc);
        return;
    }
    log_info("the bridge %.*s is %s; it acts for %zu identities or beginnings of such", BYTES_ARG(job->name),
             is_new ? "made" : "changed", wanted.identities_count);
    reply(job, is_new ? 201 : 200, bridge_to_json(&wanted));
}

/* ---- on the worker ---- */

typedef void work(struct desk_call *base, const atomic_bool *is_stopping);

static void ask(struct worker *self, struct http_call *call, work *work_) {
    struct bridge_job *job = desk_call_new(sizeof(*job), self, call, work_);
    job->name = call->captures_count > 0 ? arena_copy(&job->base.arena, call->captures[0]) : BYTES_ABSENT;
    job->body = arena_copy(&job->base.arena, call->body);
    desk_call_ask(&job->base);
}

static void named_ask(struct worker *self, struct http_call *call, work *work_) {
    struct problem problem = {0};
    if (bridge_name_is_valid(call->captures[0])) {
        ask(self, call, work_);
        return;
    }
    problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "name",
                "A bridge's name has 3 to %d letters, digits and dashes.", BRIDGE_NAME_BYTES_MAX);
    http_call_refuse(call, &problem);
}

static void bridges_get(struct worker *self, struct http_call *call) {
    ask(self, call, list_do);
}

static void bridge_get(struct worker *self, struct http_call *call) {
    named_ask(self, call, show_do);
}

static void bridge_put(struct worker *self, struct http_call *call) {
    named_ask(self, call, put_do);
}

static void bridge_delete(struct worker *self, struct http_call *call) {
    named_ask(self, call, remove_do);
}

static const struct http_route routes[] = {
    {"GET", "/admin/bridges", bridges_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/bridges/{}", bridge_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"PUT", "/admin/bridges/{}", bridge_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"DELETE", "/admin/bridges/{}", bridge_delete, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
};
const struct http_route_table bridges_routes = HTTP_ROUTE_TABLE(routes);
