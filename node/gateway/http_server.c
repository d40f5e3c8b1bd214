#include "node/gateway/http_server.h"

#include <h2o/http1.h>
#include <stdlib.h>
#include <sys/random.h>

#include "node/gateway/http_response.h"
#include "proto/check.h"
#include "proto/limits.h"

#define REQUEST_TIMEOUT_MS_DEFAULT 10000
#define HANDSHAKE_TIMEOUT_MS_DEFAULT 10000
#define HOST_BYTES_MAX 262 /* a name of 255 bytes, ":" and a port */
/* h2o cuts the connection when a body is over its own bound, and a client that is still writing may then lose the
 * answer. So bodies that are over by less than this are read and refused in peace. */
#define BODY_BYTES_READ(bytes_max) (2 * (bytes_max))

/* h2o keeps up to 16 freed chunks of 4 KB for each thread; pieces of this size come four from a chunk. */
#define CACHED_CHUNKS_MAX 16
#define CHUNK_PIECE_BYTES 1000
#define CHUNK_PIECES 4

struct request_handler {
    h2o_handler_t super;
    struct http_server *server;
};

struct answer_filter {
    h2o_filter_t super;
    struct http_server *server;
};

static struct bytes bytes_of_vector(h2o_iovec_t vector) {
    return bytes_of(vector.base == NULL ? "" : vector.base, vector.len);
}

/* ---- The life of a call ---- */

static void on_request_disposed(void *memory) {
    struct http_exchange *exchange = memory;
    if (exchange->call != NULL)
        exchange->call->exchange = NULL;
}

struct http_call *http_call_new(struct http_server *server) {
    struct http_call *call = calloc(1, sizeof(*call));
    check(call != NULL);
    call->server = server;
    call->worker = server->worker;
    call->next = server->waiting;
    call->link = &server->waiting;
    if (call->next != NULL)
        call->next->link = &call->next;
    server->waiting = call;
    arena_init(&call->arena);
    return call;
}

static struct http_call *call_of_request(struct http_server *server, h2o_req_t *request) {
    struct http_call *call = http_call_new(server);
    call->exchange = h2o_mem_alloc_shared(&request->pool, sizeof(*call->exchange), on_request_disposed);
    *call->exchange = (struct http_exchange){.request = request, .call = call, .started_ns = uv_hrtime()};
    return call;
}

void http_call_free(struct http_call *call) {
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    if (call->exchange != NULL)
        call->exchange->call = NULL;
    arena_close(&call->arena);
    free(call);
}

h2o_req_t *http_call_request(const struct http_call *call) {
    return call->exchange == NULL ? NULL : call->exchange->request;
}

/* ---- From h2o's request to a call ---- */

static bool is_host(struct bytes host) {
    if (host.size == 0 || host.size > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        uint8_t c = host.data[i];
        bool is_letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter_or_digit && (c == '\0' || strchr(".-_:[]", c) == NULL))
            return false;
    }
    return true;
}

/* Each proxy appends, so what the nearest one, the one that is trusted, has seen stands last. */
static struct bytes last_of_list(struct bytes list) {
    size_t start = list.size;
    while (start > 0 && list.data[start - 1] != ',')
        start--;
    while (start < list.size && list.data[start] == ' ')
        start++;
    return bytes_of(list.data + start, list.size - start);
}

static struct bytes find_forwarded(struct http_call *call, const char *name) {
    if (!call->server->options.is_forwarded_trusted)
        return BYTES_ABSENT;
    struct bytes value = http_call_find_header(call, name);
    return bytes_is_present(value) ? last_of_list(value) : BYTES_ABSENT;
}

static struct bytes peer_address(struct http_call *call, h2o_req_t *request) {
    struct sockaddr_storage address;
    char text[NI_MAXHOST];
    socklen_t size = request->conn->callbacks->get_peername(request->conn, (struct sockaddr *)&address);
    if (size == 0)
        return BYTES_LITERAL("");
    size_t text_size = h2o_socket_getnumerichost((struct sockaddr *)&address, size, text);
    return text_size == SIZE_MAX ? BYTES_LITERAL("") : arena_copy(&call->arena, bytes_of(text, text_size));
}

