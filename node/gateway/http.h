#pragma once
/* One REST request after h2o, and its answer. Handlers see only this; nothing of h2o comes through. A call belongs to
 * one worker and is used on its thread only. It is answered exactly once, at once or later; if the client has gone
 * meanwhile the answer is dropped. After the answer the call must not be touched. */
#include "node/gateway/target.h"
#include "proto/arena.h"
#include "proto/problem.h"

struct worker;
struct caller;
struct http_call;
struct http_server;
struct http_exchange; /* the h2o side */

#define HTTP_CAPTURES_MAX 8
#define HTTP_HEADERS_MAX 16
#define HTTP_RETRY_AFTER_S 1 /* what Retry-After says unless the handler set another one */

struct http_header {
    struct bytes name;
    struct bytes value;
};

struct http_answer {
    int status;
    struct bytes body; /* absent: none */
    const struct http_header *headers;
    size_t headers_count;
};

/* Who has a part in a call's answer besides its client: forward.c and serve.c. */
struct http_call_hooks {
    /* The handler refuses with `rc`. True: the call has been taken back and is answered later. May be NULL. */
    bool (*on_refusal)(struct http_call *call, int rc);
    /* Gets the answer in place of a client; borrowed until return, the call ends afterwards. NULL: there is a client.
     */
    void (*on_answer)(struct http_call *call, const struct http_answer *answer);
    /* The server stops: the call has no hooks any more, whatever its handler answers is dropped. May be NULL. */
    void (*on_stop)(struct http_call *call);
};

struct http_call {
    struct arena arena; /* lives as long as the call; use it freely */
    struct bytes method;
    struct bytes raw_target; /* exactly as on the request line */
    struct target target;    /* decoded path segments and raw query */
    struct bytes body;       /* "" if there was none */
    struct bytes host;       /* what the client called this server: "name[:port]", from X-Forwarded-Host if trusted */
    struct bytes client_address;              /* "192.0.2.1", without port; from X-Forwarded-For if trusted */
    bool is_tls;                              /* between us and whoever connected */
    struct bytes captures[HTTP_CAPTURES_MAX]; /* what stood at each "{}" of the route */
    size_t captures_count;
    void *user; /* the handler's */

    /* Set by forward.c before the handler runs. */
    const struct caller *caller; /* who calls, where the route asks for a token */
    struct bytes operation_id; /* the id of what the call makes, or a name for the call, the same in every attempt; may
                                  be absent */
    uint64_t deadline_ms;      /* of the worker's clock: nobody waits for the answer any longer */

    /* Of a call that came from another node. */
    bool is_forwarded;
    struct bytes public_origin;
    const struct http_header *headers;
    size_t headers_count;

    const struct http_call_hooks *hooks; /* NULL: none */
    void *hooks_context;

    /* Private to http.c and http_server.c. */
    struct worker *worker;
    struct http_server *server;
    struct http_exchange *exchange; /* NULL: the client is gone */
    struct http_call *next;
    struct http_call **link;
    struct http_header reply_headers[HTTP_HEADERS_MAX];
    size_t reply_headers_count;
};

typedef void (*http_handler)(struct worker *worker, struct http_call *call);

/* The first parameter of that name, decoded, in the arena; absent if there is none. */
struct bytes http_call_query(struct http_call *call, const char *name);

/* A request header by its name in lower case, in the arena; absent if there is none. "host" is in `call->host`. */
struct bytes http_call_find_header(struct http_call *call, const char *name);

/* "https://host[:port]", without a slash at the end: what another node found, else the configured public URL, else from
 * the forwarded headers if they are trusted, else from Host and whether there is TLS. In the arena. */
struct bytes http_call_public_origin(struct http_call *call);

/* Adds a header to the answer. `name` is borrowed until the answer, the value until return. A value with control
 * characters is left out, so nothing can be injected. */
void http_call_set_header(struct http_call *call, const char *name, struct bytes value);

/* Answers. The body is JSON, borrowed until return; absent: no body and no Content-Type. */
void http_call_reply(struct http_call *call, int status, struct bytes body);
/* The same with another content type (static text). */
void http_call_reply_text(struct http_call *call, int status, const char *content_type, struct bytes body);
/* The same with a body that lives forever and is not copied. */
void http_call_reply_static(struct http_call *call, int status, const char *content_type, struct bytes body);
/* Answers with the problem's status and body; Retry-After on every 429 and 503. The hooks may take the call back. */
void http_call_refuse(struct http_call *call, const struct problem *problem);
/* The same for a bare status code. */
void http_call_refuse_status(struct http_call *call, int rc);

/* True if somebody still waits for the answer. */
bool http_call_is_awaited(const struct http_call *call);
