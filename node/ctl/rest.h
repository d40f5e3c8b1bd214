#pragma once
/* Calls to the official REST interface of a resource, wherever it is: throttling is respected (429 and 503 with
 * Retry-After), what failed on the way is tried again. Several workers may call at a time, each with a line of its own.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "node/ctl/signing.h"

#define REST_REASON_BYTES_MAX 600

struct rest {
    const struct connection *connection; /* kept */
    const char *ca_file;                 /* NULL: the system's authorities */
    atomic_ulong calls;
    atomic_ulong throttled; /* how often we were told to wait */
};

struct rest_request {
    const char *method;
    const char *target; /* path and query as sent */
    const char *token;  /* a user's; NULL: signed with the access key */
    const char *body;   /* NULL: none */
};

struct rest_answer {
    long status;  /* of a final answer: neither 429 nor 503 */
    json_t *json; /* the caller's; NULL: the body is no JSON object, or is not of a success */
    char code[64];
    char reason[REST_REASON_BYTES_MAX]; /* why it is no success, with the path; safe to show */
};

/* 0, whatever the status; or EXIT_UNREACHABLE with `reason` after many attempts. */
int rest_call(struct rest *rest, CURL *line, const struct rest_request *request, struct rest_answer *answer);
void rest_answer_close(struct rest_answer *answer);

/* Path and query of a page's nextLink, in `page`; NULL: that was the last page. They are asked of the resource's own
 * endpoint, so that no link leads a token elsewhere. */
const char *rest_next_target(const json_t *page);
