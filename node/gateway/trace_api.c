#include "node/gateway/trace_api.h"

#include "node/gateway/trace_json.h"
#include "proto/ids.h"

static void refuse(struct http_call *call, int rc, const char *target, const char *reason) {
    struct problem problem = {0};
    problem_set(&problem, &call->arena, rc, target, "%s", reason);
    http_call_refuse(call, &problem);
}

static void on_done(struct tracing *tracing, int rc) {
    struct http_call *call = tracing->call;
    const struct trace_subject *subject = &tracing->subject;
    if (rc != STATUS_OK)
        refuse(call, STATUS_SERVICE_UNAVAILABLE, "threadId",
               "No node that leads the range of this thread has answered in time.");
    else if (!subject->has_thread)
        refuse(call, STATUS_THREAD_NOT_FOUND, "threadId", "There is no such thread, or it was deleted.");
    else if (subject->changes_count > 0)
        http_call_reply(call, 200, trace_encode(tracing, &call->arena));
    else if (tracing->request.offset != 0)
        refuse(call, STATUS_MESSAGE_NOT_FOUND, "messageId", "The thread has not come to this offset yet.");
    else
        refuse(call, STATUS_MESSAGE_NOT_FOUND, "messageId",
               "The thread has no message with this id, and none is remembered.");
}

static int request_parse(struct http_call *call, struct trace_request *request, struct problem *problem) {
    struct bytes text = call->captures[1];
    bool is_offset = text.size > 0 && text.data[0] == '@';
    uint64_t *number = is_offset ? &request->offset : &request->message_id;
    struct bytes digits = is_offset ? bytes_of(text.data + 1, text.size - 1) : text;
    if (!thread_id_is_valid(call->captures[0]))
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "threadId",
                           "A thread's id is as 19:...@thread.v2.");
    if (!decimal_parse(digits, number) || *number == 0 || (is_offset && *number > TRACE_NUMBER_MAX))
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "messageId",
                           "A message's id is a number, as 1764000000000; @17 is the change at offset 17.");
    return STATUS_OK;
}

static void trace_get(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct trace_request request = {0};
    struct problem problem = {0};
    if (request_parse(call, &request, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct tracing *tracing = ARENA_NEW(&call->arena, struct tracing);
    *tracing = (struct tracing){.worker = worker,
                                .call = call,
                                .thread_id = call->captures[0],
                                .thread = gateway_hash(worker->gateway, call->captures[0]),
                                .request = request,
                                .on_done = on_done};
    trace_ask(tracing);
}

static const struct http_route routes[] = {
    {"GET", "/admin/trace/{}/{}", trace_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
};
const struct http_route_table trace_routes = HTTP_ROUTE_TABLE(routes);
