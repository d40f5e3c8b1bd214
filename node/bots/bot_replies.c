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

/* As one that came from another node. */
static void call_fill(struct http_call *call, const struct bot_replies *self) {
    call->is_forwarded = true;
    call->method = BYTES_LITERAL("POST");
    call->raw_target = arena_printf(&call->arena, "/v3/conversations/%.*s/activities", BYTES_ARG(self->thread_id));
    check(target_parse(&call->arena, call->raw_target, &call->target) == STATUS_OK);
    call->body = arena_copy(&call->arena, self->bodies[self->next]);
    call->client_address = BYTES_LITERAL("");
    call->public_origin = BYTES_LITERAL("");
    call->deadline_ms = worker_now_ms(self->worker->worker) + FORWARD_DEADLINE_MS;
}

static void on_known(struct authentication *authentication, int rc) {
    struct http_call *call = authentication->context;
    call->caller = &authentication->caller;
    if (rc != STATUS_OK)
        http_call_refuse(call, &authentication->problem);
    else if (http_call_is_awaited(call))
        worker_call_run(authentication->worker->worker, call);
    else
        http_call_refuse_status(call, STATUS_REQUEST_TIMEOUT);
}

/* The program may go on when its user is gone. */
static void user_look_up(const struct bot_replies *self, struct http_call *call) {
    struct authentication *authentication = ARENA_NEW(&call->arena, struct authentication);
    struct bytes user_id = arena_copy(&call->arena, self->user_id);
    *authentication = (struct authentication){.worker = self->worker,
                                              .arena = &call->arena,
                                              .deadline_ms = call->deadline_ms,
                                              .context = call,
                                              .on_done = on_known,
                                              .caller = {.user_id = user_id,
                                                         .hash = gateway_hash(self->worker->gateway, user_id),
                                                         .scopes = TOKEN_SCOPE_CHAT,
                                                         .token_issued_s = self->issued_s}};
    int rc = authenticate_user(authentication);
    if (rc != AUTHENTICATION_WAITS)
        on_known(authentication, rc);
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
    user_look_up(self, call);
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
