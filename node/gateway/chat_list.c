#include "node/gateway/chat_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/gateway/authentication.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"

static int size_parse(struct http_call *call, const char *name, uint64_t least, size_t *value,
                      struct problem *problem) {
    struct bytes text = http_call_query(call, name);
    uint64_t number;
    if (!bytes_is_present(text))
        return STATUS_OK;
    if (!decimal_parse(text, &number) || number < least || number > INT32_MAX)
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, name,
                           "The query parameter %s is '%.*s'; it must be a whole number from %" PRIu64 " to %d.", name,
                           (int)(text.size < 64 ? text.size : 64), (const char *)text.data, least, INT32_MAX);
    *value = (size_t)number;
    return STATUS_OK;
}

int page_query_parse(struct http_call *call, struct page_query *query, struct problem *problem) {
    struct bytes start = http_call_query(call, "startTime");
    *query = (struct page_query){.size = LIMIT_PAGE_SIZE_DEFAULT,
                                 .sync_state = http_call_query(call, "syncState"),
                                 .api_version = http_call_query(call, "api-version")};
    int rc = size_parse(call, "maxPageSize", 1, &query->size, problem);
    if (rc == STATUS_OK)
        rc = size_parse(call, "skip", 0, &query->skip, problem);
    if (rc != STATUS_OK)
        return rc;
    if (query->size > LIMIT_PAGE_SIZE_MAX)
        query->size = LIMIT_PAGE_SIZE_MAX;
    if (bytes_is_present(start) && !rfc3339_parse(start, &query->start_ms))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "startTime",
                           "The query parameter startTime is '%.*s'; it must be an RFC 3339 time.",
                           (int)(start.size < 64 ? start.size : 64), (const char *)start.data);
    return STATUS_OK;
}

static void url_append(struct buffer *out, struct bytes value) {
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '_' || c == '.' || c == '~';
        if (is_plain)
            buffer_append(out, &c, 1);
        else
            buffer_printf(out, "%%%02X", c);
    }
}

static struct bytes link_make(struct http_call *call, const struct page_query *query, const char *name,
                              struct bytes value) {
    struct buffer link;
    buffer_init(&link);
    buffer_append_bytes(&link, http_call_public_origin(call));
    for (size_t i = 0; i < call->target.segments_count; i++) {
        buffer_append_text(&link, "/");
        url_append(&link, call->target.segments[i]);
    }
    buffer_printf(&link, "?%s=", name);
    url_append(&link, value);
    if (query->start_ms != 0) {
        char start[RFC3339_TEXT_BYTES];
        rfc3339_format_ms(query->start_ms, start);
        buffer_append_text(&link, "&startTime=");
        url_append(&link, bytes_of_text(start));
    }
    buffer_printf(&link, "&maxPageSize=%zu&api-version=", query->size);
    url_append(&link, query->api_version);
    struct bytes copy = arena_copy(&call->arena, buffer_bytes(&link));
    buffer_close(&link);
    return copy;
}

struct bytes next_link_with_cursor(struct http_call *call, const struct page_query *query, struct bytes cursor) {
    return link_make(call, query, "syncState", cursor);
}

struct bytes next_link_with_skip(struct http_call *call, const struct page_query *query, size_t skip) {
    return link_make(call, query, "skip", arena_printf(&call->arena, "%zu", skip));
}

/* ---- a user's threads ---- */

struct listed_thread {
    struct thread_item item;
    struct id_hash hash;
    int64_t activity_ms;
    bool is_elsewhere; /* another node has to say what it shows */
    bool is_gone;      /* its deletion is on the way to this list */
};

struct thread_gathering {
    struct thread_list *list;
    const struct apply_context *context;
};

static int64_t activity_of(const struct thread_item *item) {
    return item->deleted_ms > item->last_message_ms ? item->deleted_ms : item->last_message_ms;
}

