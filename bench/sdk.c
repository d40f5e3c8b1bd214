#define _GNU_SOURCE
#include "bench/sdk.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/chat_target.h"
#include "proto/check.h"
#include "proto/ids.h"
#include "proto/limits.h"

/* encodeURI of {"cv":"2024.14.01.55","ua":"acs-chat-web","hr":"","v":"1.0.0"} */
#define CLIENT_DESCRIPTION                                                                                             \
    "%7B%22cv%22:%222024.14.01.55%22,%22ua%22:%22acs-chat-web%22,%22hr%22:%22%22,%22v%22:%221.0.0%22%7D"

struct sdk_state {
    struct session *session; /* NULL: the session is closed, and a call under way is the state's owner */
    bool has_call;
    char endpoint_id[37];
    char correlation_id[37];
    int64_t started_ms;
    struct address socket_address;
    struct buffer query; /* what allocation gave, for handshake and socket */
    struct buffer surl;
    uint64_t events_sent; /* numbers of "5:<n>+" */
};

static void state_free(struct sdk_state *sdk) {
    buffer_close(&sdk->query);
    buffer_close(&sdk->surl);
    free(sdk);
}

void sdk_close(struct session *session) {
    struct sdk_state *sdk = session->sdk;
    session->sdk = NULL;
    if (sdk == NULL)
        return;
    sdk->session = NULL;
    if (!sdk->has_call)
        state_free(sdk);
}

/* The session the answer is for; NULL when it was closed meanwhile. */
static struct session *call_ended(struct sdk_state *sdk) {
    struct session *session = sdk->session;
    sdk->has_call = false;
    if (session == NULL)
        state_free(sdk);
    return session;
}

static void uuid_of_chance(struct session_host *host, char text[37]) {
    uint64_t entropy[2] = {session_host_chance(host), session_host_chance(host)};
    uuid_format((const uint8_t *)entropy, text);
}

static void call(struct sdk_state *sdk, const char *method, const struct address *address, const char *target,
                 const char *content_type, struct bytes body, http_on_done *on_done) {
    struct buffer token;
    buffer_init(&token);
    buffer_printf(&token, "X-Skypetoken: %s", sdk->session->user->token);
    buffer_append(&token, "", 1);
    const char *headers[] = {(const char *)token.data, content_type, NULL};
    sdk->has_call = true;
    http_send(sdk->session->host->http, &(struct http_call){
                                            .method = method,
                                            .address = address,
                                            .target = target,
                                            .headers = headers,
                                            .body = body,
                                            .on_done = on_done,
                                            .context = sdk,
                                        });
    buffer_close(&token);
}

static void fail_of_answer(struct session *session, const char *step, const struct http_answer *answer) {
    char reason[300];
    bool is_temporary = answer->status == 0 || answer->status == 429 || answer->status == 503;
    if (answer->status == 0)
        snprintf(reason, sizeof reason, "%s: %s", step, answer->error);
    else
        snprintf(reason, sizeof reason, "%s was answered with %ld %.*s", step, answer->status,
                 answer->body.size > 200 ? 200 : (int)answer->body.size, (const char *)answer->body.data);
    session_fail(session, is_temporary, reason);
}

/* 4. registration */

static void on_registered(void *context, const struct http_answer *answer) {
    struct session *session = call_ended(context);
    if (session == NULL)
        return;
    if (answer->status / 100 == 2)
        session_became_ready(session);
    else
        fail_of_answer(session, "the registration", answer);
}

static void event_queue(struct session *session, const char *body) {
    char text[200];
    int size = snprintf(text, sizeof text, "5:%" PRIu64 "+::%s", ++session->sdk->events_sent, body);
    session_queue(session, WEBSOCKET_TEXT, bytes_of(text, (size_t)size));
}

void sdk_ping(struct session *session) {
    event_queue(session, "{\"name\":\"ping\"}");
    session_flush(session);
}

static void on_trouter_connected(struct session *session) {
    struct sdk_state *sdk = session->sdk;
    if (session->state != SESSION_JOINING || sdk->has_call)
        return;
    event_queue(session,
                "{\"name\":\"user.activity\",\"args\":[{\"state\":\"active\",\"cv\":\"weftbenchweftbenchweft.1\"}]}");
    json_t *body = json_pack("{s{ssssssssssss}sssss{s[{sssssi}]}}", "clientDescription", "appId", "AcsWeb", "aesKey",
                             "", "languageId", "en-US", "platform", "SPOOL", "templateKey", "AcsWeb_Chat_2.1",
                             "platformUIVersion", "0.0.0", "registrationId", sdk->endpoint_id, "nodeId", "",
                             "transports", "TROUTER", "context", "", "path", (const char *)sdk->surl.data, "ttl", 7200);
    char *text = json_dumps(body, JSON_COMPACT);
    check(text != NULL);
    call(sdk, "POST", session->node, "/v3/registrations", "Content-Type: application/json", bytes_of_text(text),
         on_registered);
    free(text);
    json_decref(body);
}

