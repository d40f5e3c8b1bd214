#include "node/gateway/chat_api.h"

#include <inttypes.h>
#include <stdlib.h>

#include "node/core/range.h"
#include "node/gateway/chat_calls.h"
#include "node/gateway/chat_list.h"
#include "node/gateway/rate_limit.h"
#include "proto/check.h"
#include "proto/limits.h"

/* Contract 1.1; the previews are those the real service lists. */
static const char *const versions[] = {"2021-03-07",         "2021-04-05-preview6", "2021-09-07",
                                       "2023-04-01-preview", "2023-07-01-preview",  "2023-11-07",
                                       "2023-11-15-preview", "2024-03-01-preview",  "2024-03-07",
                                       "2024-03-15-preview", "2024-06-05-preview",  "2025-03-15"};

/* One call on its way: who asks, what was refused, and what its answer will need. Lives until the answer. */
struct chat_wait {
    struct reply reply;
    struct http_call *call;
    struct problem problem;
    struct created_thread created;
    struct resolved_participants resolved;
    int success; /* HTTP status of an answer without body */
    void (*finish)(struct chat_wait *wait);
};

static void wait_refuse(struct chat_wait *wait) {
    if (wait->problem.rc == STATUS_OK)
        wait->problem.rc = wait->reply.result.rc;
    http_call_refuse(wait->call, &wait->problem);
}

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct chat_wait *wait = (struct chat_wait *)reply;
    (void)worker;
    if (reply->result.rc != STATUS_OK)
        wait_refuse(wait);
    else
        wait->finish(wait);
    free(wait);
}

/* What chat_calls returned: the answer comes later, is there already, or is a refusal. */
static void wait_settle(struct chat_wait *wait, int rc) {
    if (rc == STATUS_OK)
        return;
    if (rc == CHAT_CALL_SETTLED)
        wait->finish(wait);
    else
        wait_refuse(wait);
    free(wait);
}

static int version_check(struct http_call *call, struct problem *problem) {
    struct bytes version = http_call_query(call, "api-version");
    if (!bytes_is_present(version))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "api-version",
                           "The query parameter api-version is missing.");
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (bytes_equal_text(version, versions[i]))
            return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "api-version",
                       "The api-version '%.*s' is not supported.", (int)(version.size < 64 ? version.size : 64),
                       (const char *)version.data);
}

static int rate_check(struct gateway_worker *worker, struct http_call *call, enum rate_operation operation,
                      struct problem *problem) {
    uint32_t retry_after_s = 0;
    struct id_hash thread = {0};
    if (call->captures_count > 0)
        thread = gateway_hash(worker->gateway, call->captures[0]);
    if (rate_limiter_admit(worker->gateway->limiter, operation, &call->caller->hash,
                           call->captures_count > 0 ? &thread : NULL, worker_wall_ms(), &retry_after_s))
        return STATUS_OK;
    http_call_set_header(call, "retry-after", arena_printf(&call->arena, "%" PRIu32, retry_after_s));
    return problem_set(problem, &call->arena, STATUS_TOO_MANY_REQUESTS, NULL, "%s",
                       status_sentence(STATUS_TOO_MANY_REQUESTS));
}

static int admit(struct worker *worker, struct http_call *call, enum rate_operation operation,
                 struct problem *problem) {
    int rc = version_check(call, problem);
    return rc == STATUS_OK ? rate_check(gateway_worker_of(worker), call, operation, problem) : rc;
}

static struct chat_wait *wait_new(struct http_call *call, int success, void (*finish)(struct chat_wait *wait)) {
    struct chat_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    wait->call = call;
    wait->success = success;
    wait->finish = finish;
    wait->reply.on_answer = on_answer;
    return wait;
}

/* NULL after a refusal. */
static struct chat_wait *wait_begin(struct worker *worker, struct http_call *call, enum rate_operation operation,
                                    int success, void (*finish)(struct chat_wait *wait)) {
    struct chat_wait *wait = wait_new(call, success, finish);
    if (admit(worker, call, operation, &wait->problem) == STATUS_OK)
        return wait;
    http_call_refuse(call, &wait->problem);
    free(wait);
    return NULL;
}

