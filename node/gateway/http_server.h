#pragma once
/* h2o on one worker's loop: configuration, requests in, one handler. Private to the gateway's own files; handlers
 * include http.h only. HTTP/1.1; HTTP/2 is off, so that its known flood attacks do not apply. */
#include <h2o.h>

#include "node/gateway/http.h"
#include "node/gateway/worker.h"

struct websocket_group;

struct http_server {
    struct worker *worker;
    http_handler handler;
    struct http_options options;
    struct websocket_group *websockets; /* borrowed; set before the first request */
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept_plain; /* h2o keeps pointing at these during a handshake */
    h2o_accept_ctx_t accept_tls;
    struct http_call *waiting; /* calls that are not answered yet */
    uint64_t random;           /* for correlation ids, not for secrets */
    uint64_t requests;
    h2o_mem_pool_t cached_chunks;
    bool is_sending; /* an answer of ours is on its way through the filters, not one that h2o made */
    bool is_stopping;
};

/* Ties a call to h2o's request: whichever ends first tells the other. Lives in the request's pool. */
struct http_exchange {
    h2o_req_t *request;
    struct http_call *call; /* NULL: answered */
    uint64_t started_ns;
};

struct http_server *http_server_new(struct worker *worker, uv_loop_t *loop, http_handler handler,
                                    const struct http_options *options, SSL_CTX *tls);
/* Takes the socket. */
void http_server_accept(struct http_server *server, h2o_socket_t *socket, bool is_tls);
/* From now on every answer ends its connection, so that clients come back elsewhere. */
void http_server_end_keep_alive(struct http_server *server);
/* Answers what is waiting, and everything that still comes, with 503. The owners of waiting calls answer into nothing.
 */
void http_server_stop(struct http_server *server);
/* When no connection is left; then let the loop close the handles before http_server_free. */
void http_server_close(struct http_server *server);
/* On the worker's thread, when it is about to end: h2o's caches of that thread would be lost with it. */
void http_server_gather_caches(struct http_server *server);
void http_server_free(struct http_server *server);

/* A call without a connection: whoever makes it sets hooks that take its answer. */
struct http_call *http_call_new(struct http_server *server);
/* The request of a call, NULL if there is no client, or no more. */
h2o_req_t *http_call_request(const struct http_call *call);
/* Ends the call without an answer of http.c: h2o has been told already, or the client is gone. */
void http_call_free(struct http_call *call);
