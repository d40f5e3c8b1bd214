#pragma once
/* From method and path to handler. Tables are static; each API has its own. */
#include "node/gateway/http.h"

/* What forward.c sees to before a handler runs: who may call, */
enum http_access {
    HTTP_ACCESS_ANY,        /* or the handler checks by itself */
    HTTP_ACCESS_TOKEN,      /* a user, by `Authorization: Bearer` */
    HTTP_ACCESS_SKYPETOKEN, /* a user, by the bare token in X-Skypetoken */
    HTTP_ACCESS_KEY,        /* a trusted service, by a signature with the access key */
    HTTP_ACCESS_ADMIN,      /* an operator, by `Authorization: Bearer` with the admin token */
    HTTP_ACCESS_NODE        /* another node, on behalf of a user */
};

/* and whom the call is about: it runs on the node that leads the range of that user or thread. */
enum http_subject {
    HTTP_SUBJECT_NONE,       /* runs where it comes in */
    HTTP_SUBJECT_CALLER,     /* the user who calls */
    HTTP_SUBJECT_USER,       /* the first capture */
    HTTP_SUBJECT_THREAD,     /* the first capture */
    HTTP_SUBJECT_NEW_USER,   /* one that the call makes; its id is chosen where the call comes in */
    HTTP_SUBJECT_NEW_THREAD, /* likewise */
    HTTP_SUBJECT_NAMED_USER, /* `userId` of the body, or without one a new user */
};

struct http_route {
    const char *method;
    const char
        *pattern; /* "/chat/threads/{}/messages/{}": "{}" takes one non-empty segment; literals compare decoded */
    http_handler handle;
    enum http_access access;
    enum http_subject subject;
};

struct http_route_table {
    const struct http_route *routes;
    size_t count;
};

#define HTTP_ROUTE_TABLE(routes)                                                                                       \
    { (routes), sizeof(routes) / sizeof((routes)[0]) }

/* The first route that fits, with `call->captures` set. Otherwise refuses and gives NULL: 405 with Allow if another
 * method fits the path, else 404. HEAD is answered by the GET route, without body. */
const struct http_route *router_find(const struct http_route_table *tables, size_t tables_count,
                                     struct http_call *call);

/* The same, and calls the handler. */
void router_dispatch(const struct http_route_table *tables, size_t tables_count, struct worker *worker,
                     struct http_call *call);
