#pragma once
/* Pages of the chat REST API (contract section 7): query parameters, cursors and next links. Never an empty last page:
 * a next link is given only when one more item is known to exist. */
#include "node/gateway/facts.h"
#include "node/gateway/http.h"
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

struct listed_thread;

/* A user's threads on their way to a page. Her list is read here; what it shows of threads that other nodes lead is
 * asked there. */
struct thread_list {
    /* Set by the caller; everything is needed until the end. */
    struct gateway_worker *worker;
    struct http_call *call;
    struct page_query query;
    void (*on_gathered)(struct thread_list *list, int rc);

    struct problem problem;

    /* Private. */
    struct listed_thread *threads;
    size_t count;
    size_t capacity;
    size_t elsewhere_count;
    struct facts facts;
    int rc;
};

/* 0: a page can be taken. THREAD_LIST_WAITS: on_gathered will say so, or bring an error. Otherwise `problem` says why
 * not. */
#define THREAD_LIST_WAITS 1
int thread_list_gather(struct thread_list *list);

/* The page, most recent activity first, with its next cursor (absent on the last). STATUS_BAD_REQUEST for a cursor that
 * is none. */
int thread_list_page(struct thread_list *list, struct thread_item **items, size_t *count, struct bytes *cursor);
