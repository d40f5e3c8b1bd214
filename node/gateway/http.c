#include "node/gateway/http.h"

#include "node/gateway/http_response.h"
#include "node/gateway/http_server.h"
#include "proto/check.h"

#define JSON_CONTENT_TYPE "application/json; charset=utf-8"

struct bytes http_call_query(struct http_call *call, const char *name) {
    return target_query_find(&call->arena, &call->target, name);
}

static struct bytes find_forwarded_header(const struct http_call *call, const char *name) {
    for (size_t i = 0; i < call->headers_count; i++)
        if (bytes_equal_text(call->headers[i].name, name))
            return call->headers[i].value;
    return BYTES_ABSENT;
}

struct bytes http_call_find_header(struct http_call *call, const char *name) {
    h2o_req_t *request = http_call_request(call);
    if (request == NULL)
        return find_forwarded_header(call, name);
    ssize_t index = h2o_find_header_by_str(&request->headers, name, strlen(name), -1);
    if (index < 0)
        return BYTES_ABSENT;
    h2o_iovec_t value = request->headers.entries[index].value;
    return arena_copy(&call->arena, bytes_of(value.base, value.len));
}

static const char *scheme_of(struct http_call *call) {
    if (call->server->options.is_forwarded_trusted) {
        struct bytes forwarded = http_call_find_header(call, "x-forwarded-proto");
        if (bytes_equal_text(forwarded, "https"))
            return "https";
        if (bytes_equal_text(forwarded, "http"))
            return "http";
    }
    return call->is_tls ? "https" : "http";
}

struct bytes http_call_public_origin(struct http_call *call) {
    if (bytes_is_present(call->public_origin))
        return call->public_origin;
    const char *configured = call->server->options.public_url;
    if (configured == NULL)
        return arena_printf(&call->arena, "%s://%.*s", scheme_of(call), BYTES_ARG(call->host));
    struct bytes origin = bytes_of_text(configured);
    while (origin.size > 0 && origin.data[origin.size - 1] == '/')
        origin.size--;
    return arena_copy(&call->arena, origin);
}

void http_call_set_header(struct http_call *call, const char *name, struct bytes value) {
    check(call->reply_headers_count < HTTP_HEADERS_MAX);
    if (!http_response_is_header_value(value))
        return;
    call->reply_headers[call->reply_headers_count++] =
        (struct http_header){.name = bytes_of_text(name), .value = arena_copy(&call->arena, value)};
}

bool http_call_is_awaited(const struct http_call *call) {
    return call->exchange != NULL || (call->hooks != NULL && call->hooks->on_answer != NULL);
}

static void answer_client(struct http_call *call, h2o_req_t *request, int status, const char *content_type,
                          struct bytes body, bool is_body_static) {
    struct http_response response = {
        .status = status,
        .content_type = content_type,
        .body = body,
        .is_body_static = is_body_static,
        .headers = call->reply_headers,
        .headers_count = call->reply_headers_count,
        .path_start = call->target.segments_count > 0 ? call->target.segments[0] : BYTES_ABSENT,
        .started_ns = call->exchange->started_ns,
    };
    /* Untied first: from here on h2o may end the request at any time. */
    call->exchange->call = NULL;
    call->exchange = NULL;
    http_response_send(call->server, request, &response);
}

static void answer_hooks(struct http_call *call, int status, struct bytes body) {
    struct http_answer answer = {
        .status = status, .body = body, .headers = call->reply_headers, .headers_count = call->reply_headers_count};
    call->hooks->on_answer(call, &answer);
}

static void answer(struct http_call *call, int status, const char *content_type, struct bytes body,
                   bool is_body_static) {
    h2o_req_t *request = http_call_request(call);
    if (call->hooks != NULL && call->hooks->on_answer != NULL)
        answer_hooks(call, status, body);
    else if (request != NULL)
        answer_client(call, request, status, content_type, body, is_body_static);
    http_call_free(call);
}

void http_call_reply(struct http_call *call, int status, struct bytes body) {
    answer(call, status, JSON_CONTENT_TYPE, body, false);
}

void http_call_reply_text(struct http_call *call, int status, const char *content_type, struct bytes body) {
    answer(call, status, content_type, body, false);
}

void http_call_reply_static(struct http_call *call, int status, const char *content_type, struct bytes body) {
    answer(call, status, content_type, body, true);
}

void http_call_refuse(struct http_call *call, const struct problem *problem) {
    check(problem->rc != 0);
    if (call->hooks != NULL && call->hooks->on_refusal != NULL && call->hooks->on_refusal(call, problem->rc))
        return;
    answer(call, status_http(problem->rc), JSON_CONTENT_TYPE, problem_body(&call->arena, problem), false);
}

void http_call_refuse_status(struct http_call *call, int rc) {
    struct problem problem = {.rc = rc};
    http_call_refuse(call, &problem);
}
