#pragma once
/* POST to a node that is not trusted yet, over libcurl; for joining.c, on one connection, so that a load balancer in
 * front brings all of an exchange to the same node. Its certificate is not looked at: what is said authenticates
 * itself (proto/join.h). Blocks. */
#include "proto/buffer.h"

struct join_http;

/* `address`: host:port. */
struct join_http *join_http_new(const char *address);
void join_http_free(struct join_http *http);

struct join_http_answer {
    long status;        /* HTTP's */
    struct buffer body; /* at most JOIN_ANSWER_BYTES_MAX */
    char error[256];    /* without a whole answer: why, for people */
};
void join_http_answer_init(struct join_http_answer *answer);
void join_http_answer_close(struct join_http_answer *answer);

/* STATUS_OK: a whole answer came, whatever its status. STATUS_SERVICE_UNAVAILABLE: it did not. */
int join_http_post(struct join_http *http, struct bytes body, struct join_http_answer *answer);
