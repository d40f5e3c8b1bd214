#include "node/bots/bot_replies.h"

#include "node/gateway/authentication.h"
#include "node/gateway/forward.h"
#include "node/log.h"
#include "proto/check.h"

static void next_say(struct bot_replies *self);

/* Said, or never to be said: what is refused for what it is would be refused again. */
static bool is_settled(const struct http_answer *answer) {
    return answer->status < 500 && answer->status != 429;
}

static void on_answer(struct http_call *call, const struct http_answer *answer) {
    struct bot_replies *self = call->hooks_context;
    call->hooks = NULL;
    if (!is_settled(answer)) {
        self->on_done(self, true);
        return;
    }
    if (answer->status >= 300)
        log_warning("a bot's answer in %.*s is refused with %d: %.*s", BYTES_ARG(self->thread_id), answer->status,
                    BYTES_ARG(answer->body));
    next_say(self);
}

static void on_stop(struct http_call *call) {
    struct bot_replies *self = call->hooks_context;
    call->hooks = NULL;
    self->on_done(self, true);
}

static const struct http_call_hooks hooks = {.on_answer = on_answer, .on_stop = on_stop};

static struct caller *caller_of(struct gateway_worker *worker, struct http_call *call, struct bytes user_id) {
    struct caller *caller = ARENA_NEW(&call->arena, struct caller);
    *caller = (struct caller){.user_id = arena_copy(&call->arena, user_id),
                              .hash = gateway_hash(worker->gateway, user_id),
                              .scopes = TOKEN_SCOPE_CHAT,
                              .token_issued_s = worker_wall_ms() / 1000};
    return caller;
}

/* As one that came from another node, which has found out who calls. */
static void call_fill(struct http_call *call, const struct bot_replies *self) {
    call->is_forwarded = true;
    call->method = BYTES_LITERAL("POST");
    call->raw_target = arena_printf(&call->arena, "/v3/conversations/%.*s/activities", BYTES_ARG(self->thread_id));
    check(target_parse(&call->arena, call->raw_target, &call->target) == STATUS_OK);
    call->body = arena_copy(&call->arena, self->bodies[self->next]);
    call->client_address = BYTES_LITERAL("");
    call->public_origin = BYTES_LITERAL("");
    call->caller = caller_of(self->worker, call, self->user_id);
    call->deadline_ms = worker_now_ms(self->worker->worker) + FORWARD_DEADLINE_MS;
}

static void next_say(struct bot_replies *self) {
    struct http_call *call = self->next < self->count ? worker_call_new(self->worker->worker) : NULL;
    if (call == NULL) {
        self->on_done(self, self->next < self->count);
        return;
    }
    call->hooks = &hooks;
    call->hooks_context = self;
    call_fill(call, self);
    self->next++;
    worker_call_run(self->worker->worker, call);
}

static void on_delivered(void *receiver, struct parcel *parcel) {
    struct bot_replies *self = (struct bot_replies *)parcel;
    self->worker = gateway_worker_of(receiver);
    next_say(self);
}

void bot_replies_say(struct bot_replies *self, unsigned worker) {
    self->parcel.deliver = on_delivered;
    self->next = 0;
    if (worker_post(self->gateway->workers[worker % self->gateway->workers_count].worker, &self->parcel) != STATUS_OK)
        self->on_done(self, true);
}
