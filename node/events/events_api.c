#include "node/events/events_api.h"

#include "node/events/subscription_tasks.h"
#include "node/gateway/desk_call.h"
#include "proto/rfc3339.h"

#define DEAD_LETTERS_SHOWN 100
#define DEAD_LETTERS_SHOWN_MAX 1000

struct subscription_job {
    struct desk_call base;
    struct subscription_task task;
};

static void work(struct desk_call *base, const atomic_bool *is_stopping) {
    struct subscription_job *job = (struct subscription_job *)base;
    struct subscription_tasks tasks = *base->gateway->subscriptions;
    tasks.webhooks.is_stopping = is_stopping;
    subscription_task_do(&tasks, &job->task);
    if (job->task.kind == SUBSCRIPTION_PUT && job->task.problem.rc == STATUS_OK)
        base->gateway->expect_events(base->gateway->core);
    base->status = job->task.status;
    base->answer = job->task.answer;
    base->problem = job->task.problem;
}

static struct subscription_job *job_new(struct worker *self, struct http_call *call, enum subscription_task_kind kind) {
    struct subscription_job *job = desk_call_new(sizeof(*job), self, call, work);
    job->task = (struct subscription_task){.kind = kind, .arena = &job->base.arena};
    return job;
}

static void job_hand_in(struct subscription_job *job) {
    desk_call_ask(&job->base);
}

/* NULL: refused. */
static struct subscription_job *named_job_new(struct worker *self, struct http_call *call,
                                              enum subscription_task_kind kind) {
    struct problem problem = {0};
    struct bytes name = call->captures[0];
    if (!event_subscription_name_is_valid(name)) {
        problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "name",
                    "A subscription's name has 3 to %d letters, digits and dashes.", SUBSCRIPTION_NAME_BYTES_MAX);
        http_call_refuse(call, &problem);
        return NULL;
    }
    struct subscription_job *job = job_new(self, call, kind);
    job->task.name = arena_copy(&job->base.arena, name);
    job->task.origin = arena_copy(&job->base.arena, http_call_public_origin(call));
    return job;
}

static void named_do(struct worker *self, struct http_call *call, enum subscription_task_kind kind) {
    struct subscription_job *job = named_job_new(self, call, kind);
    if (job != NULL)
        job_hand_in(job);
}

static void subscriptions_get(struct worker *self, struct http_call *call) {
    job_hand_in(job_new(self, call, SUBSCRIPTION_LIST));
}

static void subscription_get(struct worker *self, struct http_call *call) {
    named_do(self, call, SUBSCRIPTION_SHOW);
}

static void subscription_delete(struct worker *self, struct http_call *call) {
    named_do(self, call, SUBSCRIPTION_REMOVE);
}

static void validate_post(struct worker *self, struct http_call *call) {
    named_do(self, call, SUBSCRIPTION_VALIDATE);
}

static void subscription_put(struct worker *self, struct http_call *call) {
    struct subscription_job *job = named_job_new(self, call, SUBSCRIPTION_PUT);
    if (job == NULL)
        return;
    job->task.body = arena_copy(&job->base.arena, call->body);
    job_hand_in(job);
}

/* Body optional: {"eventType": ...}. */
static int test_request_parse(struct http_call *call, enum event_type *type, struct problem *problem) {
    const struct json_reader reader = {&call->arena, problem};
    struct bytes name = BYTES_ABSENT;
    json_t *root;
    *type = EVENT_TYPE_MESSAGE_RECEIVED_IN_THREAD;
    if (call->body.size == 0)
        return STATUS_OK;
    int rc = json_body_load(&reader, call->body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = json_text_read(&reader, root, "eventType", 128, &name);
    json_decref(root);
    if (rc == STATUS_OK && bytes_is_present(name) && !event_type_find(name, type))
        rc = problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "eventType",
                         "There is no event type \"%.*s\".", BYTES_ARG(name));
    return rc;
}

static void test_post(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    enum event_type type;
    if (test_request_parse(call, &type, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct subscription_job *job = named_job_new(self, call, SUBSCRIPTION_TEST);
    if (job == NULL)
        return;
    job->task.type = type;
    job_hand_in(job);
}

static void validation_get(struct worker *self, struct http_call *call) {
    struct subscription_job *job = named_job_new(self, call, SUBSCRIPTION_CONFIRM);
    if (job == NULL)
        return;
    job->task.code = arena_copy(&job->base.arena, call->captures[1]);
    job_hand_in(job);
}

/* {"from": a time} */
static int replay_request_parse(struct http_call *call, int64_t *from_ms, struct problem *problem) {
    const struct json_reader reader = {&call->arena, problem};
    struct bytes from;
    json_t *root;
    int rc = json_body_load(&reader, call->body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = json_text_require(&reader, root, "from", 64, &from);
    json_decref(root);
    if (rc == STATUS_OK && !rfc3339_parse(from, from_ms))
        rc = problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "from",
                         "from must be a time as 2026-01-31T12:00:00Z, not \"%.*s\".", BYTES_ARG(from));
    return rc;
}

static void replay_post(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    int64_t from_ms;
    if (replay_request_parse(call, &from_ms, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct subscription_job *job = named_job_new(self, call, SUBSCRIPTION_REPLAY);
    if (job == NULL)
        return;
    job->task.from_ms = from_ms;
    job_hand_in(job);
}

static int count_parse(struct http_call *call, size_t *count, struct problem *problem) {
    struct bytes text = http_call_query(call, "count");
    *count = DEAD_LETTERS_SHOWN;
    if (!bytes_is_present(text))
        return STATUS_OK;
    char *end;
    const char *number = arena_text(&call->arena, text);
    unsigned long given = strtoul(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end != '\0' || given < 1 || given > DEAD_LETTERS_SHOWN_MAX)
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "count",
                           "count must be a number from 1 to %d, not \"%.*s\".", DEAD_LETTERS_SHOWN_MAX,
                           BYTES_ARG(text));
    *count = given;
    return STATUS_OK;
}

static void dead_letters_get(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    size_t count;
    if (count_parse(call, &count, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct subscription_job *job = named_job_new(self, call, SUBSCRIPTION_DEAD_LETTERS);
    if (job == NULL)
        return;
    job->task.count_max = count;
    job_hand_in(job);
}

static const struct http_route routes[] = {
    {"GET", "/admin/events/subscriptions", subscriptions_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/events/subscriptions/{}", subscription_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"PUT", "/admin/events/subscriptions/{}", subscription_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"DELETE", "/admin/events/subscriptions/{}", subscription_delete, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/events/subscriptions/{}/validate", validate_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/events/subscriptions/{}/test", test_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/admin/events/subscriptions/{}/replay", replay_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/events/subscriptions/{}/dead-letters", dead_letters_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/events/validation/{}/{}", validation_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table events_routes = HTTP_ROUTE_TABLE(routes);