static int thread_read(const struct thread_gathering *gathering, struct listed_thread *thread) {
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    const struct apply_context *context = gathering->context;
    int rc = thread_store_open(&store, context->transaction, context->arena, context->master, &thread->hash);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&store, &properties);
    if (rc == STATUS_OK)
        rc = thread_counters_get(&store, &counters);
    thread->is_gone = rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING;
    if (rc != STATUS_OK)
        return thread->is_gone ? STATUS_OK : rc;
    thread->item.topic = properties.topic;
    thread->item.last_message_ms = counters.last_message_ms;
    return STATUS_OK;
}

static struct listed_thread *thread_add(struct thread_list *list) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct listed_thread *threads = ARENA_NEW_ARRAY(&list->call->arena, struct listed_thread, capacity);
        if (list->count > 0)
            memcpy(threads, list->threads, list->count * sizeof(*threads));
        list->threads = threads;
        list->capacity = capacity;
    }
    return &list->threads[list->count++];
}

static bool thread_gather(void *context, const struct id_hash *hash, const struct membership_row *row) {
    struct thread_gathering *gathering = context;
    struct thread_list *list = gathering->list;
    struct listed_thread *thread = thread_add(list);
    *thread = (struct listed_thread){.item = {.id = row->thread_id,
                                              .topic = row->topic,
                                              .deleted_ms = row->deleted_ms,
                                              .last_message_ms = row->last_message_ms},
                                     .hash = *hash};
    if (row->membership != MEMBERSHIP_JOINED)
        return true;
    thread->is_elsewhere = !gateway_is_here(list->worker->gateway, hash);
    if (thread->is_elsewhere)
        list->elsewhere_count++;
    else
        list->rc = thread_read(gathering, thread);
    return list->rc == STATUS_OK;
}

static int listed_compare(const void *left, const void *right) {
    const struct listed_thread *a = left;
    const struct listed_thread *b = right;
    if (a->activity_ms != b->activity_ms)
        return a->activity_ms > b->activity_ms ? -1 : 1;
    return memcmp(a->hash.bytes, b->hash.bytes, sizeof(a->hash.bytes));
}

/* Where a listing stands: the last thread told, and the newest activity there was when the listing began. */
struct list_cursor {
    struct listed_thread last;
    int64_t as_of_ms;
};

#define CURSOR_BYTES 32

