#define _GNU_SOURCE /* memmem */
#include "node/coordinator/etcd_client.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/coordinator/etcd_json.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define ENDPOINTS_MAX 16
#define PAUSE_MS 100 /* when every member was asked in vain: an election takes longer */
#define TOKENS_PER_CALL_MAX 3
#define TEXT_BYTES_MAX 200 /* of what somebody else than etcd says */

struct idle_connection {
    struct idle_connection *next;
    struct etcd_http *http;
};

struct etcd_client {
    struct arena arena; /* of the options */
    const char *endpoints[ENDPOINTS_MAX];
    size_t endpoints_count;
    const char *user;
    const char *password;
    struct etcd_tls tls;
    pthread_mutex_t mutex; /* of everything below */
    size_t preferred;
    bool is_silent;      /* said in the log */
    bool is_hurrying;    /* who is silent is not waited for any more */
    char complaint[256]; /* the last one in the log, since a member answered */
    size_t left_count;   /* members left since one answered */
    char *token;
    bool is_open; /* etcd asks nobody who he is */
    struct idle_connection *idle;
};

static void endpoints_split(struct etcd_client *client, const char *text) {
    while (*(text += strspn(text, " ")) != '\0') {
        size_t size = strcspn(text, " ");
        check(client->endpoints_count < ENDPOINTS_MAX);
        size_t trimmed = text[size - 1] == '/' ? size - 1 : size;
        client->endpoints[client->endpoints_count++] = arena_text(&client->arena, bytes_of(text, trimmed));
        text += size;
    }
    check(client->endpoints_count > 0);
}

struct etcd_client *etcd_client_new(const struct etcd_options *options) {
    struct etcd_client *client = calloc(1, sizeof(*client));
    check(client != NULL);
    arena_init(&client->arena);
    endpoints_split(client, options->endpoints);
    client->user = arena_text(&client->arena, bytes_of_text(options->user));
    client->password = arena_text(&client->arena, bytes_of_text(options->password));
    client->tls.ca_file = arena_text(&client->arena, bytes_of_text(options->ca_file));
    client->tls.cert_file = arena_text(&client->arena, bytes_of_text(options->cert_file));
    client->tls.key_file = arena_text(&client->arena, bytes_of_text(options->key_file));
    pthread_mutex_init(&client->mutex, NULL);
    return client;
}

void etcd_client_free(struct etcd_client *client) {
    while (client->idle != NULL) {
        struct idle_connection *next = client->idle->next;
        etcd_http_free(client->idle->http);
        free(client->idle);
        client->idle = next;
    }
    free(client->token);
    pthread_mutex_destroy(&client->mutex);
    arena_close(&client->arena);
    free(client);
}

/* ---- connections ---- */

struct etcd_http *etcd_client_connection(struct etcd_client *client) {
    return etcd_http_new(&client->tls);
}

static struct etcd_http *connection_borrow(struct etcd_client *client) {
    pthread_mutex_lock(&client->mutex);
    struct idle_connection *idle = client->idle;
    if (idle != NULL)
        client->idle = idle->next;
    pthread_mutex_unlock(&client->mutex);
    struct etcd_http *http = idle == NULL ? etcd_client_connection(client) : idle->http;
    free(idle);
    return http;
}

static void connection_give_back(struct etcd_client *client, struct etcd_http *http) {
    struct idle_connection *idle = calloc(1, sizeof(*idle));
    check(idle != NULL);
    idle->http = http;
    pthread_mutex_lock(&client->mutex);
    idle->next = client->idle;
    client->idle = idle;
    pthread_mutex_unlock(&client->mutex);
}

/* ---- members ---- */

const char *etcd_client_endpoint(struct etcd_client *client) {
    pthread_mutex_lock(&client->mutex);
    const char *endpoint = client->endpoints[client->preferred];
    pthread_mutex_unlock(&client->mutex);
    return endpoint;
}

void etcd_client_leave(struct etcd_client *client, const char *endpoint, const char *why) {
    pthread_mutex_lock(&client->mutex);
    /* Somebody else may have left it already. */
    if (client->endpoints[client->preferred] == endpoint) {
        client->preferred = (client->preferred + 1) % client->endpoints_count;
        client->left_count++;
    }
    bool is_news = client->left_count >= client->endpoints_count && !client->is_silent;
    if (is_news)
        client->is_silent = true;
    pthread_mutex_unlock(&client->mutex);
    log_debug("etcd member %s: %s", endpoint, why);
    if (is_news)
        log_warning("no member of etcd answers; the last one asked, %s: %s", endpoint, why);
}

