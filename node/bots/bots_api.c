#include "node/bots/bots_api.h"

#include "node/gateway/authentication.h"
#include "node/gateway/desk_call.h"
#include "node/gateway/rate_limit.h"
#include "node/log.h"
#include "proto/status.h"

#define TOKEN_LIVES_S 86400
#define BOTS_MAX 100 /* each has its place in the cursors of every thread */

struct bot_job {
    struct desk_call base;
    struct bytes name;
    struct bytes body;
};

static void refuse(struct bot_job *job, int rc) {
    struct desk_call *base = &job->base;
    if (rc == STATUS_STORE_MISSING)
        problem_set(&base->problem, &base->arena, STATUS_NOT_FOUND, "name", "There is no bot \"%.*s\".",
                    BYTES_ARG(job->name));
    else if (rc == STATUS_CONFLICT)
        problem_set(&base->problem, &base->arena, rc, "name",
                    "The bot \"%.*s\" was changed by somebody else meanwhile; look at it, and try again.",
                    BYTES_ARG(job->name));
    else
        problem_set(&base->problem, &base->arena, rc, NULL, "%s", status_sentence(rc));
}

/* Takes `json`. */
static void reply(struct bot_job *job, int status, json_t *json) {
    job->base.status = status;
    job->base.answer = json_text_take(&job->base.arena, json);
}

/* ---- on the desk ---- */

static void list_work(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bot_job *job = (struct bot_job *)base;
    struct bot *bots;
    size_t count;
    (void)is_stopping;
    int rc = bots_list(&base->gateway->bots->items, &base->arena, &bots, &count);
    if (rc != STATUS_OK) {
        refuse(job, rc);
        return;
    }
    json_t *object = json_object_new();
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, bot_to_json(&bots[i], BOT_WITHOUT_SECRET));
    json_member_set(object, "value", array);
    reply(job, 200, object);
}

static void show_work(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bot_job *job = (struct bot_job *)base;
    struct bot bot;
    uint64_t version;
    (void)is_stopping;
    int rc = bot_get(&base->gateway->bots->items, job->name, &base->arena, &bot, &version);
    if (rc == STATUS_OK)
        reply(job, 200, bot_to_json(&bot, BOT_WITHOUT_SECRET));
    else
        refuse(job, rc);
}

static void remove_work(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bot_job *job = (struct bot_job *)base;
    const struct sealed_items *items = &base->gateway->bots->items;
    struct bot bot;
    uint64_t version;
    (void)is_stopping;
    int rc = bot_get(items, job->name, &base->arena, &bot, &version);
    if (rc == STATUS_OK || rc == STATUS_RECORD_CORRUPT)
        rc = sealed_item_remove(items, job->name, version);
    base->status = 204;
    if (rc == STATUS_OK)
        log_info("the bot %.*s is removed", BYTES_ARG(job->name));
    else
        refuse(job, rc);
}

static int user_check(struct bot_job *job, const struct bot *bot) {
    struct desk_call *base = &job->base;
    if (!bytes_is_present(bot->user_id))
        return problem_set(&base->problem, &base->arena, STATUS_VALIDATION_ERROR, "userId",
                           "userId is required: the user whom the bot is; POST /admin/tokens makes one.");
    if (user_id_is_of_resource(bot->user_id, bytes_of_text(base->gateway->settings->resource_id)))
        return STATUS_OK;
    return problem_set(&base->problem, &base->arena, STATUS_VALIDATION_ERROR, "userId",
                       "The userId must be that of a communication user of this resource, not \"%.*s\".",
                       BYTES_ARG(bot->user_id));
}

/* Whom the operator did not say stays the same, as does the secret. */
static void put_complete(struct bot_job *job, struct bot *wanted, const struct bot *before) {
    wanted->name = job->name;
    wanted->changed_ms = worker_wall_ms();
    wanted->created_ms = before == NULL ? wanted->changed_ms : before->created_ms;
    if (before == NULL && !wanted->has_secret)
        event_secret_make(&wanted->secret);
    else if (!wanted->has_secret)
        wanted->secret = before->secret;
    wanted->has_secret = true;
    if (before != NULL && !bytes_is_present(wanted->user_id))
        wanted->user_id = before->user_id;
    if (before != NULL && !bytes_is_present(wanted->display_name))
        wanted->display_name = before->display_name;
}