/* 3. socket */

static void on_handshake(void *context, const struct http_answer *answer) {
    struct sdk_state *sdk = context;
    struct session *session = call_ended(sdk);
    if (session == NULL)
        return;
    const char *colon = answer->status == 200 ? memchr(answer->body.data, ':', answer->body.size) : NULL;
    if (colon == NULL) {
        fail_of_answer(session, "the handshake", answer);
        return;
    }
    struct buffer target;
    buffer_init(&target);
    buffer_printf(&target, "/socket.io/1/websocket/%.*s?%s", (int)(colon - (const char *)answer->body.data),
                  (const char *)answer->body.data, (const char *)sdk->query.data);
    buffer_append(&target, "", 1);
    session_connect(session, &sdk->socket_address, (const char *)target.data, NULL);
    buffer_close(&target);
}

/* 2. handshake */

static void query_make(struct sdk_state *sdk, const json_t *allocation) {
    const char *name;
    json_t *value;
    sdk->query.size = 0;
    json_object_foreach(json_object_get(allocation, "connectparams"), name, value) {
        if (json_is_string(value))
            buffer_printf(&sdk->query, "%s=%s&", name, json_string_value(value));
        else
            buffer_printf(&sdk->query, "%s=%" JSON_INTEGER_FORMAT "&", name, json_integer_value(value));
    }
    const char *ccid = json_string_value(json_object_get(allocation, "ccid"));
    buffer_append_text(&sdk->query, "v=v4&timeout=40&auth=true&tc=" CLIENT_DESCRIPTION);
    buffer_printf(&sdk->query, "&epid=%s&ccid=%s&cor_id=%s&con_num=%" PRId64 "_1", sdk->endpoint_id,
                  ccid == NULL ? "undefined" : ccid, sdk->correlation_id, sdk->started_ms);
    buffer_append(&sdk->query, "", 1);
}

/* False, and a sentence, unless the allocation says where to go. */
static bool allocation_take(struct sdk_state *sdk, const json_t *allocation, const char **reason) {
    const char *origin = json_string_value(json_object_get(allocation, "socketio"));
    const char *surl = json_string_value(json_object_get(allocation, "surl"));
    *reason = "the allocation has no socketio, surl or connectparams";
    if (origin == NULL || surl == NULL || !json_is_object(json_object_get(allocation, "connectparams")))
        return false;
    if (!address_parse(bytes_of_text(origin), &sdk->socket_address, reason))
        return false;
    const struct address *node = sdk->session->node;
    *reason = "the allocation's socketio is https, the nodes given are not";
    if (sdk->socket_address.is_tls && sdk->session->host->tls == NULL)
        return false;
    if (strcmp(node->origin, sdk->socket_address.origin) == 0)
        sdk->socket_address = *node;
    else if ((*reason = address_resolve(&sdk->socket_address)) != NULL)
        return false;
    sdk->surl.size = 0;
    buffer_append(&sdk->surl, surl, strlen(surl) + 1);
    return true;
}

static void on_allocated(void *context, const struct http_answer *answer) {
    struct sdk_state *sdk = context;
    struct session *session = call_ended(sdk);
    if (session == NULL)
        return;
    if (answer->status != 200) {
        fail_of_answer(session, "the allocation", answer);
        return;
    }
    const char *reason;
    json_t *allocation = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    if (!allocation_take(sdk, allocation, &reason)) {
        json_decref(allocation);
        session_fail(session, false, reason);
        return;
    }
    query_make(sdk, allocation);
    json_decref(allocation);
    struct buffer target;
    buffer_init(&target);
    buffer_printf(&target, "/socket.io/1/?%s&t=%" PRId64, (const char *)sdk->query.data, sdk->started_ms);
    buffer_append(&target, "", 1);
    call(sdk, "GET", &sdk->socket_address, (const char *)target.data, NULL, BYTES_ABSENT, on_handshake);
    buffer_close(&target);
}

/* 1. allocation */

void sdk_open(struct session *session) {
    struct sdk_state *sdk = calloc(1, sizeof *sdk);
    check(sdk != NULL);
    sdk->session = session;
    sdk->started_ms = (int64_t)time(NULL) * 1000;
    uuid_of_chance(session->host, sdk->endpoint_id);
    uuid_of_chance(session->host, sdk->correlation_id);
    session->sdk = sdk;
    session->state = SESSION_ALLOCATING;
    char target[200];
    snprintf(target, sizeof target, "/v4/a?cor_id=%s&con_num=%" PRId64 "_1&epid=%s", sdk->correlation_id,
             sdk->started_ms, sdk->endpoint_id);
    call(sdk, "POST", session->node, target, "Content-Type: text/plain", BYTES_ABSENT, on_allocated);
}

