#include "node/gateway/http_response.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/check.h"

#define REQUEST_ID_BYTES_MAX 128
#define ORIGIN_BYTES_MAX 512
#define REQUESTED_HEADERS_BYTES_MAX 2048

/* Contract 1.1: the versions that are accepted, by surface. */
static const char chat_versions[] = "2021-03-07, 2021-09-07, 2023-11-07, 2024-03-07, 2025-03-15";
static const char identity_versions[] = "2021-03-07, 2022-06-01, 2022-10-01, 2023-10-01, 2025-06-30";
/* Contract 1.3, what browsers' SDKs are known to ask for; used when a preflight names nothing that can be echoed. */
static const char default_request_headers[] =
    "authorization, content-type, accept, x-ms-client-request-id, x-ms-useragent, repeatability-request-id, x-ms-date, "
    "x-ms-content-sha256, x-skypetoken";

static const char *reason_of(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {207, "Multi-Status"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Request Entity Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Status";
}

bool http_response_is_header_value(struct bytes value) {
    for (size_t i = 0; i < value.size; i++) {
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7F)
            return false;
    }
    return bytes_is_present(value);
}

static bool is_made_of(struct bytes value, const char *marks, size_t size_max) {
    if (value.size == 0 || value.size > size_max)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        bool is_letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter_or_digit && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return true;
}

static struct bytes find_request_header(h2o_req_t *request, const char *name) {
    ssize_t index = h2o_find_header_by_str(&request->headers, name, strlen(name), -1);
    if (index < 0)
        return BYTES_ABSENT;
    return bytes_of(request->headers.entries[index].value.base, request->headers.entries[index].value.len);
}

static void add_header(h2o_req_t *request, const char *name, struct bytes value) {
    h2o_iovec_t copy = h2o_strdup(&request->pool, (const char *)value.data, value.size);
    h2o_add_header_by_str(&request->pool, &request->res.headers, name, strlen(name), 0, NULL, copy.base, copy.len);
}

static void add_header_text(h2o_req_t *request, const char *name, const char *value) {
    h2o_add_header_by_str(&request->pool, &request->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

/* splitmix64: correlation ids must differ, not be secret. */
static uint64_t next_random(struct http_server *server) {
    server->random += 0x9E3779B97F4A7C15ULL;
    uint64_t mixed = server->random;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
    return mixed ^ (mixed >> 31);
}

/* Tells the client how long an idle connection is kept, so that it does not send the next request into one that is
 * being closed (RFC 2068, 19.7.1; pools of Node.js and browsers obey it). */
static void add_keep_alive(struct http_server *server, h2o_req_t *request) {
    char text[40];
    int size = snprintf(text, sizeof(text), "timeout=%" PRIu64, (uint64_t)server->config.http1.req_timeout / 1000);
    if (request->http1_is_persistent)
        add_header(request, "keep-alive", bytes_of(text, (size_t)size));
}

static void add_correlation(struct http_server *server, h2o_req_t *request) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[22 + 2];
    uint64_t bits = 0;
    for (size_t i = 0; i < 22; i++) {
        if (i % 10 == 0)
            bits = next_random(server);
        text[i] = alphabet[bits & 63];
        bits >>= 6;
    }
    memcpy(text + 22, ".0", 2);
    add_header(request, "MS-CV", bytes_of(text, sizeof(text)));
}

static void add_processing_time(h2o_req_t *request, uint64_t started_ns) {
    char text[32];
    uint64_t now_ns = uv_hrtime();
    uint64_t spent_ms = started_ns == 0 || now_ns < started_ns ? 0 : (now_ns - started_ns) / 1000000;
    int size = snprintf(text, sizeof(text), "%" PRIu64 "ms", spent_ms);
    add_header(request, "X-Processing-Time", bytes_of(text, (size_t)size));
}

static void add_cors(h2o_req_t *request) {
    struct bytes origin = find_request_header(request, "origin");
    if (is_made_of(origin, ":/.-_[]", ORIGIN_BYTES_MAX))
        add_header(request, "Access-Control-Allow-Origin", origin);
    else
        add_header_text(request, "Access-Control-Allow-Origin", "*");
    /* Also without an Origin: a cache must not give the "*" of one client to another. */
    add_header_text(request, "Vary", "Origin");
    add_header_text(request, "Access-Control-Expose-Headers", "*");
}

/* A browser applies it to the name whatever the port, so on "localhost" it would break a developer's other servers. */
static bool wants_strict_transport(const h2o_req_t *request) {
    struct bytes host = bytes_of(request->input.authority.base, request->input.authority.len);
    return request->input.scheme == &H2O_URL_SCHEME_HTTPS && !bytes_equal_text(host, "localhost") &&
           !bytes_starts_with(host, "localhost:");
}

static void add_common_headers(struct http_server *server, h2o_req_t *request, struct bytes path_start,
                               uint64_t started_ns) {
    bool is_identity = bytes_equal_text(path_start, "identities") || bytes_equal_text(path_start, "teamsUser");
    add_header_text(request, "api-supported-versions", is_identity ? identity_versions : chat_versions);
    add_correlation(server, request);
    add_keep_alive(server, request);
    add_processing_time(request, started_ns);
    struct bytes request_id = find_request_header(request, "x-ms-client-request-id");
    if (is_made_of(request_id, "!#$%&'*+-.^_`|~", REQUEST_ID_BYTES_MAX))
        add_header(request, "x-ms-client-request-id", request_id);
    if (wants_strict_transport(request))
        add_header_text(request, "Strict-Transport-Security", "max-age=31536000");
    add_header_text(request, "X-Content-Type-Options", "nosniff");
    add_cors(request);
}

static void add_content_type(h2o_req_t *request, const char *content_type) {
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                   strlen(content_type));
}

