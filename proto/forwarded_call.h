#pragma once
/* An HTTP call on its way from the node that a client is connected to, to the node that leads what the call is about,
 * and the answer on its way back. The client has been authenticated by the first node: who it is comes with the call,
 * its credentials do not. MessagePack; what is longer than the bounds below is not a call. */
#include "proto/msgpack_codec.h"

#define FORWARDED_HEADERS_MAX 16
#define FORWARDED_TARGET_BYTES_MAX (16 * 1024)
#define FORWARDED_HEADER_BYTES_MAX (16 * 1024)       /* of a value; a name is at most 64 bytes */
#define FORWARDED_CALL_BODY_MAX (16 * 1024 * 1024)   /* what request_body_bytes_max may be set to */
#define FORWARDED_REPLY_BODY_MAX (128 * 1024 * 1024) /* far above what LIMIT_PAGE_BYTES_MAX lets a page become */

struct forwarded_header {
    struct bytes name; /* in lower case */
    struct bytes value;
};

struct forwarded_call {
    struct bytes method;
    struct bytes target; /* path and query as on the request line */
    struct forwarded_header *headers;
    size_t headers_count;
    struct bytes body;
    struct bytes origin; /* "https://host[:port]" by which the client knows the service; absent: no links are wanted */
    struct bytes client_address; /* without port */
    struct bytes user_id;        /* who calls; absent: a trusted service, by access key */
    uint32_t scopes;             /* of the user's token, enum token_scope */
    int64_t token_issued_s;
    int64_t token_expires_s;
    struct bytes operation_id; /* what the call makes, or a name for it, the same in every attempt; may be absent */
};

void forwarded_call_encode(const struct forwarded_call *call, struct buffer *out);
/* STATUS_MALFORMED. Everything is borrowed from `encoded` and `arena`. */
int forwarded_call_decode(struct bytes encoded, struct arena *arena, struct forwarded_call *call);

struct forwarded_reply {
    uint32_t status; /* 200 to 599 */
    struct forwarded_header *headers;
    size_t headers_count;
    struct bytes body; /* JSON; absent: none */
};

void forwarded_reply_encode(const struct forwarded_reply *reply, struct buffer *out);
/* As forwarded_call_decode. */
int forwarded_reply_decode(struct bytes encoded, struct arena *arena, struct forwarded_reply *reply);
