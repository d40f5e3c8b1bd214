#include <h2o.h>
#include <h2o/http1.h>
#include <string.h>

#include "node/gateway/http_server.h"
#include "node/gateway/websocket_parts.h"
#include "proto/check.h"

bool websocket_is_requested(struct http_call *call) {
    h2o_req_t *request = http_call_request(call);
    return request != NULL && h2o_lcstris(request->upgrade.base, request->upgrade.len, H2O_STRLIT("websocket"));
}

struct bytes websocket_offered_subprotocols(struct http_call *call) {
    return http_call_find_header(call, "sec-websocket-protocol");
}

static int refuse_upgrade(struct http_call *call, const char *sentence) {
    struct problem problem = {.rc = STATUS_BAD_REQUEST, .message = bytes_of_text(sentence)};
    http_call_set_header(call, "Upgrade", BYTES_LITERAL("websocket"));
    http_call_set_header(call, "Sec-WebSocket-Version", BYTES_LITERAL("13"));
    http_call_reply(call, 426, problem_body(&call->arena, &problem));
    return STATUS_BAD_REQUEST;
}

static int refuse_handshake(struct http_call *call, const char *target, const char *sentence) {
    struct problem problem = {
        .rc = STATUS_BAD_REQUEST, .message = bytes_of_text(sentence), .target = bytes_of_text(target)};
    http_call_refuse(call, &problem);
    return STATUS_BAD_REQUEST;
}

/* Answers the call if it is not a proper handshake (RFC 6455, 4.2.1). */
static int check_handshake(struct http_call *call, char accept[WEBSOCKET_ACCEPT_BYTES]) {
    if (!websocket_is_requested(call))
        return refuse_upgrade(call, "This resource is a WebSocket; the request does not ask for an upgrade to one.");
    if (!bytes_equal_text(call->method, "GET") || http_call_request(call)->version < 0x101 || call->body.size > 0)
        return refuse_handshake(call, NULL, "A WebSocket handshake is a GET of HTTP/1.1 without a body.");
    if (!bytes_equal_text(http_call_find_header(call, "sec-websocket-version"), "13"))
        return refuse_upgrade(call, "Only version 13 of the WebSocket protocol is supported.");
    if (websocket_accept_key(http_call_find_header(call, "sec-websocket-key"), accept) != 0)
        return refuse_handshake(call, "Sec-WebSocket-Key", "Sec-WebSocket-Key must be the base64 form of 16 bytes.");
    return 0;
}

static void on_upgraded(void *user, h2o_socket_t *socket, size_t request_size) {
    struct websocket *websocket = user;
    websocket->is_upgrading = false;
    websocket_mark_dirty(websocket);
    if (socket == NULL) {
        websocket_end(websocket);
        return;
    }
    websocket->socket = socket;
    websocket->descriptor = h2o_socket_get_fd(socket);
    websocket->is_plain = socket->ssl == NULL;
    socket->data = websocket;
    h2o_buffer_consume(&socket->input, request_size);
    if (websocket->state == WEBSOCKET_OPENING)
        websocket_set_state(websocket, WEBSOCKET_OPEN);
    if (websocket->state == WEBSOCKET_ENDED)
        return;
    h2o_socket_read_start(socket, websocket_on_read);
    websocket_consume_input(websocket);
}

static void add_header(h2o_req_t *request, const char *name, const char *value, size_t size) {
    h2o_iovec_t copy = h2o_strdup(&request->pool, value, size);
    h2o_add_header_by_str(&request->pool, &request->res.headers, name, strlen(name), 0, NULL, copy.base, copy.len);
}

int websocket_accept(struct http_call *call, const struct websocket_options *options, struct websocket **out) {
    *out = NULL;
    char accept[WEBSOCKET_ACCEPT_BYTES];
    int rc = check_handshake(call, accept);
    if (rc != 0)
        return rc;
    h2o_req_t *request = http_call_request(call);
    struct websocket *websocket = websocket_new(call->server->websockets, options);
    request->res.status = 101;
    request->res.reason = "Switching Protocols";
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_UPGRADE, NULL, H2O_STRLIT("websocket"));
    add_header(request, "Sec-WebSocket-Accept", accept, sizeof(accept));
    if (options->subprotocol != NULL) {
        check(websocket_list_has(websocket_offered_subprotocols(call), bytes_of_text(options->subprotocol)));
        add_header(request, "Sec-WebSocket-Protocol", options->subprotocol, strlen(options->subprotocol));
    }
    http_call_free(call);
    h2o_http1_upgrade(request, NULL, 0, on_upgraded, websocket);
    *out = websocket;
    return 0;
}
