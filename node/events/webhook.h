#pragma once
/* One request to an address that somebody else has chosen. It goes to nobody it must not reach (address_rules.h), not
 * by a proxy and not to where the answer redirects it. */
#include <stdatomic.h>

#include "proto/arena.h"
#include "proto/problem.h"

#define WEBHOOK_URL_BYTES_MAX 2048
#define WEBHOOK_MS_MAX 30000                 /* contract 12 */
#define WEBHOOK_ANSWER_BYTES_MAX (64 * 1024) /* what is longer is cut */
#define WEBHOOK_HEADERS_MAX 24

struct webhook_options {
    bool may_be_private;            /* addresses of this machine and its networks too, and http:// */
    const char *allowing_key;       /* of the configuration, which would allow them; NULL: events_allow_private */
    const char *ca_file;            /* whose certificates are believed; "": the system's */
    const atomic_bool *is_stopping; /* set by another thread: requests end soon */
};

struct webhook_header {
    struct bytes name;
    struct bytes value; /* without control characters */
};

struct webhook_request {
    const char *method;
    struct bytes url;
    struct webhook_header headers[WEBHOOK_HEADERS_MAX];
    size_t headers_count;
    struct bytes body; /* absent: none */
    bool is_http2;     /* over TLS */
};

struct webhook_answer {
    long status;          /* 0: none came */
    struct bytes failure; /* why none came, a clause for people; absent: one did */
    struct bytes body;
    struct bytes allowed_origin; /* the header WebHook-Allowed-Origin; absent: none */
    int64_t retry_after_s;       /* the header Retry-After; 0: none */
    int64_t took_ms;
};

void webhook_header_add(struct webhook_request *request, const char *name, struct bytes value);

/* Whether it may be a receiver's address: https, a host, no user. Refuses with STATUS_VALIDATION_ERROR, also addresses
 * that are written as numbers and that nothing may be sent to. */
int webhook_url_check(struct bytes url, bool may_be_private, struct arena *arena, struct problem *problem);

/* A request on its way, for who has many: libcurl's easy handle. Request and options are copied, but what the
 * options point to is kept. It is ended with a CURLcode, or freed; the handle must be in no multi handle then. */
struct webhook;
struct webhook *webhook_new(const struct webhook_options *options, const struct webhook_request *request);
void *webhook_easy(struct webhook *webhook);
void webhook_end(struct webhook *webhook, int code, struct arena *arena, struct webhook_answer *answer);
void webhook_free(struct webhook *webhook);

/* Waits for the answer, or WEBHOOK_MS_MAX. The answer is in the arena. */
void webhook_send(const struct webhook_options *options, const struct webhook_request *request, struct arena *arena,
                  struct webhook_answer *answer);