static struct chat_call chat_call_of(struct worker *worker, struct chat_wait *wait) {
    return (struct chat_call){.worker = gateway_worker_of(worker),
                              .arena = &wait->call->arena,
                              .caller = wait->call->caller,
                              .reply = &wait->reply,
                              .problem = &wait->problem,
                              .operation_id = wait->call->operation_id};
}

static int message_id_parse(struct http_call *call, uint64_t *message_id, struct problem *problem) {
    struct bytes text = call->captures[1];
    if (decimal_parse(text, message_id))
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "chatMessageId",
                       "Value for MessageId (%.*s) is not valid.", (int)(text.size < 64 ? text.size : 64),
                       (const char *)text.data);
}

/* Beyond the contract: what holds the change, as in Weft's own real time. */
static void durability_tell(struct chat_wait *wait) {
    http_call_set_header(wait->call, "x-weft-durability", bytes_of_text(durability_name(wait->reply.copies)));
    if (wait->reply.result.offset != 0)
        http_call_set_header(wait->call, "x-weft-offset",
                             arena_printf(&wait->call->arena, "%" PRIu64, wait->reply.result.offset));
}

static void finish_without_body(struct chat_wait *wait) {
    durability_tell(wait);
    http_call_reply(wait->call, wait->success, BYTES_ABSENT);
}

/* ---- users that other nodes know ---- */

/* A call that names participants: goes on when it is known which of them exist. In the call's arena. */
struct joining {
    struct worker *worker;
    struct http_call *call;
    struct create_thread_request request; /* creating */
    struct participants given;
    struct id_hash *elsewhere;
    struct facts facts;
    struct known_users known;
    struct problem problem;
    void (*go_on)(struct joining *joining);
};

static void on_users_known(struct facts *facts, int rc) {
    struct joining *joining = facts->context;
    if (rc != STATUS_OK) {
        http_call_refuse_status(joining->call, STATUS_SERVICE_UNAVAILABLE);
        return;
    }
    joining->known = (struct known_users){joining->elsewhere, facts->items, facts->count};
    joining->go_on(joining);
}

static void users_ask(struct joining *joining, size_t count) {
    joining->facts = (struct facts){.worker = gateway_worker_of(joining->worker),
                                    .arena = &joining->call->arena,
                                    .kind = QUESTION_USERS,
                                    .subjects = joining->elsewhere,
                                    .count = count,
                                    .deadline_ms = joining->call->deadline_ms,
                                    .context = joining,
                                    .on_done = on_users_known};
    int rc = facts_ask(&joining->facts);
    if (rc != STATUS_OK)
        http_call_refuse_status(joining->call, rc);
}

/* `rc` is what became of the call so far. */
static void joining_go_on(struct joining *joining, int rc) {
    if (rc != STATUS_OK) {
        http_call_refuse(joining->call, &joining->problem);
        return;
    }
    struct gateway *gateway = gateway_worker_of(joining->worker)->gateway;
    size_t count = chat_users_elsewhere(gateway, &joining->call->arena, &joining->given, &joining->elsewhere);
    if (count > 0)
        users_ask(joining, count);
    else
        joining->go_on(joining);
}

static struct joining *joining_new(struct worker *worker, struct http_call *call,
                                   void (*go_on)(struct joining *joining)) {
    struct joining *joining = ARENA_NEW(&call->arena, struct joining);
    joining->worker = worker;
    joining->call = call;
    joining->go_on = go_on;
    return joining;
}

/* ---- threads ---- */

/* "19:acsV1_…@thread.v2" with only the colon encoded (contract 1.3). */
static struct bytes location_of_thread(struct http_call *call, struct bytes thread_id) {
    struct bytes rest = bytes_of(thread_id.data + 3, thread_id.size - 3);
    return arena_printf(&call->arena, "%.*s/chat/threads/19%%3A%.*s", BYTES_ARG(http_call_public_origin(call)),
                        BYTES_ARG(rest));
}