/* 0, or refused. */
static int room_check(struct bot_job *job) {
    struct desk_call *base = &job->base;
    struct bot *bots;
    size_t count;
    int rc = bots_list(&base->gateway->bots->items, &base->arena, &bots, &count);
    if (rc != STATUS_OK)
        refuse(job, rc);
    else if (count >= BOTS_MAX)
        rc = problem_set(&base->problem, &base->arena, STATUS_VALIDATION_ERROR, "name",
                         "There are %zu bots already; at most %d are allowed.", count, BOTS_MAX);
    return rc;
}

static void put_work(struct desk_call *base, const atomic_bool *is_stopping) {
    struct bot_job *job = (struct bot_job *)base;
    const struct gateway_bots *bots = base->gateway->bots;
    struct bot wanted, before;
    uint64_t version;
    (void)is_stopping;
    if (bot_parse(job->body, bots->may_be_private, &base->arena, &wanted, &base->problem) != STATUS_OK)
        return;
    int rc = bot_get(&bots->items, job->name, &base->arena, &before, &version);
    bool is_new = rc == STATUS_STORE_MISSING;
    if (!is_new && rc != STATUS_OK) {
        refuse(job, rc);
        return;
    }
    enum bot_showing showing = is_new && !wanted.has_secret ? BOT_WITH_SECRET : BOT_WITHOUT_SECRET;
    put_complete(job, &wanted, is_new ? NULL : &before);
    if (user_check(job, &wanted) != STATUS_OK || (is_new && room_check(job) != STATUS_OK))
        return;
    version = is_new ? 0 : version;
    rc = sealed_item_put(&bots->items, job->name, bot_encode(&wanted, &base->arena), &version);
    if (rc != STATUS_OK) {
        refuse(job, rc);
        return;
    }
    base->gateway->expect_events(base->gateway->core);
    log_info("the bot %.*s is %s", BYTES_ARG(job->name), is_new ? "made" : "changed");
    reply(job, is_new ? 201 : 200, bot_to_json(&wanted, showing));
}

/* ---- calls ---- */

static void bots_get(struct worker *worker, struct http_call *call) {
    desk_call_ask(desk_call_new(sizeof(struct bot_job), worker, call, list_work));
}

static void named_ask(struct worker *worker, struct http_call *call,
                      void (*work)(struct desk_call *base, const atomic_bool *is_stopping)) {
    struct problem problem = {0};
    if (!bot_name_is_valid(call->captures[0])) {
        problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "name",
                    "A bot's name has 3 to %d letters, digits and dashes.", BOT_NAME_BYTES_MAX);
        http_call_refuse(call, &problem);
        return;
    }
    struct bot_job *job = desk_call_new(sizeof(*job), worker, call, work);
    job->name = arena_copy(&job->base.arena, call->captures[0]);
    job->body = arena_copy(&job->base.arena, call->body);
    desk_call_ask(&job->base);
}

static void bot_show(struct worker *worker, struct http_call *call) {
    named_ask(worker, call, show_work);
}

static void on_user_known(struct authentication *user, int rc) {
    struct http_call *call = user->context;
    if (rc == STATUS_TOKEN_REVOKED)
        problem_set(&user->problem, &call->arena, STATUS_VALIDATION_ERROR, "userId",
                    "There is no user \"%.*s\"; POST /admin/tokens makes one.", BYTES_ARG(user->caller.user_id));
    if (rc == STATUS_OK)
        named_ask(user->worker->worker, call, put_work);
    else
        http_call_refuse(call, &user->problem);
}

static void user_look_up(struct gateway_worker *worker, struct http_call *call, struct bytes user_id) {
    struct authentication *user = ARENA_NEW(&call->arena, struct authentication);
    *user = (struct authentication){
        .worker = worker,
        .arena = &call->arena,
        .deadline_ms = call->deadline_ms,
        .context = call,
        .on_done = on_user_known,
        .caller = {.user_id = user_id, .hash = gateway_hash(worker->gateway, user_id), .token_issued_s = INT64_MAX}};
    int rc = authenticate_user(user);
    if (rc != AUTHENTICATION_WAITS)
        on_user_known(user, rc);
}

