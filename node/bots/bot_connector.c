#include "node/bots/bot_connector.h"

#include <inttypes.h>
#include <stdlib.h>

#include "node/bots/bot_saying.h"
#include "node/bots/bot_streams.h"
#include "node/bots/bots_api.h"
#include "node/gateway/chat_calls.h"
#include "node/gateway/rate_limit.h"
#include "proto/check.h"
#include "proto/limits.h"

/* A call that waits for its command. */
struct saying_wait {
    struct reply reply;
    struct http_call *call;
    struct problem problem;
    struct bot_edit edit; /* message_id not 0: it is one, */
    struct bot_streams *streams;
    void (*finish)(struct saying_wait *wait);
};

static struct bot_streams *streams_of(const struct gateway_worker *worker) {
    return worker->gateway->bots->streams;
}

/* ---- answers ---- */

/* A ResourceResponse. */
static void id_reply(struct http_call *call, int status, struct bytes id) {
    json_t *object = json_object_new();
    json_text_set(object, "id", id);
    http_call_reply(call, status, json_text_take(&call->arena, object));
}

static struct bytes id_text(struct http_call *call, uint64_t id) {
    return arena_printf(&call->arena, "%" PRIu64, id);
}

static void finish_send(struct saying_wait *wait) {
    id_reply(wait->call, 201, id_text(wait->call, wait->reply.result.message_id));
}

static void finish_edit(struct saying_wait *wait) {
    bot_streams_settle(wait->streams, &wait->edit, true);
    id_reply(wait->call, 200, id_text(wait->call, wait->edit.message_id));
}

static void finish_with_nothing(struct saying_wait *wait) {
    http_call_reply(wait->call, 200, BYTES_ABSENT);
}

static void finish_typing(struct saying_wait *wait) {
    id_reply(wait->call, 202, BYTES_LITERAL(""));
}

static void wait_refuse(struct saying_wait *wait) {
    if (wait->edit.message_id != 0)
        bot_streams_settle(wait->streams, &wait->edit, false);
    if (wait->problem.rc == STATUS_OK)
        wait->problem.rc = wait->reply.result.rc;
    http_call_refuse(wait->call, &wait->problem);
}

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct saying_wait *wait = (struct saying_wait *)reply;
    (void)worker;
    if (reply->result.rc == STATUS_OK)
        wait->finish(wait);
    else
        wait_refuse(wait);
    free(wait);
}

/* What chat_calls returned: the answer comes later, is there already, or is a refusal. */
static void wait_settle(struct saying_wait *wait, int rc) {
    if (rc == STATUS_OK)
        return;
    if (rc == CHAT_CALL_SETTLED)
        wait->finish(wait);
    else
        wait_refuse(wait);
    free(wait);
}

static struct saying_wait *wait_new(struct http_call *call, void (*finish)(struct saying_wait *wait)) {
    struct saying_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    wait->call = call;
    wait->finish = finish;
    wait->reply.on_answer = on_answer;
    return wait;
}

static struct chat_call chat_call_of(struct worker *worker, struct saying_wait *wait) {
    return (struct chat_call){.worker = gateway_worker_of(worker),
                              .arena = &wait->call->arena,
                              .caller = wait->call->caller,
                              .reply = &wait->reply,
                              .problem = &wait->problem,
                              .operation_id = wait->call->operation_id};
}

/* ---- edits, not too often ---- */

/* One that waits for its turn; in the call's arena. */
struct pacing {
    struct wheel_timer timer;
    struct worker *worker;
    struct http_call *call;
    struct bot_edit edit;
    struct update_message_request request;
};

static void edit_do(struct pacing *pacing) {
    struct saying_wait *wait = wait_new(pacing->call, finish_edit);
    struct chat_call chat = chat_call_of(pacing->worker, wait);
    wait->edit = pacing->edit;
    wait->streams = streams_of(gateway_worker_of(pacing->worker));
    wait_settle(wait, chat_message_edit(&chat, pacing->call->captures[0], pacing->edit.message_id, &pacing->request));
}

/* A newer one says all that this one would have said. */
static void edit_leave_out(struct pacing *pacing) {
    id_reply(pacing->call, 202, id_text(pacing->call, pacing->edit.message_id));
}

static void on_turn(struct wheel_timer *timer, void *owner);

static void edit_take_turn(struct pacing *pacing, enum bot_edit_turn turn, uint64_t now_ms, uint64_t wait_ms) {
    switch (turn) {
    case BOT_EDIT_NOW:
        edit_do(pacing);
        break;
    case BOT_EDIT_LATER:
        wheel_timer_start(&pacing->worker->wheel, &pacing->timer, now_ms, wait_ms, on_turn);
        break;
    case BOT_EDIT_NEVER:
        edit_leave_out(pacing);
        break;
    }
}

static void on_turn(struct wheel_timer *timer, void *owner) {
    struct pacing *pacing = (struct pacing *)timer;
    (void)owner;
    struct bot_streams *streams = streams_of(gateway_worker_of(pacing->worker));
    uint64_t now_ms = worker_now_ms(pacing->worker), wait_ms;
    enum bot_edit_turn turn = bot_streams_ask_again(streams, &pacing->edit, now_ms, &wait_ms);
    edit_take_turn(pacing, turn, now_ms, wait_ms);
}

static void edit_pace(struct pacing *pacing) {
    struct bot_streams *streams = streams_of(gateway_worker_of(pacing->worker));
    uint64_t now_ms = worker_now_ms(pacing->worker), wait_ms;
    enum bot_edit_turn turn = bot_streams_ask(streams, &pacing->edit, now_ms, &wait_ms);
    edit_take_turn(pacing, turn, now_ms, wait_ms);
}