void etcd_client_heard(struct etcd_client *client, const char *endpoint) {
    pthread_mutex_lock(&client->mutex);
    bool is_news = client->is_silent;
    client->is_silent = false;
    client->left_count = 0;
    client->complaint[0] = '\0';
    pthread_mutex_unlock(&client->mutex);
    if (is_news)
        log_info("etcd answers again, at %s", endpoint);
}

bool etcd_client_is_silent(struct etcd_client *client) {
    pthread_mutex_lock(&client->mutex);
    bool is_silent = client->is_silent;
    pthread_mutex_unlock(&client->mutex);
    return is_silent;
}

void etcd_client_hurry(struct etcd_client *client) {
    pthread_mutex_lock(&client->mutex);
    client->is_hurrying = true;
    pthread_mutex_unlock(&client->mutex);
}

static bool is_hopeless(struct etcd_client *client) {
    pthread_mutex_lock(&client->mutex);
    bool is_hopeless = client->is_silent && client->is_hurrying;
    pthread_mutex_unlock(&client->mutex);
    return is_hopeless;
}

/* Threads try again and again; the log need not hear it every time. */
static void complain(struct etcd_client *client, struct bytes text) {
    pthread_mutex_lock(&client->mutex);
    char before[sizeof(client->complaint)];
    memcpy(before, client->complaint, sizeof(before));
    snprintf(client->complaint, sizeof(client->complaint), "%.*s", BYTES_ARG(text));
    bool is_news = strcmp(before, client->complaint) != 0;
    pthread_mutex_unlock(&client->mutex);
    if (is_news)
        log_error("%.*s", BYTES_ARG(text));
}

/* ---- refusals ---- */

