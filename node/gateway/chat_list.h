#pragma once
/* Pages of the chat REST API (contract section 7): query parameters, cursors and next links. Never an empty last page:
 * a next link is given only when one more item is known to exist. */
#include "node/gateway/gateway.h"
#include "proto/chat.h"

struct page_query {
    size_t size;              /* maxPageSize, clamped */
    size_t skip;              /* offset lists */
    int64_t start_ms;         /* startTime; 0: none */
    struct bytes sync_state;  /* cursor; absent on the first page */
    struct bytes api_version; /* for the next link */
};

/* STATUS_BAD_REQUEST naming the parameter. */
int page_query_parse(struct http_call *call, struct page_query *query, struct problem *problem);

/* `<origin><path>?…` with the query's size, start time and version; either a cursor or a skip. In the arena. */
struct bytes next_link_with_cursor(struct http_call *call, const struct page_query *query, struct bytes cursor);
struct bytes next_link_with_skip(struct http_call *call, const struct page_query *query, size_t skip);

/* A user's threads, most recent activity first, as one page with its next cursor (absent on the last). */
int thread_list_page(struct gateway_worker *worker, struct http_call *call, struct bytes user_id,
                     const struct page_query *query, struct thread_item **items, size_t *count, struct bytes *cursor,
                     struct problem *problem);
