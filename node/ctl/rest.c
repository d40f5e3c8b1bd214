#include "node/ctl/rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/ctl/answer_body.h"
#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "node/ctl/terminal.h"
#include "proto/check.h"

#define CONNECT_TIMEOUT_S 10L
#define CALL_TIMEOUT_S 60L
#define FAILURES_MAX 8 /* in a row: with the pauses below, a minute and a half */
#define PAUSE_LEAST_S 0.5
#define PAUSE_MOST_S 30.0
#define WAIT_MOST_S 600.0 /* whatever Retry-After says */
#define URL_BYTES_MAX (CONNECTION_ENDPOINT_BYTES_MAX + 8192)

static void pause_s(double seconds) {
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0) {
    }
}

static struct curl_slist *headers_of(const struct rest *rest, const struct rest_request *request) {
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (request->token == NULL)
        return signing_headers(rest->connection, headers, request->method, request->target,
                               request->body != NULL ? request->body : "", time(NULL));
    char *authorization = malloc(strlen(request->token) + 32);
    check(authorization != NULL);
    sprintf(authorization, "Authorization: Bearer %s", request->token);
    headers = curl_slist_append(headers, authorization);
    free(authorization);
    return headers;
}

static CURLcode exchange(struct rest *rest, CURL *line, const struct rest_request *request, struct answer_body *body) {
    char url[URL_BYTES_MAX];
    if ((size_t)snprintf(url, sizeof url, "%s%s", rest->connection->endpoint, request->target) >= sizeof url)
        return CURLE_URL_MALFORMAT;
    struct curl_slist *headers = headers_of(rest, request);
    curl_easy_reset(line);
    curl_easy_setopt(line, CURLOPT_URL, url);
    curl_easy_setopt(line, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(line, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(line, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(line, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(line, CURLOPT_TIMEOUT, CALL_TIMEOUT_S);
    curl_easy_setopt(line, CURLOPT_USERAGENT, "weftctl");
    curl_easy_setopt(line, CURLOPT_WRITEFUNCTION, answer_body_take);
    curl_easy_setopt(line, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(line, CURLOPT_HTTPHEADER, headers);
    if (rest->ca_file != NULL)
        curl_easy_setopt(line, CURLOPT_CAINFO, rest->ca_file);
    if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(line, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
        curl_easy_setopt(line, CURLOPT_CUSTOMREQUEST, request->method);
    }
    CURLcode code = curl_easy_perform(line);
    curl_slist_free_all(headers);
    atomic_fetch_add(&rest->calls, 1);
    return code;
}

static void explain(struct rest_answer *answer, const struct rest_request *request, const char *what) {
    char raw[REST_REASON_BYTES_MAX];
    const char *query = strchr(request->target, '?');
    int path_bytes = query != NULL ? (int)(query - request->target) : (int)strlen(request->target);
    snprintf(raw, sizeof raw, "%s %.*s: %s", request->method, path_bytes, request->target, what);
    terminal_clean(raw, answer->reason, sizeof answer->reason);
}

static void explain_refusal(struct rest_answer *answer, const struct rest_request *request, const json_t *root) {
    char what[REST_REASON_BYTES_MAX];
    const json_t *error = field_object(root, "error"), *other = field_object(root, "CommunicationError");
    const char *code = error != NULL ? field_text(error, "code") : field_text(other, "Code");
    const char *message = error != NULL ? field_text(error, "message") : field_text(other, "Message");
    snprintf(answer->code, sizeof answer->code, "%s", code);
    snprintf(what, sizeof what, "status %ld%s%s%s%s", answer->status, code[0] != 0 ? ", " : "", code,
             message[0] != 0 ? ": " : "", message);
    explain(answer, request, what);
}

static void answer_take(struct rest_answer *answer, const struct rest_request *request,
                        const struct answer_body *body) {
    json_error_t error;
    json_t *root = body->size == 0 ? NULL : json_loadb(body->data, body->size, 0, &error);
    if (answer->status < 200 || answer->status > 299)
        explain_refusal(answer, request, root);
    else if (json_is_object(root))
        answer->json = json_incref(root);
    json_decref(root);
}

/* 0: nothing was said. The header may be a date, too, by which curl_easy_getinfo counts seconds. */
static double retry_after_s(CURL *line) {
    curl_off_t seconds = 0;
    curl_easy_getinfo(line, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? ((double)seconds < WAIT_MOST_S ? (double)seconds : WAIT_MOST_S) : 0;
}

static double pause_after(unsigned failures) {
    double pause = PAUSE_LEAST_S;
    for (unsigned i = 1; i < failures && pause < PAUSE_MOST_S; i++)
        pause *= 2;
    return pause < PAUSE_MOST_S ? pause : PAUSE_MOST_S;
}

static bool is_worth_trying_again(long status) {
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* True: it is answered for good. Otherwise *wait_s says when to try again. */
static bool attempt(struct rest *rest, CURL *line, const struct rest_request *request, struct rest_answer *answer,
                    unsigned *failures, double *wait_s) {
    struct answer_body body = {0};
    CURLcode code = exchange(rest, line, request, &body);
    rest_answer_close(answer);
    *answer = (struct rest_answer){0};
    *wait_s = 0;
    if (code != CURLE_OK) {
        explain(answer, request, curl_easy_strerror(code));
    } else {
        curl_easy_getinfo(line, CURLINFO_RESPONSE_CODE, &answer->status);
        answer_take(answer, request, &body);
        *wait_s = retry_after_s(line);
    }
    free(body.data);
    if (code == CURLE_OK && !is_worth_trying_again(answer->status))
        return true;
    /* Who asks us to be slower is served in the end: only silence and failures use up our patience. */
    bool is_throttling = code == CURLE_OK && answer->status == 429 && *wait_s > 0;
    *failures = is_throttling ? *failures : *failures + 1;
    double pause = pause_after(*failures);
    *wait_s = *wait_s > pause || is_throttling ? *wait_s : pause;
    if (is_throttling)
        atomic_fetch_add(&rest->throttled, 1);
    return false;
}

int rest_call(struct rest *rest, CURL *line, const struct rest_request *request, struct rest_answer *answer) {
    unsigned failures = 0;
    double wait_s;
    *answer = (struct rest_answer){0};
    while (!attempt(rest, line, request, answer, &failures, &wait_s)) {
        if (failures >= FAILURES_MAX)
            return EXIT_UNREACHABLE;
        pause_s(wait_s);
    }
    return EXIT_DONE;
}

void rest_answer_close(struct rest_answer *answer) {
    json_decref(answer->json);
    answer->json = NULL;
}

const char *rest_next_target(const json_t *page) {
    const char *link = field_text(page, "nextLink"), *rest = strstr(link, "://");
    rest = rest != NULL ? strchr(rest + 3, '/') : link;
    return rest != NULL && rest[0] == '/' ? rest : NULL;
}