static void edit(struct worker *worker, struct http_call *call, struct bytes id, const struct bot_saying *saying) {
    struct pacing *pacing = ARENA_NEW(&call->arena, struct pacing);
    struct problem problem = {0};
    *pacing = (struct pacing){.worker = worker,
                              .call = call,
                              .edit = {.caller = call->caller->hash,
                                       .thread = gateway_hash(gateway_worker_of(worker)->gateway, call->captures[0]),
                                       .sequence = saying->stream.sequence,
                                       .is_last = saying->stream.is_last},
                              .request = {.content = saying->message.content, .metadata = saying->message.metadata}};
    if (decimal_parse(id, &pacing->edit.message_id) && pacing->edit.message_id != 0) {
        edit_pace(pacing);
        return;
    }
    problem_set(&problem, &call->arena, STATUS_BAD_REQUEST, "activityId", "There is no activity \"%.*s\".",
                (int)(id.size < 64 ? id.size : 64), (const char *)id.data);
    http_call_refuse(call, &problem);
}

/* ---- what a bot says ---- */

/* By the bot's own id it is known as long as the thread is there. */
static struct send_identity identity_of(struct http_call *call, const struct bot_saying *saying) {
    struct bytes id = http_call_find_header(call, "x-ms-client-request-id");
    if (bytes_is_present(saying->id))
        return (struct send_identity){.kind = IDEMPOTENCY_CLIENT_MESSAGE_ID, .id = saying->id};
    if (id.size == 0 || id.size > LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX)
        id = call->operation_id;
    return (struct send_identity){
        .kind = bytes_is_present(id) ? IDEMPOTENCY_REQUEST_ID : IDEMPOTENCY_NONE, .id = id, .body = call->body};
}

static void say(struct worker *worker, struct http_call *call, const struct bot_saying *saying) {
    struct saying_wait *wait = wait_new(call, finish_send);
    struct chat_call chat = chat_call_of(worker, wait);
    struct send_identity identity = identity_of(call, saying);
    wait_settle(wait, chat_message_send(&chat, call->captures[0], &saying->message, &identity));
}

static void type(struct worker *worker, struct http_call *call) {
    struct saying_wait *wait = wait_new(call, finish_typing);
    struct chat_call chat = chat_call_of(worker, wait);
    wait_settle(wait, chat_typing_send(&chat, call->captures[0], BYTES_LITERAL("")));
}

static int admit(struct worker *worker, struct http_call *call, struct problem *problem) {
    struct id_hash thread = gateway_hash(gateway_worker_of(worker)->gateway, call->captures[0]);
    uint32_t retry_after_s = 0;
    if (rate_limiter_admit(gateway_worker_of(worker)->gateway->limiter, RATE_MESSAGE_WRITE, &call->caller->hash,
                           &thread, worker_wall_ms(), &retry_after_s))
        return STATUS_OK;
    http_call_set_header(call, "retry-after", arena_printf(&call->arena, "%" PRIu32, retry_after_s));
    return problem_set(problem, &call->arena, STATUS_TOO_MANY_REQUESTS, NULL, "%s",
                       status_sentence(STATUS_TOO_MANY_REQUESTS));
}

/* False: refused. */
static bool saying_take(struct worker *worker, struct http_call *call, struct bot_saying *saying) {
    struct problem problem = {0};
    size_t bytes_max = (size_t)gateway_worker_of(worker)->gateway->config->message_bytes_max;
    int rc = admit(worker, call, &problem);
    if (rc == STATUS_OK)
        rc = bot_saying_parse(&call->arena, call->body, bytes_max, saying, &problem);
    if (rc != STATUS_OK)
        http_call_refuse(call, &problem);
    return rc == STATUS_OK;
}

static void activity_post(struct worker *worker, struct http_call *call) {
    struct bot_saying saying;
    if (!saying_take(worker, call, &saying))
        return;
    if (saying.kind == BOT_SAYS_NOTHING)
        id_reply(call, 202, BYTES_LITERAL(""));
    else if (saying.kind == BOT_SAYS_TYPING)
        type(worker, call);
    else if (bytes_is_present(saying.stream.id))
        edit(worker, call, saying.stream.id, &saying);
    else
        say(worker, call, &saying);
}

static void activity_put(struct worker *worker, struct http_call *call) {
    struct bot_saying saying;
    struct problem problem = {0};
    if (!saying_take(worker, call, &saying))
        return;
    if (saying.kind == BOT_SAYS_MESSAGE) {
        edit(worker, call, call->captures[1], &saying);
        return;
    }
    problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "type", "Only a message can be updated.");
    http_call_refuse(call, &problem);
}

static void activity_delete(struct worker *worker, struct http_call *call) {
    uint64_t id = 0;
    if (!decimal_parse(call->captures[1], &id)) {
        http_call_refuse_status(call, STATUS_MESSAGE_NOT_FOUND);
        return;
    }
    struct saying_wait *wait = wait_new(call, finish_with_nothing);
    struct chat_call chat = chat_call_of(worker, wait);
    wait_settle(wait, chat_message_delete(&chat, call->captures[0], id));
}

/* A reply stands in the thread as any message. */
static const struct http_route routes[] = {
    {"POST", "/v3/conversations/{}/activities", activity_post, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"POST", "/v3/conversations/{}/activities/{}", activity_post, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"PUT", "/v3/conversations/{}/activities/{}", activity_put, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
    {"DELETE", "/v3/conversations/{}/activities/{}", activity_delete, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_THREAD},
};
const struct http_route_table bot_connector_routes = HTTP_ROUTE_TABLE(routes);
