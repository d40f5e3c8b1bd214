#include "node/events/webhook.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "node/events/address_rules.h"
#include "proto/buffer.h"
#include "proto/check.h"
#include "proto/status.h"

#define CONNECT_MS_MAX 10000L

void webhook_header_add(struct webhook_request *request, const char *name, struct bytes value) {
    check(request->headers_count < WEBHOOK_HEADERS_MAX);
    request->headers[request->headers_count++] = (struct webhook_header){bytes_of_text(name), value};
}

/* ---- addresses ---- */

struct url_parts {
    char *scheme;
    char *host;
    char *user;
    char *fragment;
};

static void parts_take(CURLU *url, struct url_parts *parts) {
    *parts = (struct url_parts){0};
    curl_url_get(url, CURLUPART_SCHEME, &parts->scheme, 0);
    curl_url_get(url, CURLUPART_HOST, &parts->host, 0);
    curl_url_get(url, CURLUPART_USER, &parts->user, 0);
    curl_url_get(url, CURLUPART_FRAGMENT, &parts->fragment, 0);
}

static void parts_free(struct url_parts *parts) {
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->user);
    curl_free(parts->fragment);
}

/* NULL: it is a name, or an address that anybody may have. */
static const char *host_refuse(const char *host) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char bare[INET6_ADDRSTRLEN];
    size_t size = strlen(host);
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
        return address_rules_refuse((const struct sockaddr *)&in);
    if (host[0] != '[' || size < 3 || size - 2 >= sizeof(bare))
        return NULL;
    snprintf(bare, sizeof(bare), "%.*s", (int)(size - 2), host + 1);
    bool is_in6 = inet_pton(AF_INET6, bare, &in6.sin6_addr) == 1;
    return is_in6 ? address_rules_refuse((const struct sockaddr *)&in6) : "an address with a zone";
}

static int parts_check(const struct url_parts *parts, bool may_be_private, struct arena *arena,
                       struct problem *problem) {
    bool is_https = parts->scheme != NULL && strcasecmp(parts->scheme, "https") == 0;
    bool is_http = parts->scheme != NULL && strcasecmp(parts->scheme, "http") == 0;
    if (!is_https && !(is_http && may_be_private))
        return problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint",
                           "The endpoint must be an https:// address%s.",
                           is_http ? "; http:// needs events_allow_private = on" : "");
    if (parts->host == NULL || parts->host[0] == '\0' || parts->user != NULL || parts->fragment != NULL)
        return problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint",
                           "The endpoint must have a host, and neither a user nor a fragment.");
    const char *refused = may_be_private ? NULL : host_refuse(parts->host);
    return refused == NULL ? STATUS_OK
                           : problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint",
                                         "The endpoint's host %s is %s; that needs events_allow_private = on.",
                                         parts->host, refused);
}

int webhook_url_check(struct bytes url, bool may_be_private, struct arena *arena, struct problem *problem) {
    struct url_parts parts;
    CURLU *parsed = curl_url();
    check(parsed != NULL);
    bool is_plain = memchr(url.data, '\0', url.size) == NULL;
    CURLUcode code = is_plain ? curl_url_set(parsed, CURLUPART_URL, arena_text(arena, url), 0) : CURLUE_BAD_HOSTNAME;
    parts_take(parsed, &parts);
    int rc = code == CURLUE_OK || code == CURLUE_UNSUPPORTED_SCHEME
                 ? parts_check(&parts, may_be_private, arena, problem)
                 : problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint", "The endpoint is no address: %s.",
                               curl_url_strerror(code));
    parts_free(&parts);
    curl_url_cleanup(parsed);
    return rc;
}

/* ---- one request ---- */

struct webhook {
    struct webhook_options options;
    CURL *easy;
    struct curl_slist *headers;
    struct arena arena; /* of the request */
    char why[CURL_ERROR_SIZE];
    struct buffer body;
    bool is_cut;
    char refused[160]; /* who may not be reached */
};