/* What is wrong otherwise is said where it is put. */
static void bot_put(struct worker *worker, struct http_call *call) {
    struct gateway_worker *self = gateway_worker_of(worker);
    struct problem problem = {0};
    struct bot bot;
    int rc = bot_parse(call->body, self->gateway->bots->may_be_private, &call->arena, &bot, &problem);
    if (rc == STATUS_OK && user_id_is_of_resource(bot.user_id, bytes_of_text(self->gateway->settings->resource_id)))
        user_look_up(self, call, bot.user_id);
    else
        named_ask(worker, call, put_work);
}

static void bot_delete(struct worker *worker, struct http_call *call) {
    named_ask(worker, call, remove_work);
}

/* ---- a token for a secret ---- */

static struct bytes token_answer(struct gateway *gateway, struct arena *arena, struct bytes user_id) {
    int64_t now_s = worker_wall_ms() / 1000;
    struct token_claims claims = {.user_id = user_id,
                                  .resource_id = bytes_of_text(gateway->settings->resource_id),
                                  .scopes = TOKEN_SCOPE_CHAT,
                                  .issued_s = now_s,
                                  .expires_s = now_s + TOKEN_LIVES_S};
    json_t *object = json_object_new();
    json_text_set(object, "token_type", BYTES_LITERAL("Bearer"));
    json_member_set(object, "expires_in", json_integer(TOKEN_LIVES_S));
    json_member_set(object, "ext_expires_in", json_integer(TOKEN_LIVES_S));
    json_text_set(object, "access_token", token_mint(arena, &gateway->token_key, &claims));
    return json_text_take(arena, object);
}

/* RFC 6749, 4.4 and 5.2. */
static void token_refuse(struct http_call *call, int status, const char *error, const char *why) {
    json_t *object = json_object_new();
    json_text_set(object, "error", bytes_of_text(error));
    json_text_set(object, "error_description", bytes_of_text(why));
    http_call_reply(call, status, json_text_take(&call->arena, object));
}

static struct bytes form_text(struct http_call *call, const char *name) {
    const struct target form = {.query = call->body};
    struct bytes value = target_query_find(&call->arena, &form, name);
    return bytes_is_present(value) ? value : BYTES_LITERAL("");
}

/* Only who has a secret counts: otherwise anybody could use up what all others may ask for. */
static void token_post(struct worker *self, struct http_call *call) {
    struct gateway *gateway = gateway_worker_of(self)->gateway;
    struct bytes user_id;
    uint32_t retry_after_s = 0;
    http_call_set_header(call, "cache-control", BYTES_LITERAL("no-store"));
    if (!bytes_equal_text(form_text(call, "grant_type"), "client_credentials"))
        token_refuse(call, 400, "unsupported_grant_type", "grant_type must be client_credentials.");
    else if (!bot_roster_admit(gateway->bots->roster, form_text(call, "client_id"), form_text(call, "client_secret"),
                               &call->arena, &user_id))
        token_refuse(call, 401, "invalid_client", "client_id must be a bot's name, and client_secret its secret.");
    else if (!rate_limiter_admit(gateway->limiter, RATE_TOKEN_ISSUE, NULL, NULL, worker_wall_ms(), &retry_after_s))
        http_call_refuse_status(call, STATUS_TOO_MANY_REQUESTS);
    else
        http_call_reply(call, 200, token_answer(gateway, &call->arena, user_id));
}

static const struct http_route routes[] = {
    {"GET", "/admin/bots", bots_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"GET", "/admin/bots/{}", bot_show, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"PUT", "/admin/bots/{}", bot_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"DELETE", "/admin/bots/{}", bot_delete, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NONE},
    {"POST", "/botframework.com/oauth2/v2.0/token", token_post, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table bots_routes = HTTP_ROUTE_TABLE(routes);
