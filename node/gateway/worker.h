#pragma once
/* A gateway worker: one OS thread with its own loop, listening sockets, HTTP server, websockets and timers. Other
 * threads reach it only by worker_post, worker_drain and worker_stop. */
#include <openssl/ssl.h>

#include "node/gateway/http.h"
#include "node/gateway/listener.h"
#include "node/gateway/timer_wheel.h"
#include "node/mailbox.h"

struct http_options {
    const char *public_url;        /* "https://chat.example.org[:port]"; NULL: from the request */
    bool is_forwarded_trusted;     /* X-Forwarded-Host, -Proto and -For are believed */
    uint32_t request_timeout_ms;   /* a request has to arrive in that time; also how long an idle connection is kept; 0:
                                      10 s */
    size_t body_bytes_max;         /* of a request; 0: LIMIT_REQUEST_BODY_BYTES_MAX */
    uint32_t handshake_timeout_ms; /* TLS handshake; 0: 10 s */
};

struct worker_options {
    unsigned index;
    void *context; /* the server's; `worker->context` */
    http_handler handler;
    struct http_options http;               /* its texts are borrowed as long as the worker lives */
    const struct listen_address *addresses; /* borrowed until return */
    size_t addresses_count;
    SSL_CTX *tls;                     /* borrowed as long as the worker lives; NULL if no address has TLS */
    size_t connections_max;           /* 0: 100,000 */
    atomic_size_t *connections_total; /* shared by the workers that `connections_max` bounds together, borrowed as long
                                         as the worker lives; NULL: bounds this one */
    bool may_use_io_uring;            /* send_batch_new */
    uint32_t stop_ms;                 /* how long worker_stop waits for the clients; 0: 5 s */
    /* On the worker's thread, before its first and after its last turn; may be NULL. */
    void (*on_start)(struct worker *worker);
    void (*on_stop)(struct worker *worker);
};

#define WORKER_PORTS_MAX 8

struct worker {
    unsigned index;
    void *context;
    uv_loop_t loop;
    struct timer_wheel wheel; /* wheel_timer_start(&worker->wheel, …, worker_now_ms(worker), …); owner is the worker */
    uint16_t ports[WORKER_PORTS_MAX]; /* really bound, in the order of the addresses */
    struct worker_machine *machine;   /* private to worker.c */
};

struct worker_totals {
    size_t connections, websockets;
    uint64_t refused_connections, requests, websocket_messages_in, websocket_bytes_out, websocket_writes,
        websocket_dropped, websocket_overloaded;
};

/* Binds the addresses; nothing is accepted before worker_start. Errors as listener_open; the worker is closed again
 * then. Give the first worker exclusive addresses and the others its `ports`, so that all listen on the same ones. */
int worker_init(struct worker *worker, const struct worker_options *options, char *error, size_t error_size);
int worker_start(struct worker *worker);

/* From any thread; `deliver` gets the worker as its receiver. Errors as mailbox_post. */
int worker_post(struct worker *worker, struct parcel *parcel);

/* On the worker's thread: every answer ends its connection from now on, so that who asks next reaches another node. */
void worker_end_keep_alive(struct worker *worker);

/* From any thread, any number of times: stops listening; what is connected stays. */
void worker_drain(struct worker *worker);
/* From any thread: stops listening, answers waiting calls with 503, closes websockets with 1001, cuts what is left when
 * `stop_ms` is over, ends the thread. */
void worker_stop(struct worker *worker);
/* Waits for the thread to end. */
void worker_join(struct worker *worker);
/* After worker_join, or instead of worker_start; and when no other thread can post any more. */
void worker_close(struct worker *worker);

/* On the worker's thread: a call without a connection, and running the handler on it. NULL: the worker is stopping. */
struct http_call *worker_call_new(struct worker *worker);
void worker_call_run(struct worker *worker, struct http_call *call);

/* Monotonic, as of the beginning of the loop turn. On the worker's thread. */
uint64_t worker_now_ms(const struct worker *worker);
/* Unix time in milliseconds. */
int64_t worker_wall_ms(void);
/* As of the end of the worker's last turn; from any thread. */
struct worker_totals worker_totals(const struct worker *worker);
