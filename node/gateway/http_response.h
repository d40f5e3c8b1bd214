#pragma once
/* What every answer of the gateway has in common: the contract's headers, CORS, and how it goes to h2o. Private to the
 * gateway's own files. */
#include "node/gateway/http_server.h"

struct http_response {
    int status;
    const char *content_type; /* static; NULL: none */
    struct bytes body;        /* absent: none */
    bool is_body_static;      /* false: copied */
    const struct http_header *headers;
    size_t headers_count;
    struct bytes path_start; /* the first path segment, tells which API answers; may be absent */
    uint64_t started_ns;
};

/* Sends it. Headers and body are borrowed until return. */
void http_response_send(struct http_server *server, h2o_req_t *request, const struct http_response *response);

/* Answers a preflight (contract 1.3, "Browser CORS"): 204, no authorization asked. */
void http_response_send_preflight(struct http_server *server, h2o_req_t *request);

/* Turns an error answer that h2o makes by itself into one of ours, from within a filter. */
void http_response_replace(struct http_server *server, h2o_req_t *request, h2o_ostream_t **slot);

/* True if the value can be sent as a header's value. */
bool http_response_is_header_value(struct bytes value);
