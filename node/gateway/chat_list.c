#include "node/gateway/chat_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
};

struct thread_gathering {
    const struct apply_context *context;
    struct listed_thread *threads;
    size_t count;
    size_t capacity;
    int rc;
};

static int64_t activity_of(const struct thread_item *item) {
    return item->deleted_ms > item->last_message_ms ? item->deleted_ms : item->last_message_ms;
}

/* False: the thread is not to be listed (its deletion is on the way to this list). */
static bool item_fill(struct thread_gathering *gathering, const struct id_hash *hash, const struct membership_row *row,
                      struct thread_item *item) {
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    const struct apply_context *context = gathering->context;
    *item = (struct thread_item){.id = row->thread_id,
                                 .topic = row->topic,
                                 .deleted_ms = row->deleted_ms,
                                 .last_message_ms = row->last_message_ms};
    if (row->membership != MEMBERSHIP_JOINED)
        return true;
    int rc = thread_store_open(&store, context->transaction, context->arena, context->master, hash);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&store, &properties);
    if (rc == STATUS_OK)
        rc = thread_counters_get(&store, &counters);
    if (rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING)
        return false;
    if (rc != STATUS_OK) {
        gathering->rc = rc;
        return false;
    }
    item->topic = properties.topic;
    item->last_message_ms = counters.last_message_ms;
    return true;
}

static bool thread_gather(void *context, const struct id_hash *hash, const struct membership_row *row) {
    struct thread_gathering *gathering = context;
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity == 0 ? 64 : gathering->capacity * 2;
        struct listed_thread *threads = ARENA_NEW_ARRAY(gathering->context->arena, struct listed_thread, capacity);
        if (gathering->count > 0)
            memcpy(threads, gathering->threads, gathering->count * sizeof(*threads));
        gathering->threads = threads;
        gathering->capacity = capacity;
    }
    struct listed_thread *thread = &gathering->threads[gathering->count];
    if (item_fill(gathering, hash, row, &thread->item)) {
        thread->hash = *hash;
        thread->activity_ms = activity_of(&thread->item);
        gathering->count++;
    }
    return gathering->rc == STATUS_OK;
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

static int user_threads_gather(struct gateway_worker *worker, struct arena *arena, struct bytes user_id,
                               struct thread_gathering *gathering) {
    struct gateway_read read;
    struct user_store store;
    struct id_hash user = gateway_hash(worker->gateway, user_id);
    int rc = gateway_read_begin(worker, arena, &read);
    if (rc != STATUS_OK)
        return rc;
    gathering->context = &read.context;
    rc = user_store_open(&store, read.context.transaction, arena, read.context.master, &user);
    if (rc == STATUS_OK)
        rc = user_memberships_visit(&store, thread_gather, gathering);
    gateway_read_end(&read);
    return rc == STATUS_OK ? gathering->rc : rc;
}

int thread_list_page(struct gateway_worker *worker, struct http_call *call, struct bytes user_id,
                     const struct page_query *query, struct thread_item **items, size_t *count, struct bytes *cursor,
                     struct problem *problem) {
    struct thread_gathering gathering = {0};
    struct list_cursor position = {0};
    bool is_first = !bytes_is_present(query->sync_state);
    if (!is_first && !cursor_decode(query->sync_state, &position))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "syncState",
                           "The query parameter syncState is not one that this server gave.");
    int rc = user_threads_gather(worker, &call->arena, user_id, &gathering);
    if (rc != STATUS_OK)
        return problem_set(problem, &call->arena, rc, NULL, "%s", status_sentence(rc));
    if (gathering.count > 1)
        qsort(gathering.threads, gathering.count, sizeof(*gathering.threads), listed_compare);
    if (is_first)
        position.as_of_ms = gathering.count > 0 ? gathering.threads[0].activity_ms : 0;

    *count = 0;
    *cursor = BYTES_ABSENT;
    *items = ARENA_NEW_ARRAY(&call->arena, struct thread_item, query->size);
    for (size_t i = 0; i < gathering.count; i++) {
        const struct listed_thread *thread = &gathering.threads[i];
        if (thread->activity_ms < query->start_ms || (!is_first && !is_on_later_page(&position, thread)))
            continue;
        if (*count == query->size) {
            *cursor = cursor_encode(&call->arena, &position);
            break;
        }
        (*items)[(*count)++] = thread->item;
        position.last = *thread;
    }
    return STATUS_OK;
}