static void finish_create(struct chat_wait *wait) {
    struct created_thread *created = &wait->created;
    if (!wait->reply.result.is_duplicate)
        created->properties.created_ms = wait->reply.result.time_ms;
    durability_tell(wait);
    http_call_set_header(wait->call, "location", location_of_thread(wait->call, created->properties.id));
    http_call_reply(wait->call, 201,
                    create_thread_response_encode(&wait->call->arena, &created->properties,
                                                  created->participants.invalid, created->participants.invalid_count));
}

static void creation_go_on(struct joining *joining) {
    struct chat_wait *wait = wait_new(joining->call, 201, finish_create);
    struct chat_call chat = chat_call_of(joining->worker, wait);
    chat.known = joining->known;
    wait_settle(wait, chat_thread_create(&chat, joining->call->operation_id, &joining->request, &wait->created));
}

static void thread_create(struct worker *worker, struct http_call *call) {
    struct joining *joining = joining_new(worker, call, creation_go_on);
    int rc = admit(worker, call, RATE_THREAD_CREATE, &joining->problem);
    if (rc == STATUS_OK)
        rc = create_thread_request_parse(&call->arena, call->body, &joining->request, &joining->problem);
    joining->given = joining->request.participants;
    joining_go_on(joining, rc);
}

static void thread_update(struct worker *worker, struct http_call *call) {
    struct update_thread_request request;
    struct chat_wait *wait = wait_begin(worker, call, RATE_THREAD_UPDATE, 204, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    int rc = update_thread_request_parse(&call->arena, call->body, &request, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_thread_update(&chat, call->captures[0], &request) : rc);
}

static void thread_delete(struct worker *worker, struct http_call *call) {
    struct chat_wait *wait = wait_begin(worker, call, RATE_THREAD_DELETE, 204, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    wait_settle(wait, chat_thread_delete(&chat, call->captures[0]));
}

/* ---- messages ---- */

static void finish_send(struct chat_wait *wait) {
    struct http_call *call = wait->call;
    uint64_t message_id = wait->reply.result.message_id;
    durability_tell(wait);
    http_call_set_header(call, "location",
                         arena_printf(&call->arena, "%.*s/messages/%" PRIu64,
                                      BYTES_ARG(location_of_thread(call, call->captures[0])), message_id));
    http_call_reply(call, 201, send_message_response_encode(&call->arena, message_id));
}

/* Without an id of the client's, the operation's own one keeps an attempt after a takeover from sending twice. */
static struct send_identity send_identity_of(struct http_call *call) {
    struct bytes id = http_call_find_header(call, "x-ms-client-request-id");
    if (id.size == 0 || id.size > LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX)
        id = call->operation_id;
    return (struct send_identity){
        .kind = bytes_is_present(id) ? IDEMPOTENCY_REQUEST_ID : IDEMPOTENCY_NONE, .id = id, .body = call->body};
}

static void message_send(struct worker *worker, struct http_call *call) {
    struct send_message_request request;
    struct chat_wait *wait = wait_begin(worker, call, RATE_MESSAGE_WRITE, 201, finish_send);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    size_t bytes_max = (size_t)gateway_worker_of(worker)->gateway->config->message_bytes_max;
    struct send_identity identity = send_identity_of(call);
    int rc = send_message_request_parse(&call->arena, call->body, bytes_max, &request, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_message_send(&chat, call->captures[0], &request, &identity) : rc);
}

static void message_edit(struct worker *worker, struct http_call *call) {
    struct update_message_request request;
    uint64_t message_id;
    struct chat_wait *wait = wait_begin(worker, call, RATE_MESSAGE_WRITE, 204, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    size_t bytes_max = (size_t)gateway_worker_of(worker)->gateway->config->message_bytes_max;
    int rc = message_id_parse(call, &message_id, &wait->problem);
    if (rc == STATUS_OK)
        rc = update_message_request_parse(&call->arena, call->body, bytes_max, &request, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_message_edit(&chat, call->captures[0], message_id, &request) : rc);
}

static void message_delete(struct worker *worker, struct http_call *call) {
    uint64_t message_id;
    struct chat_wait *wait = wait_begin(worker, call, RATE_MESSAGE_WRITE, 204, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    int rc = message_id_parse(call, &message_id, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_message_delete(&chat, call->captures[0], message_id) : rc);
}

/* ---- participants ---- */

static void finish_add(struct chat_wait *wait) {
    durability_tell(wait);
    http_call_reply(
        wait->call, 201,
        add_participants_response_encode(&wait->call->arena, wait->resolved.invalid, wait->resolved.invalid_count));
}

static void adding_go_on(struct joining *joining) {
    struct chat_wait *wait = wait_new(joining->call, 201, finish_add);
    struct chat_call chat = chat_call_of(joining->worker, wait);
    chat.known = joining->known;
    wait_settle(wait, chat_participants_add(&chat, joining->call->captures[0], &joining->given, &wait->resolved));
}

static void participants_add(struct worker *worker, struct http_call *call) {
    struct joining *joining = joining_new(worker, call, adding_go_on);
    int rc = admit(worker, call, RATE_PARTICIPANTS_CHANGE, &joining->problem);
    if (rc == STATUS_OK)
        rc = add_participants_request_parse(&call->arena, call->body, &joining->given, &joining->problem);
    joining_go_on(joining, rc);
}

static void participant_remove(struct worker *worker, struct http_call *call) {
    struct bytes user_id;
    struct chat_wait *wait = wait_begin(worker, call, RATE_PARTICIPANTS_CHANGE, 204, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    int rc = remove_participant_request_parse(&call->arena, call->body, &user_id, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_participant_remove(&chat, call->captures[0], user_id) : rc);
}

/* ---- typing and receipts ---- */

static void typing_send(struct worker *worker, struct http_call *call) {
    struct bytes display_name;
    struct chat_wait *wait = wait_begin(worker, call, RATE_TYPING_SEND, 200, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    int rc = typing_request_parse(&call->arena, call->body, &display_name, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_typing_send(&chat, call->captures[0], display_name) : rc);
}

static void receipt_send(struct worker *worker, struct http_call *call) {
    uint64_t message_id;
    struct chat_wait *wait = wait_begin(worker, call, RATE_RECEIPT_SEND, 200, finish_without_body);
    if (wait == NULL)
        return;
    struct chat_call chat = chat_call_of(worker, wait);
    int rc = read_receipt_request_parse(&call->arena, call->body, &message_id, &wait->problem);
    wait_settle(wait, rc == STATUS_OK ? chat_receipt_send(&chat, call->captures[0], message_id) : rc);
}

/* ---- reading ---- */

static int scope_check(struct http_call *call, struct problem *problem) {
    if ((call->caller->scopes & TOKEN_SCOPE_ANY_CHAT) != 0)
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_FORBIDDEN, NULL,
                       "The access token does not have a scope that allows this operation.");
}

/* A read of one thread: admitted, scope and membership checked, transaction open. */
struct thread_reading {
    struct gateway_worker *worker;
    struct http_call *call;
    struct gateway_read read;
    struct thread_view view;
    struct page_query page;
    struct problem problem;
};

static int reading_check(struct thread_reading *reading, enum rate_operation operation) {
    struct http_call *call = reading->call;
    struct bytes thread_id = call->captures[0];
    int rc = admit(reading->worker->worker, call, operation, &reading->problem);
    if (rc != STATUS_OK)
        return rc;
    rc = scope_check(call, &reading->problem);
    if (rc != STATUS_OK)
        return rc;
    if (thread_id.size > LIMIT_RAW_ID_BYTES_MAX || !thread_id_is_valid(thread_id))
        return problem_set(&reading->problem, &call->arena, STATUS_BAD_REQUEST, "chatThreadId",
                           "The thread id does not have the form 19:…@thread.v2.");
    return page_query_parse(call, &reading->page, &reading->problem);
}

/* False after a refusal; otherwise reading_end has to follow. */
static bool reading_begin(struct worker *worker, struct http_call *call, enum rate_operation operation,
                          struct thread_reading *reading) {
    *reading = (struct thread_reading){.worker = gateway_worker_of(worker), .call = call};
    int rc = reading_check(reading, operation);
    if (rc == STATUS_OK) {
        struct id_hash hash = gateway_hash(reading->worker->gateway, call->captures[0]);
        rc = gateway_read_begin_of(reading->worker, &call->arena, &hash, &reading->read);
        if (rc == STATUS_OK) {
            rc = thread_view_open(&reading->view, &reading->read.context, &hash, call->caller->user_id);
            if (rc == STATUS_OK)
                return true;
            gateway_read_end(&reading->read);
        }
    }
    if (reading->problem.rc == STATUS_OK)
        reading->problem.rc = rc;
    http_call_refuse(call, &reading->problem);
    return false;
}

/* Ends the transaction, then answers. */
static void reading_end(struct thread_reading *reading, int rc, struct bytes body) {
    gateway_read_end(&reading->read);
    if (rc == STATUS_OK)
        http_call_reply(reading->call, 200, body);
    else if (reading->problem.rc != STATUS_OK)
        http_call_refuse(reading->call, &reading->problem);
    else
        http_call_refuse_status(reading->call, rc);
}

static void thread_get(struct worker *worker, struct http_call *call) {
    struct thread_reading reading;
    if (!reading_begin(worker, call, RATE_THREAD_READ, &reading))
        return;
    struct thread_properties properties = thread_view_properties(&reading.view);
    reading_end(&reading, STATUS_OK, thread_properties_encode(&call->arena, &properties));
}

static void thread_list_answer(struct thread_list *list, int rc) {
    struct http_call *call = list->call;
    struct thread_item *items;
    struct bytes cursor;
    struct bytes next_link = BYTES_ABSENT;
    size_t count;
    if (rc == STATUS_OK)
        rc = thread_list_page(list, &items, &count, &cursor);
    if (rc != STATUS_OK) {
        http_call_refuse(call, &list->problem);
        return;
    }
    if (bytes_is_present(cursor))
        next_link = next_link_with_cursor(call, &list->query, cursor);
    http_call_reply(call, 200, thread_page_encode(&call->arena, items, count, next_link));
}

static void threads_list(struct worker *worker, struct http_call *call) {
    struct thread_list *list = ARENA_NEW(&call->arena, struct thread_list);
    list->worker = gateway_worker_of(worker);
    list->call = call;
    list->on_gathered = thread_list_answer;
    int rc = admit(worker, call, RATE_THREAD_READ, &list->problem);
    if (rc == STATUS_OK)
        rc = scope_check(call, &list->problem);
    if (rc == STATUS_OK)
        rc = page_query_parse(call, &list->query, &list->problem);
    if (rc == STATUS_OK)
        rc = thread_list_gather(list);
    if (rc != THREAD_LIST_WAITS)
        thread_list_answer(list, rc);
}

static void message_get(struct worker *worker, struct http_call *call) {
    struct thread_reading reading;
    struct message message;
    uint64_t message_id;
    struct bytes body = BYTES_ABSENT;
    if (!reading_begin(worker, call, RATE_MESSAGE_READ, &reading))
        return;
    int rc = message_id_parse(call, &message_id, &reading.problem);
    if (rc == STATUS_OK)
        rc = thread_view_message(&reading.view, message_id, &message);
    if (rc == STATUS_OK)
        body = message_encode(&call->arena, &message);
    reading_end(&reading, rc, body);
}

static int message_cursor_parse(struct thread_reading *reading, uint64_t *offset) {
    struct bytes text = reading->page.sync_state;
    *offset = UINT64_MAX;
    if (!bytes_is_present(text) || decimal_parse(text, offset))
        return STATUS_OK;
    return problem_set(&reading->problem, &reading->call->arena, STATUS_BAD_REQUEST, "syncState",
                       "The query parameter syncState is not one that this server gave.");
}

static void messages_list(struct worker *worker, struct http_call *call) {
    struct thread_reading reading;
    struct message_page page = {0};
    struct bytes body = BYTES_ABSENT;
    struct bytes next_link = BYTES_ABSENT;
    uint64_t offset;
    if (!reading_begin(worker, call, RATE_MESSAGES_LIST, &reading))
        return;
    int rc = message_cursor_parse(&reading, &offset);
    if (rc == STATUS_OK)
        rc = thread_view_messages(&reading.view, offset, reading.page.start_ms, reading.page.size, &page);
    if (rc == STATUS_OK) {
        if (page.has_more)
            next_link = next_link_with_cursor(
                call, &reading.page, arena_printf(&call->arena, "%" PRIu64, page.messages[page.count - 1].offset - 1));
        body = message_page_encode(&call->arena, page.messages, page.count, next_link);
    }
    reading_end(&reading, rc, body);
}

/* The window of an offset list that a query asks for, and the link to the next. */
static size_t window_of(struct thread_reading *reading, size_t total, size_t *first, struct bytes *next_link) {
    const struct page_query *page = &reading->page;
    *first = page->skip < total ? page->skip : total;
    size_t count = total - *first < page->size ? total - *first : page->size;
    *next_link = *first + count < total ? next_link_with_skip(reading->call, page, *first + count) : BYTES_ABSENT;
    return count;
}

static void participants_list(struct worker *worker, struct http_call *call) {
    struct thread_reading reading;
    struct participant *items = NULL;
    struct bytes body = BYTES_ABSENT;
    struct bytes next_link;
    size_t total = 0;
    size_t first;
    if (!reading_begin(worker, call, RATE_PARTICIPANTS_LIST, &reading))
        return;
    int rc = reading.view.is_active ? thread_view_participants(&reading.view, &items, &total) : STATUS_FORBIDDEN;
    if (rc == STATUS_OK) {
        size_t count = window_of(&reading, total, &first, &next_link);
        body = participant_page_encode(&call->arena, items + first, count, next_link);
    }
    reading_end(&reading, rc, body);
}

static void receipts_list(struct worker *worker, struct http_call *call) {
    struct thread_reading reading;
    struct receipt *items = NULL;
    struct bytes body = BYTES_ABSENT;
    struct bytes next_link;
    size_t total = 0;
    size_t first;
    if (!reading_begin(worker, call, RATE_RECEIPTS_LIST, &reading))
        return;
    int64_t participants_max = reading.worker->gateway->config->feature_participants_max;
    int rc = reading.view.is_active ? STATUS_OK : STATUS_FORBIDDEN;
    if (rc == STATUS_OK && thread_view_has_receipts(&reading.view, participants_max))
        rc = thread_receipts_list(&reading.view.store, &items, &total);
    if (rc == STATUS_OK) {
        size_t count = window_of(&reading, total, &first, &next_link);
        body = receipt_page_encode(&call->arena, items + first, count, next_link);
    }
    reading_end(&reading, rc, body);
}

static const struct http_route routes[] = {
    {"POST", "/chat/threads", thread_create, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_NEW_THREAD},
    {"GET", "/chat/threads", threads_list, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_CALLER},
    {"GET", "/chat/threads/{}", thread_get, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"PATCH", "/chat/threads/{}", thread_update, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"DELETE", "/chat/threads/{}", thread_delete, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/chat/threads/{}/messages", message_send, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"GET", "/chat/threads/{}/messages", messages_list, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"GET", "/chat/threads/{}/messages/{}", message_get, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"PATCH", "/chat/threads/{}/messages/{}", message_edit, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"DELETE", "/chat/threads/{}/messages/{}", message_delete, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"GET", "/chat/threads/{}/participants", participants_list, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/chat/threads/{}/participants/:add", participants_add, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/chat/threads/{}/participants/:remove", participant_remove, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/chat/threads/{}/typing", typing_send, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/chat/threads/{}/readReceipts", receipt_send, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"GET", "/chat/threads/{}/readReceipts", receipts_list, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
};
const struct http_route_table chat_routes = HTTP_ROUTE_TABLE(routes);