static struct bytes client_address(struct http_call *call, h2o_req_t *request) {
    struct bytes forwarded = find_forwarded(call, "x-forwarded-for");
    unsigned char parsed[sizeof(struct in6_addr)];
    if (bytes_is_present(forwarded)) {
        const char *text = arena_text(&call->arena, forwarded);
        if (uv_inet_pton(AF_INET, text, parsed) == 0 || uv_inet_pton(AF_INET6, text, parsed) == 0)
            return forwarded;
    }
    return peer_address(call, request);
}

static int read_host(struct http_call *call, h2o_req_t *request, struct problem *problem) {
    struct bytes forwarded = find_forwarded(call, "x-forwarded-host");
    call->host =
        bytes_is_present(forwarded) ? forwarded : arena_copy(&call->arena, bytes_of_vector(request->input.authority));
    /* h2o puts the configured name in the place of a header that is missing. */
    bool is_missing = request->input.authority.base == request->hostconf->authority.hostport.base;
    if (is_missing || !is_host(call->host))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "Host",
                           "The Host header is missing or malformed.");
    return 0;
}

static int read_request(struct http_call *call, h2o_req_t *request, struct problem *problem) {
    /* Copied, not borrowed: a call may outlive its connection while its answer is being worked out. */
    call->method = arena_copy(&call->arena, bytes_of_vector(request->input.method));
    call->raw_target = arena_copy(&call->arena, bytes_of_vector(request->input.path));
    call->body = arena_copy(&call->arena, bytes_of_vector(request->entity));
    call->is_tls = request->input.scheme == &H2O_URL_SCHEME_HTTPS;
    call->client_address = client_address(call, request);
    int rc = read_host(call, request, problem);
    if (rc != 0)
        return rc;
    if (target_parse(&call->arena, call->raw_target, &call->target) != 0)
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, NULL, "The path of the request is malformed.");
    size_t body_bytes_max = call->server->options.body_bytes_max;
    if (call->body.size > body_bytes_max)
        return problem_set(problem, &call->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, NULL,
                           "The body has %zu bytes; at most %zu are accepted.", call->body.size, body_bytes_max);
    if (call->server->is_stopping)
        return problem_set(problem, &call->arena, STATUS_SHUTTING_DOWN, NULL, "%s",
                           status_sentence(STATUS_SHUTTING_DOWN));
    return 0;
}

static int on_request(h2o_handler_t *handler, h2o_req_t *request) {
    struct http_server *server = ((struct request_handler *)handler)->server;
    server->requests++;
    if (h2o_memis(request->input.method.base, request->input.method.len, H2O_STRLIT("OPTIONS"))) {
        http_response_send_preflight(server, request);
        return 0;
    }
    struct http_call *call = call_of_request(server, request);
    struct problem problem = {.rc = 0};
    if (read_request(call, request, &problem) != 0)
        http_call_refuse(call, &problem);
    else
        server->handler(server->worker, call);
    return 0;
}

static void on_answer(h2o_filter_t *filter, h2o_req_t *request, h2o_ostream_t **slot) {
    struct http_server *server = ((struct answer_filter *)filter)->server;
    if (!server->is_sending) {
        http_response_replace(server, request, slot);
        slot = &(*slot)->next;
    }
    h2o_setup_next_ostream(request, slot);
}

/* ---- The server ---- */