/* Packets */

/* `"MS-CV":"…"` of a push's headers goes back in the answer; absent when there is none. */
static struct bytes correlation_vector_of(struct bytes push) {
    static const char mark[] = "\"MS-CV\":\"";
    const uint8_t *at = memmem(push.data, push.size, mark, sizeof mark - 1);
    if (at == NULL)
        return BYTES_ABSENT;
    const uint8_t *start = at + sizeof mark - 1;
    const uint8_t *end = memchr(start, '"', (size_t)(push.data + push.size - start));
    return end == NULL ? BYTES_ABSENT : bytes_of(start, (size_t)(end - start));
}

static void push_answer(struct session *session, struct bytes push) {
    struct buffer *scratch = &session->host->scratch;
    struct bytes vector = correlation_vector_of(push);
    scratch->size = 0;
    buffer_printf(scratch, "3:::{\"id\":%" PRIu64 ",\"status\":200,\"headers\":{\"trouter-client\":\"{\\\"cd\\\":1}\"",
                  session_scan_number(push, "\"id\":", 5));
    if (bytes_is_present(vector))
        buffer_printf(scratch, ",\"MS-CV\":\"%.*s\"", BYTES_ARG(vector));
    buffer_append_text(scratch, "},\"body\":\"\"}");
    session_queue(session, WEBSOCKET_TEXT, buffer_bytes(scratch));
    event_queue(session, "{\"name\":\"ping\"}");
}

static void on_push(struct session *session, struct bytes push, int64_t now_ns) {
    static const char id_mark[] = "\\\"messageId\\\":\\\"";
    struct payload payload;
    bool was_found;
    bool is_whole = payload_find(push, session->host->payload_bytes, &payload, &was_found);
    push_answer(session, push);
    if (was_found)
        session_deliver(session, &payload, is_whole, session_scan_number(push, id_mark, sizeof id_mark - 1), push.size,
                        now_ns);
}

void sdk_on_message(struct session *session, struct bytes message, int64_t now_ns) {
    if (bytes_starts_with(message, "3:::"))
        on_push(session, message, now_ns);
    else if (bytes_starts_with(message, "2::"))
        session_queue(session, WEBSOCKET_TEXT, BYTES_LITERAL("2::"));
    else if (bytes_starts_with(message, "5:::{\"name\":\"trouter.connected\""))
        on_trouter_connected(session);
    else if (bytes_starts_with(message, "0::"))
        session_fail(session, false, "the server sent a socket.io disconnect");
}

/* Sends by REST */

struct sdk_send_call {
    struct session *session;
    char id[LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX + 1];
};

static void on_sent(void *context, const struct http_answer *answer) {
    struct sdk_send_call *sent = context;
    struct session_answer outcome = {.is_accepted = answer->status == 201, .id = bytes_of_text(sent->id)};
    json_t *body = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    json_t *error = json_object_get(body, "error");
    char code[32];
    snprintf(code, sizeof code, "%ld", answer->status);
    const char *named = json_string_value(json_object_get(error, "code"));
    outcome.code = answer->status == 0 ? BYTES_LITERAL("NoAnswer") : bytes_of_text(named == NULL ? code : named);
    outcome.message = bytes_of_text(json_string_value(json_object_get(error, "message")));
    sent->session->host->events->on_answer(sent->session, &outcome, loop_now_ns());
    json_decref(body);
    free(sent);
}

void sdk_send(struct session *session, struct bytes id, struct bytes thread_id, struct bytes content) {
    struct sdk_send_call *sent = calloc(1, sizeof *sent);
    check(sent != NULL && id.size < sizeof sent->id);
    sent->session = session;
    memcpy(sent->id, id.data, id.size);
    char request_id[37];
    uuid_of_chance(session->host, request_id);
    struct buffer target, authorization, body, request;
    buffer_init(&target);
    buffer_init(&authorization);
    buffer_init(&body);
    buffer_init(&request);
    chat_target_messages(thread_id, &target);
    buffer_printf(&authorization, "Authorization: Bearer %s", session->user->token);
    buffer_append(&authorization, "", 1);
    buffer_printf(&body, "{\"content\":\"%.*s\",\"type\":\"text\"}", BYTES_ARG(content));
    buffer_printf(&request, "x-ms-client-request-id: %s", request_id);
    buffer_append(&request, "", 1);
    const char *headers[] = {(const char *)authorization.data, (const char *)request.data,
                             "Content-Type: application/json", NULL};
    http_send(session->host->http, &(struct http_call){
                                       .method = "POST",
                                       .address = session->node,
                                       .target = (const char *)target.data,
                                       .headers = headers,
                                       .body = buffer_bytes(&body),
                                       .on_done = on_sent,
                                       .context = sent,
                                   });
    buffer_close(&target);
    buffer_close(&authorization);
    buffer_close(&body);
    buffer_close(&request);
}
