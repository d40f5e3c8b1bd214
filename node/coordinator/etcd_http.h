#pragma once
/* POST over libcurl for etcd.c and its parts, which do not see curl. A connection serves one thread at a time and
 * keeps its sockets open between requests; any thread may interrupt it. */
#include "proto/buffer.h"

struct etcd_tls {
    const char *ca_file; /* "": the system's */
    const char *cert_file;
    const char *key_file;
};

struct etcd_http;

/* Monotonic. */
int64_t etcd_now_ms(void);

/* `tls` is borrowed until etcd_http_free. */
struct etcd_http *etcd_http_new(const struct etcd_tls *tls);
void etcd_http_free(struct etcd_http *http);

/* From any thread: the request that is running, and every later one, ends at once. */
void etcd_http_interrupt(struct etcd_http *http);
/* Waits that long, or until interrupted. */
void etcd_http_pause(struct etcd_http *http, int64_t ms);

struct etcd_http_request {
    const char *endpoint; /* "https://127.0.0.1:2379" */
    const char *path;
    const char *token; /* NULL: none */
    struct bytes body;
    int64_t connect_ms_max;
    int64_t ms_max;       /* 0: as long as it takes */
    bool must_not_repeat; /* curl sends again what a kept connection seems to have lost; this takes a new one */

    /* For answers that come line by line: false ends the request. NULL: the answer is gathered. */
    bool (*on_line)(void *context, struct bytes line);
    /* Called when nothing has come for `idle_ms`, again and again; false ends the request. NULL: never. */
    bool (*on_idle)(void *context);
    int64_t idle_ms;
    void *context;
};

struct etcd_http_answer {
    long status;        /* HTTP's; 0: none came */
    bool was_sent;      /* etcd may have seen the request */
    struct buffer body; /* not for lines; at most ETCD_HTTP_BYTES_MAX */
    char error[256];    /* when there is no whole answer: why, for people */
};

#define ETCD_HTTP_BYTES_MAX (64 << 20) /* of an answer or of a line: far above all that a cluster keeps in etcd */

void etcd_http_answer_init(struct etcd_http_answer *answer);
void etcd_http_answer_close(struct etcd_http_answer *answer);

/* STATUS_OK: a whole answer came, whatever its status. STATUS_SERVICE_UNAVAILABLE: it did not. STATUS_SHUTTING_DOWN:
 * interrupted, or ended by on_line or on_idle. */
int etcd_http_post(struct etcd_http *http, const struct etcd_http_request *request, struct etcd_http_answer *answer);