static bool may_have_content_length(int status) {
    return status >= 200 && status != 204 && status != 304;
}

static void send_body(struct http_server *server, h2o_req_t *request, struct bytes body, bool is_static) {
    static h2o_generator_t generator = {NULL, NULL};
    request->res.content_length = may_have_content_length(request->res.status) ? body.size : SIZE_MAX;
    bool is_head = h2o_memis(request->input.method.base, request->input.method.len, H2O_STRLIT("HEAD"));
    size_t count = body.size == 0 || is_head ? 0 : 1;
    h2o_iovec_t vector = h2o_iovec_init(body.data, body.size);
    if (count > 0 && !is_static)
        vector = h2o_strdup(&request->pool, vector.base, vector.len);
    server->is_sending = true;
    h2o_start_response(request, &generator);
    server->is_sending = false;
    h2o_send(request, &vector, count, H2O_SEND_STATE_FINAL);
}

static bool has_header(const struct http_response *response, const char *name) {
    for (size_t i = 0; i < response->headers_count; i++) {
        struct bytes header = response->headers[i].name;
        if (h2o_lcstris((const char *)header.data, header.size, name, strlen(name)))
            return true;
    }
    return false;
}

static void start_answer(h2o_req_t *request, int status) {
    check(status >= 200 && status <= 599);
    request->res.status = status;
    request->res.reason = reason_of(status);
}

void http_response_send(struct http_server *server, h2o_req_t *request, const struct http_response *response) {
    start_answer(request, response->status);
    if (response->content_type != NULL && bytes_is_present(response->body))
        add_content_type(request, response->content_type);
    for (size_t i = 0; i < response->headers_count; i++) {
        h2o_iovec_t name =
            h2o_strdup(&request->pool, (const char *)response->headers[i].name.data, response->headers[i].name.size);
        add_header(request, name.base, response->headers[i].value);
    }
    if ((response->status == 429 || response->status == 503) && !has_header(response, "retry-after"))
        add_header_text(request, "Retry-After", H2O_TO_STR(HTTP_RETRY_AFTER_S));
    add_common_headers(server, request, response->path_start, response->started_ns);
    send_body(server, request, response->body, response->is_body_static);
}

void http_response_send_preflight(struct http_server *server, h2o_req_t *request) {
    start_answer(request, 204);
    add_header_text(request, "Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS");
    struct bytes wanted = find_request_header(request, "access-control-request-headers");
    if (is_made_of(wanted, "!#$%&'*+-.^_`|~, ", REQUESTED_HEADERS_BYTES_MAX))
        add_header(request, "Access-Control-Allow-Headers", wanted);
    else
        add_header_text(request, "Access-Control-Allow-Headers", default_request_headers);
    add_header_text(request, "Access-Control-Max-Age", "86400");
    add_common_headers(server, request, BYTES_ABSENT, 0);
    send_body(server, request, BYTES_ABSENT, true);
}

struct replaced_body {
    h2o_ostream_t super;
    struct bytes body;
};

static void send_replaced(h2o_ostream_t *stream, h2o_req_t *request, h2o_iovec_t *buffers, size_t count,
                          h2o_send_state_t state) {
    (void)buffers;
    (void)count;
    struct replaced_body *replaced = (struct replaced_body *)stream;
    h2o_iovec_t vector = h2o_iovec_init(replaced->body.data, replaced->body.size);
    h2o_ostream_send_next(&replaced->super, request, &vector, 1, state);
}

static int status_code_of_h2o(int http_status) {
    switch (http_status) {
    case 404:
        return STATUS_NOT_FOUND;
    case 413:
        return STATUS_REQUEST_ENTITY_TOO_LARGE;
    default:
        return http_status >= 500 ? STATUS_INTERNAL_ERROR : STATUS_BAD_REQUEST;
    }
}

void http_response_replace(struct http_server *server, h2o_req_t *request, h2o_ostream_t **slot) {
    struct arena arena;
    arena_init(&arena);
    struct problem problem = {.rc = status_code_of_h2o(request->res.status)};
    struct bytes body = problem_body(&arena, &problem);
    h2o_iovec_t copy = h2o_strdup(&request->pool, (const char *)body.data, body.size);
    arena_close(&arena);
    request->res.headers = (h2o_headers_t){NULL, 0, 0};
    request->res.content_length = copy.len;
    request->res.reason = reason_of(request->res.status);
    add_content_type(request, "application/json; charset=utf-8");
    add_common_headers(server, request, BYTES_ABSENT, 0);
    struct replaced_body *replaced = (struct replaced_body *)h2o_add_ostream(request, sizeof(*replaced), slot);
    replaced->super.do_send = send_replaced;
    replaced->body = bytes_of(copy.base, copy.len);
}