static bool text_contains(struct bytes text, const char *part) {
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* By etcd's texts (api/v3rpc/rpctypes/error.go), as one code of gRPC stands for several of them. */
enum etcd_refusal etcd_refusal_of(struct bytes message, uint64_t code) {
    static const struct {
        const char *part;
        enum etcd_refusal refusal;
    } texts[] = {
        {"invalid auth token", ETCD_REFUSED_TOKEN},     {"revision of auth store is old", ETCD_REFUSED_TOKEN},
        {"user name is empty", ETCD_REFUSED_TOKEN},     {"no leader", ETCD_REFUSED_LEADER},
        {"has been compacted", ETCD_REFUSED_COMPACTED}, {"lease not found", ETCD_REFUSED_MISSING},
        {"permission denied", ETCD_REFUSED_ACCESS},     {"authentication failed", ETCD_REFUSED_ACCESS},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (text_contains(message, texts[i].part))
            return texts[i].refusal;
    /* InvalidArgument, NotFound, FailedPrecondition, OutOfRange, Unimplemented are said before anything is done. */
    bool is_plain = code == 3 || code == 5 || code == 9 || code == 11 || code == 12;
    return is_plain ? ETCD_REFUSED : ETCD_REFUSED_UNKNOWN;
}

/* ---- who we are ---- */

/* An answer that is an error. What is none of the gateway's comes from the server around it, or from a proxy: then the
 * first line of it has to do, and the code is 2 (gRPC's Unknown). */
static struct etcd_error answer_error(const struct etcd_http_answer *answer, struct arena *arena) {
    struct etcd_error error;
    struct bytes body = buffer_bytes(&answer->body);
    if (etcd_error_decode(body, arena, &error) == STATUS_OK && error.message.size > 0)
        return error;
    size_t size = body.size < TEXT_BYTES_MAX ? body.size : TEXT_BYTES_MAX;
    size_t line_size = 0;
    while (line_size < size && body.data[line_size] >= ' ')
        line_size++;
    error.code = 2;
    error.message =
        arena_printf(arena, "HTTP status %ld %.*s", answer->status, (int)line_size, (const char *)body.data);
    return error;
}

/* What a member that was asked for a token has said: STATUS_SERVICE_UNAVAILABLE with `why`, or STATUS_FORBIDDEN.
 * Without token and error: it asks nobody who he is. */
static int login_read(struct etcd_client *client, const struct etcd_http_answer *answer, struct arena *arena,
                      char **token, const char **why) {
    *why = "the answer to signing in is none of etcd";
    if (answer->status == 200)
        return etcd_login_decode(buffer_bytes(&answer->body), arena, token) == STATUS_OK ? STATUS_OK
                                                                                         : STATUS_SERVICE_UNAVAILABLE;
    struct etcd_error error = answer_error(answer, arena);
    *why = arena_text(arena, error.message);
    if (text_contains(error.message, "authentication is not enabled"))
        return STATUS_OK;
    if (etcd_refusal_of(error.message, error.code) != ETCD_REFUSED_ACCESS)
        return STATUS_SERVICE_UNAVAILABLE;
    complain(client, arena_printf(arena, "etcd does not let the user %s in: %s", client->user, *why));
    return STATUS_FORBIDDEN;
}

/* One try at one member. */
static int login(struct etcd_client *client, struct etcd_http *http, const char *endpoint, struct arena *arena,
                 char **token) {
    struct buffer body;
    struct etcd_http_answer answer;
    buffer_init(&body);
    etcd_http_answer_init(&answer);
    etcd_login_encode(&body, client->user, client->password);
    struct etcd_http_request request = {.endpoint = endpoint,
                                        .path = "/v3/auth/authenticate",
                                        .body = buffer_bytes(&body),
                                        .connect_ms_max = ETCD_CONNECT_MS_MAX,
                                        .ms_max = ETCD_TRY_MS_MAX};
    const char *why = answer.error;
    int rc = etcd_http_post(http, &request, &answer);
    if (rc == STATUS_OK)
        rc = login_read(client, &answer, arena, token, &why);
    if (rc == STATUS_SERVICE_UNAVAILABLE)
        etcd_client_leave(client, endpoint, why);
    sodium_memzero(body.data, body.size);
    buffer_close(&body);
    etcd_http_answer_close(&answer);
    return rc;
}

static void token_keep(struct etcd_client *client, const char *token) {
    pthread_mutex_lock(&client->mutex);
    free(client->token);
    client->token = token == NULL ? NULL : strdup(token);
    check(token == NULL || client->token != NULL);
    client->is_open = token == NULL;
    pthread_mutex_unlock(&client->mutex);
}

int etcd_client_token(struct etcd_client *client, struct etcd_http *http, struct arena *arena, const char **token) {
    char *made = NULL;
    *token = NULL;
    pthread_mutex_lock(&client->mutex);
    bool is_needed = client->user[0] != '\0' && !client->is_open;
    if (is_needed && client->token != NULL)
        *token = arena_text(arena, bytes_of_text(client->token));
    pthread_mutex_unlock(&client->mutex);
    if (!is_needed || *token != NULL)
        return STATUS_OK;
    int rc = login(client, http, etcd_client_endpoint(client), arena, &made);
    if (rc == STATUS_OK)
        token_keep(client, made);
    *token = made;
    return rc;
}

bool etcd_client_token_expire(struct etcd_client *client, const char *token) {
    pthread_mutex_lock(&client->mutex);
    /* Somebody else may have a new one already. */
    if (token == NULL || (client->token != NULL && strcmp(client->token, token) == 0)) {
        free(client->token);
        client->token = NULL;
    }
    if (token == NULL)
        client->is_open = false;
    pthread_mutex_unlock(&client->mutex);
    return client->user[0] != '\0';
}

/* ---- calls ---- */

enum verdict { VERDICT_DONE, VERDICT_NEXT_MEMBER, VERDICT_SAME_MEMBER };

struct attempt {
    struct etcd_client *client;
    struct etcd_http *http;
    const struct etcd_call *call;
    int64_t end_ms;
    struct arena arena;
    struct etcd_http_answer answer;
    int rc;
};

static enum verdict attempt_refuse(struct attempt *attempt, int rc, const char *endpoint, struct bytes message) {
    bool is_nobody = attempt->client->user[0] == '\0' && rc == STATUS_FORBIDDEN;
    complain(attempt->client,
             arena_printf(&attempt->arena, "etcd at %s refuses %s: %.*s%s", endpoint, attempt->call->path,
                          BYTES_ARG(message), is_nobody ? "; no etcd_user is configured" : ""));
    attempt->rc = rc;
    return VERDICT_DONE;
}

static enum verdict attempt_read_error(struct attempt *attempt, const char *endpoint, const char *token) {
    struct etcd_error error = answer_error(&attempt->answer, &attempt->arena);
    struct bytes message = error.message;
    switch (etcd_refusal_of(message, error.code)) {
    case ETCD_REFUSED_COMPACTED:
        attempt->rc = STATUS_CONFLICT;
        return VERDICT_DONE;
    case ETCD_REFUSED_MISSING:
        attempt->rc = STATUS_STORE_MISSING;
        return VERDICT_DONE;
    case ETCD_REFUSED_TOKEN:
        if (etcd_client_token_expire(attempt->client, token))
            return VERDICT_SAME_MEMBER;
        return attempt_refuse(attempt, STATUS_FORBIDDEN, endpoint, message);
    case ETCD_REFUSED_ACCESS:
        return attempt_refuse(attempt, STATUS_FORBIDDEN, endpoint, message);
    case ETCD_REFUSED:
        return attempt_refuse(attempt, STATUS_SERVICE_UNAVAILABLE, endpoint, message);
    case ETCD_REFUSED_LEADER:
        etcd_client_leave(attempt->client, endpoint, arena_text(&attempt->arena, message));
        return VERDICT_NEXT_MEMBER;
    case ETCD_REFUSED_UNKNOWN:
        etcd_client_leave(attempt->client, endpoint, arena_text(&attempt->arena, message));
        return attempt->call->must_not_repeat ? VERDICT_DONE : VERDICT_NEXT_MEMBER;
    }
    check(false);
    return VERDICT_DONE;
}

static enum verdict attempt_member(struct attempt *attempt, const char *endpoint) {
    const struct etcd_call *call = attempt->call;
    const char *token = NULL;
    attempt->rc = etcd_client_token(attempt->client, attempt->http, &attempt->arena, &token);
    if (attempt->rc != STATUS_OK)
        return attempt->rc == STATUS_SERVICE_UNAVAILABLE ? VERDICT_NEXT_MEMBER : VERDICT_DONE;
    int64_t ms_max = call->must_not_repeat ? ETCD_SWAP_MS_MAX : ETCD_TRY_MS_MAX;
    int64_t left_ms = attempt->end_ms - etcd_now_ms();
    if (left_ms <= 0)
        return VERDICT_NEXT_MEMBER;
    struct etcd_http_request request = {.endpoint = endpoint,
                                        .path = call->path,
                                        .token = token,
                                        .body = call->body,
                                        .connect_ms_max = ETCD_CONNECT_MS_MAX,
                                        .ms_max = left_ms < ms_max ? left_ms : ms_max,
                                        .must_not_repeat = call->must_not_repeat};
    attempt->rc = etcd_http_post(attempt->http, &request, &attempt->answer);
    if (attempt->rc == STATUS_OK) {
        if (attempt->answer.status == 200) {
            etcd_client_heard(attempt->client, endpoint);
            return VERDICT_DONE;
        }
        attempt->rc = STATUS_SERVICE_UNAVAILABLE;
        return attempt_read_error(attempt, endpoint, token);
    }
    if (attempt->rc != STATUS_SERVICE_UNAVAILABLE)
        return VERDICT_DONE;
    etcd_client_leave(attempt->client, endpoint, attempt->answer.error);
    return call->must_not_repeat && attempt->answer.was_sent ? VERDICT_DONE : VERDICT_NEXT_MEMBER;
}

static void attempt_run(struct attempt *attempt) {
    size_t tokens = 0;
    size_t members = 0;
    attempt->rc = STATUS_SERVICE_UNAVAILABLE;
    while (etcd_now_ms() < attempt->end_ms && !is_hopeless(attempt->client)) {
        enum verdict verdict = attempt_member(attempt, etcd_client_endpoint(attempt->client));
        if (verdict == VERDICT_DONE || (verdict == VERDICT_SAME_MEMBER && ++tokens == TOKENS_PER_CALL_MAX))
            return;
        attempt->rc = STATUS_SERVICE_UNAVAILABLE;
        if (verdict == VERDICT_NEXT_MEMBER && ++members % attempt->client->endpoints_count == 0)
            etcd_http_pause(attempt->http, PAUSE_MS);
    }
}

int etcd_client_call(struct etcd_client *client, struct etcd_http *http, const struct etcd_call *call,
                     struct buffer *answer) {
    struct attempt attempt = {.client = client,
                              .http = http == NULL ? connection_borrow(client) : http,
                              .call = call,
                              .end_ms = etcd_now_ms() + call->ms_max};
    arena_init(&attempt.arena);
    etcd_http_answer_init(&attempt.answer);
    attempt_run(&attempt);
    if (attempt.rc == STATUS_OK)
        buffer_append_bytes(answer, buffer_bytes(&attempt.answer.body));
    if (http == NULL)
        connection_give_back(client, attempt.http);
    etcd_http_answer_close(&attempt.answer);
    arena_close(&attempt.arena);
    return attempt.rc;
}