static size_t on_data(char *data, size_t one, size_t size, void *context) {
    struct webhook *self = context;
    (void)one;
    size_t room = WEBHOOK_ANSWER_BYTES_MAX - self->body.size;
    self->is_cut = size > room;
    buffer_append(&self->body, data, self->is_cut ? room : size);
    return self->is_cut ? 0 : size;
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct webhook *self = context;
    char text[INET6_ADDRSTRLEN] = "?";
    const char *refused = self->options.may_be_private ? NULL : address_rules_refuse(&address->addr);
    (void)purpose;
    if (refused == NULL)
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (address->family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&address->addr)->sin_addr, text, sizeof(text));
    else if (address->family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&address->addr)->sin6_addr, text, sizeof(text));
    const char *key = self->options.allowing_key;
    snprintf(self->refused, sizeof(self->refused), "its host is at %s, %s; that needs %s = on", text, refused,
             key == NULL ? "events_allow_private" : key);
    return CURL_SOCKET_BAD;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t total_up, curl_off_t now_up) {
    const struct webhook *self = context;
    (void)total, (void)now, (void)total_up, (void)now_up;
    return atomic_load(self->options.is_stopping) ? 1 : 0;
}

/* An empty value has a form of its own in curl, which takes "name:" for a wish to leave the header out. */
static struct curl_slist *headers_make(const struct webhook_request *request, struct arena *arena) {
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct webhook_header *header = &request->headers[i];
        struct bytes line = header->value.size == 0
                                ? arena_printf(arena, "%.*s;", BYTES_ARG(header->name))
                                : arena_printf(arena, "%.*s: %.*s", BYTES_ARG(header->name), BYTES_ARG(header->value));
        list = curl_slist_append(list, arena_text(arena, line));
        check(list != NULL);
    }
    return list;
}

static void options_set(struct webhook *self, const struct webhook_request *request) {
    CURL *easy = self->easy;
    curl_easy_setopt(easy, CURLOPT_URL, arena_text(&self->arena, request->url));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, self->options.may_be_private ? "http,https" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* ends without waiting for the resolver, which nothing hurries */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)(request->is_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)WEBHOOK_MS_MAX);
    if (self->options.ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, self->options.ca_file);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, self);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (bytes_is_present(request->body)) {
        struct bytes body = arena_copy(&self->arena, request->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    }
}

static void answer_fill(const struct webhook *self, CURLcode code, struct arena *arena, struct webhook_answer *answer) {
    struct curl_header *origin;
    curl_off_t took_us = 0, retry_after_s = 0;
    *answer = (struct webhook_answer){.body = arena_copy(arena, buffer_bytes(&self->body))};
    curl_easy_getinfo(self->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    answer->took_ms = took_us / 1000;
    curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    answer->retry_after_s = retry_after_s;
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && self->is_cut)) {
        curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &answer->status);
        if (curl_easy_header(self->easy, "WebHook-Allowed-Origin", 0, CURLH_HEADER, -1, &origin) == CURLHE_OK)
            answer->allowed_origin = arena_copy(arena, bytes_of_text(origin->value));
    } else if (code == CURLE_ABORTED_BY_CALLBACK) {
        answer->failure = BYTES_LITERAL("this node ends");
    } else if (self->refused[0] != '\0') {
        answer->failure = arena_copy(arena, bytes_of_text(self->refused));
    } else {
        answer->failure = arena_copy(arena, bytes_of_text(self->why[0] != '\0' ? self->why : curl_easy_strerror(code)));
    }
}

struct webhook *webhook_new(const struct webhook_options *options, const struct webhook_request *request) {
    struct webhook *self = calloc(1, sizeof(*self));
    check(self != NULL);
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    self->options = *options;
    self->easy = curl_easy_init();
    check(self->easy != NULL);
    arena_init(&self->arena);
    buffer_init(&self->body);
    self->headers = headers_make(request, &self->arena);
    options_set(self, request);
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, self->why);
    curl_easy_setopt(self->easy, CURLOPT_PRIVATE, self);
    return self;
}

void *webhook_easy(struct webhook *self) {
    return self->easy;
}

void webhook_free(struct webhook *self) {
    curl_easy_cleanup(self->easy);
    curl_slist_free_all(self->headers);
    buffer_close(&self->body);
    arena_close(&self->arena);
    free(self);
    curl_global_cleanup();
}

void webhook_end(struct webhook *self, int code, struct arena *arena, struct webhook_answer *answer) {
    answer_fill(self, (CURLcode)code, arena, answer);
    webhook_free(self);
}

void webhook_send(const struct webhook_options *options, const struct webhook_request *request, struct arena *arena,
                  struct webhook_answer *answer) {
    struct webhook *self = webhook_new(options, request);
    webhook_end(self, (int)curl_easy_perform(self->easy), arena, answer);
}