static void configure(struct http_server *server) {
    const struct http_options *options = &server->options;
    h2o_globalconf_t *config = &server->config;
    h2o_config_init(config);
    config->server_name = h2o_iovec_init(H2O_STRLIT("Weft"));
    config->max_request_entity_size = BODY_BYTES_READ(options->body_bytes_max);
    config->http1.upgrade_to_http2 = 0;
    config->http1.req_timeout =
        options->request_timeout_ms == 0 ? REQUEST_TIMEOUT_MS_DEFAULT : options->request_timeout_ms;
    config->handshake_timeout =
        options->handshake_timeout_ms == 0 ? HANDSHAKE_TIMEOUT_MS_DEFAULT : options->handshake_timeout_ms;
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    /* On the fallback path, which takes every target whatever its form; and h2o's own errors go through it. */
    struct request_handler *handler =
        (struct request_handler *)h2o_create_handler(&host->fallback_path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->server = server;
    struct answer_filter *filter = (struct answer_filter *)h2o_create_filter(&host->fallback_path, sizeof(*filter));
    filter->super.on_setup_ostream = on_answer;
    filter->server = server;
}

struct http_server *http_server_new(struct worker *worker, uv_loop_t *loop, http_handler handler,
                                    const struct http_options *options, SSL_CTX *tls) {
    struct http_server *server = calloc(1, sizeof(*server));
    check(server != NULL);
    server->worker = worker;
    server->handler = handler;
    server->options = *options;
    if (server->options.body_bytes_max == 0)
        server->options.body_bytes_max = LIMIT_REQUEST_BODY_BYTES_MAX;
    check(getrandom(&server->random, sizeof(server->random), 0) == (ssize_t)sizeof(server->random));
    h2o_mem_init_pool(&server->cached_chunks);
    configure(server);
    h2o_context_init(&server->context, loop, &server->config);
    server->accept_plain = (h2o_accept_ctx_t){.ctx = &server->context, .hosts = server->config.hosts};
    server->accept_tls = server->accept_plain;
    server->accept_tls.ssl_ctx = tls;
    return server;
}

void http_server_accept(struct http_server *server, h2o_socket_t *socket, bool is_tls) {
    h2o_accept(is_tls ? &server->accept_tls : &server->accept_plain, socket);
}

void http_server_end_keep_alive(struct http_server *server) {
    /* Not h2o_context_request_shutdown: it also starts a timer for HTTP/2, which would have to run out first. */
    server->context.shutdown_requested = 1;
}

void http_server_stop(struct http_server *server) {
    server->is_stopping = true;
    http_server_end_keep_alive(server);
    for (struct http_call *call = server->waiting; call != NULL; call = call->next) {
        const struct http_call_hooks *hooks = call->hooks;
        call->hooks = NULL;
        if (hooks != NULL && hooks->on_stop != NULL)
            hooks->on_stop(call);
        if (call->exchange == NULL)
            continue;
        struct problem problem = {.rc = STATUS_SHUTTING_DOWN};
        struct http_response response = {
            .status = status_http(problem.rc),
            .content_type = "application/json; charset=utf-8",
            .body = problem_body(&call->arena, &problem),
            .started_ns = call->exchange->started_ns,
        };
        struct http_exchange *exchange = call->exchange;
        exchange->call = NULL;
        call->exchange = NULL;
        exchange->request->http1_is_persistent = 0;
        http_response_send(server, exchange->request, &response);
    }
}

void http_server_close(struct http_server *server) {
    h2o_context_dispose(&server->context);
}

void http_server_gather_caches(struct http_server *server) {
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt > 0)
        free(h2o_mem_alloc_recycle(buffers, h2o_socket_buffer_prototype._initial_buf.capacity));
    h2o_mem_init_pool(&server->cached_chunks);
    for (int i = 0; i < (CACHED_CHUNKS_MAX + 1) * CHUNK_PIECES; i++)
        (void)h2o_mem_alloc_pool(&server->cached_chunks, CHUNK_PIECE_BYTES);
}

void http_server_free(struct http_server *server) {
    h2o_mem_clear_pool(&server->cached_chunks);
    while (server->waiting != NULL)
        http_call_free(server->waiting);
    h2o_config_dispose(&server->config);
    free(server);
}