static struct bytes cursor_encode(struct arena *arena, const struct list_cursor *cursor) {
    uint8_t bytes[CURSOR_BYTES];
    char *text = arena_alloc(arena, CURSOR_BYTES * 2 + 1);
    number_encode(bytes, (uint64_t)cursor->last.activity_ms);
    memcpy(bytes + 8, cursor->last.hash.bytes, 16);
    number_encode(bytes + 24, (uint64_t)cursor->as_of_ms);
    for (size_t i = 0; i < CURSOR_BYTES; i++)
        snprintf(text + i * 2, 3, "%02x", bytes[i]);
    return bytes_of_text(text);
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool cursor_decode(struct bytes text, struct list_cursor *cursor) {
    uint8_t bytes[CURSOR_BYTES];
    if (text.size != CURSOR_BYTES * 2)
        return false;
    for (size_t i = 0; i < CURSOR_BYTES; i++) {
        int high = hex_digit(text.data[i * 2]);
        int low = hex_digit(text.data[i * 2 + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    cursor->last.activity_ms = (int64_t)number_decode(bytes);
    memcpy(cursor->last.hash.bytes, bytes + 8, 16);
    cursor->as_of_ms = (int64_t)number_decode(bytes + 24);
    return true;
}

/* Threads that became active while the list is being paged move to its front; they come again rather than get lost. */
static bool is_on_later_page(const struct list_cursor *cursor, const struct listed_thread *thread) {
    return thread->activity_ms > cursor->as_of_ms || listed_compare(&cursor->last, thread) < 0;
}

static int list_problem(struct thread_list *list, int rc) {
    return problem_set(&list->problem, &list->call->arena, rc, NULL, "%s", status_sentence(rc));
}

static int memberships_read(struct thread_list *list) {
    struct gateway_read read;
    struct user_store store;
    struct arena *arena = &list->call->arena;
    int rc = gateway_read_begin_of(list->worker, arena, &list->call->caller->hash, &read);
    if (rc != STATUS_OK)
        return rc;
    struct thread_gathering gathering = {list, &read.context};
    rc = user_store_open(&store, read.context.transaction, arena, read.context.master, &list->call->caller->hash);
    if (rc == STATUS_OK)
        rc = user_memberships_visit(&store, thread_gather, &gathering);
    gateway_read_end(&read);
    return rc == STATUS_OK ? list->rc : rc;
}

/* Puts what other nodes said in its place; their order is that of the threads in the list. */
static void facts_take(struct thread_list *list) {
    const struct fact *fact = list->facts.items;
    for (size_t i = 0; i < list->count; i++) {
        struct listed_thread *thread = &list->threads[i];
        if (!thread->is_elsewhere)
            continue;
        thread->is_gone = !fact->is_there;
        thread->item.topic = fact->topic;
        thread->item.last_message_ms = fact->last_message_ms;
        fact++;
    }
}

static void on_facts(struct facts *facts, int rc) {
    struct thread_list *list = facts->context;
    if (rc == STATUS_OK)
        facts_take(list);
    else
        rc = list_problem(list, STATUS_SERVICE_UNAVAILABLE);
    list->on_gathered(list, rc);
}

static int facts_gather(struct thread_list *list) {
    struct id_hash *hashes = ARENA_NEW_ARRAY(&list->call->arena, struct id_hash, list->elsewhere_count);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->threads[i].is_elsewhere)
            hashes[count++] = list->threads[i].hash;
    list->facts = (struct facts){.worker = list->worker,
                                 .arena = &list->call->arena,
                                 .kind = QUESTION_THREADS,
                                 .subjects = hashes,
                                 .count = count,
                                 .deadline_ms = list->call->deadline_ms,
                                 .context = list,
                                 .on_done = on_facts};
    int rc = facts_ask(&list->facts);
    return rc == STATUS_OK ? THREAD_LIST_WAITS : list_problem(list, rc);
}

int thread_list_gather(struct thread_list *list) {
    int rc = memberships_read(list);
    if (rc == STATUS_STORE_MISSING)
        return problem_set(&list->problem, &list->call->arena, STATUS_NOT_FOUND, NULL,
                           "There is no list of threads for a user of Teams: server events tell of them.");
    if (rc != STATUS_OK)
        return list_problem(list, rc);
    return list->elsewhere_count == 0 ? STATUS_OK : facts_gather(list);
}

static void threads_sort(struct thread_list *list) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct listed_thread *thread = &list->threads[i];
        thread->activity_ms = activity_of(&thread->item);
        if (!thread->is_gone)
            list->threads[count++] = *thread;
    }
    list->count = count;
    if (count > 1)
        qsort(list->threads, count, sizeof(*list->threads), listed_compare);
}

int thread_list_page(struct thread_list *list, struct thread_item **items, size_t *count, struct bytes *cursor) {
    const struct page_query *query = &list->query;
    struct arena *arena = &list->call->arena;
    struct list_cursor position = {0};
    bool is_first = !bytes_is_present(query->sync_state);
    if (!is_first && !cursor_decode(query->sync_state, &position))
        return problem_set(&list->problem, arena, STATUS_BAD_REQUEST, "syncState",
                           "The query parameter syncState is not one that this server gave.");
    threads_sort(list);
    if (is_first)
        position.as_of_ms = list->count > 0 ? list->threads[0].activity_ms : 0;

    *count = 0;
    *cursor = BYTES_ABSENT;
    *items = ARENA_NEW_ARRAY(arena, struct thread_item, query->size);
    for (size_t i = 0; i < list->count; i++) {
        const struct listed_thread *thread = &list->threads[i];
        if (thread->activity_ms < query->start_ms || (!is_first && !is_on_later_page(&position, thread)))
            continue;
        if (*count == query->size) {
            *cursor = cursor_encode(arena, &position);
            break;
        }
        (*items)[(*count)++] = thread->item;
        position.last = *thread;
    }
    return STATUS_OK;
}
