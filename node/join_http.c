#include "node/join_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/join.h"
#include "proto/status.h"

#define CONNECT_MS_MAX 3000L
#define POST_MS_MAX 10000L

struct join_http {
    CURL *easy;
    struct curl_slist *headers;
    char url[512];
};

struct join_http *join_http_new(const char *address) {
    struct join_http *http = calloc(1, sizeof(*http));
    check(http != NULL);
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    http->easy = curl_easy_init();
    http->headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    check(http->easy != NULL && http->headers != NULL);
    check(snprintf(http->url, sizeof(http->url), "https://%s/cluster/join", address) < (int)sizeof(http->url));
    return http;
}

void join_http_free(struct join_http *http) {
    curl_slist_free_all(http->headers);
    curl_easy_cleanup(http->easy);
    curl_global_cleanup();
    free(http);
}

void join_http_answer_init(struct join_http_answer *answer) {
    *answer = (struct join_http_answer){0};
    buffer_init(&answer->body);
}

void join_http_answer_close(struct join_http_answer *answer) {
    buffer_close(&answer->body);
}

static size_t on_data(char *data, size_t one, size_t size, void *context) {
    struct join_http_answer *answer = context;
    (void)one;
    if (size > JOIN_ANSWER_BYTES_MAX - answer->body.size) {
        snprintf(answer->error, sizeof(answer->error), "the answer is longer than %d bytes", JOIN_ANSWER_BYTES_MAX);
        return 0;
    }
    buffer_append(&answer->body, data, size);
    return size;
}

int join_http_post(struct join_http *http, struct bytes body, struct join_http_answer *answer) {
    char why[CURL_ERROR_SIZE] = "";
    CURL *easy = http->easy;
    answer->status = 0;
    answer->body.size = 0;
    answer->error[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, http->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, POST_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
        return STATUS_OK;
    }
    if (answer->error[0] == '\0')
        snprintf(answer->error, sizeof(answer->error), "%.200s", why[0] != '\0' ? why : curl_easy_strerror(code));
    return STATUS_SERVICE_UNAVAILABLE;
}
