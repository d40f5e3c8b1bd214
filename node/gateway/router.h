#pragma once
/* From method and path to handler. Tables are static; each API has its own. */
#include "node/gateway/http.h"

struct http_route {
    const char *method;
    const char
        *pattern; /* "/chat/threads/{}/messages/{}": "{}" takes one non-empty segment; literals compare decoded */
    http_handler handle;
};

struct http_route_table {
    const struct http_route *routes;
    size_t count;
};

#define HTTP_ROUTE_TABLE(routes)                                                                                       \
    { (routes), sizeof(routes) / sizeof((routes)[0]) }

/* Calls the first route that fits, with `call->captures` set. Otherwise refuses: 405 with Allow if another method fits
 * the path, else 404. HEAD is answered by the GET route, without body. */
void router_dispatch(const struct http_route_table *tables, size_t tables_count, struct worker *worker,
                     struct http_call *call);
