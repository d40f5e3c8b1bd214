#pragma once
/* REST calls of the generator: libcurl's multi interface on the bench's loop, many at a time, connections kept. */
#include <curl/curl.h>

#include "bench/address.h"
#include "bench/loop.h"
#include "proto/buffer.h"

struct transfer;

struct http {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;
    const char *ca_file; /* NULL: the system's authorities. Kept. */
    struct transfer *transfers;
};

struct http_answer {
    long status;        /* 0: no answer came */
    struct bytes body;  /* borrowed */
    long retry_after_s; /* 0: not said */
    const char *error;  /* in words when no answer came */
};

typedef void http_on_done(void *context, const struct http_answer *answer);

struct http_call {
    const char *method; /* "GET" or "POST" */
    const struct address *address;
    const char *target;         /* path and query, sent as they are */
    const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
    struct bytes body;          /* POST only */
    long timeout_ms;            /* 0: 30 seconds */
    http_on_done *on_done;
    void *context;
};

void http_init(struct http *http, struct loop *loop, const char *ca_file, unsigned connections_max);
/* Calls still under way end now, with status 0. */
void http_close(struct http *http);

/* Starts a call; everything in it is copied. `on_done` comes from a later turn of the loop. */
void http_send(struct http *http, const struct http_call *call);
