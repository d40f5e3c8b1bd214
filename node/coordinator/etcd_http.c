#include "node/coordinator/etcd_http.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/check.h"
#include "proto/status.h"

#define POLL_MS_MAX 1000

struct etcd_http {
    CURL *easy;
    CURLM *multi;
    const struct etcd_tls *tls;
    atomic_bool is_interrupted;
    /* Of the request that runs. */
    const struct etcd_http_request *request;
    struct etcd_http_answer *answer;
    int64_t heard_ms;
    bool is_ended; /* by on_line or on_idle */
    bool is_too_long;
};

int64_t etcd_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct etcd_http *etcd_http_new(const struct etcd_tls *tls) {
    struct etcd_http *http = calloc(1, sizeof(*http));
    check(http != NULL);
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    http->tls = tls;
    check(http->easy != NULL && http->multi != NULL);
    return http;
}

void etcd_http_free(struct etcd_http *http) {
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    free(http);
}

void etcd_http_interrupt(struct etcd_http *http) {
    atomic_store(&http->is_interrupted, true);
    curl_multi_wakeup(http->multi);
}

void etcd_http_pause(struct etcd_http *http, int64_t ms) {
    int64_t end = etcd_now_ms() + ms;
    for (int64_t left = ms; left > 0 && !atomic_load(&http->is_interrupted); left = end - etcd_now_ms())
        curl_multi_poll(http->multi, NULL, 0, (int)left, NULL);
}

void etcd_http_answer_init(struct etcd_http_answer *answer) {
    *answer = (struct etcd_http_answer){0};
    buffer_init(&answer->body);
}

void etcd_http_answer_close(struct etcd_http_answer *answer) {
    buffer_close(&answer->body);
}

/* Hands whole lines over and keeps the rest. */
static void lines_take(struct etcd_http *http) {
    struct buffer *body = &http->answer->body;
    size_t start = 0;
    uint8_t *end;
    while (!http->is_ended && start < body->size &&
           (end = memchr(body->data + start, '\n', body->size - start)) != NULL) {
        size_t size = (size_t)(end - (body->data + start));
        if (size > 0 && !http->request->on_line(http->request->context, bytes_of(body->data + start, size)))
            http->is_ended = true;
        start += size + 1;
    }
    if (start > 0)
        memmove(body->data, body->data + start, body->size - start);
    body->size -= start;
}

static size_t on_data(char *data, size_t one, size_t size, void *context) {
    struct etcd_http *http = context;
    (void)one;
    http->heard_ms = etcd_now_ms();
    if (size > ETCD_HTTP_BYTES_MAX - http->answer->body.size) {
        http->is_too_long = true;
        return 0;
    }
    buffer_append(&http->answer->body, data, size);
    if (http->request->on_line != NULL)
        lines_take(http);
    return http->is_ended ? 0 : size;
}

static struct curl_slist *headers_make(const struct etcd_http_request *request) {
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    /* A member that has lost its leader answers so at once, instead of waiting for one. */
    headers = curl_slist_append(headers, "Grpc-Metadata-hasleader: true");
    /* curl would wait for a "100 Continue". */
    headers = curl_slist_append(headers, "Expect:");
    if (request->token != NULL) {
        struct buffer line;
        buffer_init(&line);
        buffer_printf(&line, "Authorization: %s", request->token);
        buffer_append(&line, "", 1);
        headers = curl_slist_append(headers, (const char *)line.data);
        buffer_close(&line);
    }
    check(headers != NULL);
    return headers;
}

static void easy_set_tls(CURL *easy, const struct etcd_tls *tls) {
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (tls->ca_file[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (tls->cert_file[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    }
}

static void easy_set_request(struct etcd_http *http, const struct etcd_http_request *request,
                             struct curl_slist *headers) {
    CURL *easy = http->easy;
    char url[512];
    check(snprintf(url, sizeof(url), "%s%s", request->endpoint, request->path) < (int)sizeof(url));
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A proxy for the outside world is not the way to etcd. */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 5L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 2L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms_max);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->ms_max);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->must_not_repeat ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->answer->error);
    easy_set_tls(easy, http->tls);
}

/* How long to wait at most; asks on_idle when it is time. */
static int idle_wait_ms(struct etcd_http *http) {
    const struct etcd_http_request *request = http->request;
    if (request->on_idle == NULL)
        return POLL_MS_MAX;
    int64_t left = http->heard_ms + request->idle_ms - etcd_now_ms();
    if (left <= 0) {
        http->is_ended = !request->on_idle(request->context);
        http->heard_ms = etcd_now_ms();
        left = request->idle_ms;
    }
    return left < POLL_MS_MAX ? (int)left : POLL_MS_MAX;
}

/* How the transfer ended; CURLE_ABORTED_BY_CALLBACK: by us. */
static CURLcode transfer_run(struct etcd_http *http) {
    int running = 1;
    int left = 0;
    for (;;) {
        check(curl_multi_perform(http->multi, &running) == CURLM_OK);
        if (running == 0)
            break;
        int wait_ms = idle_wait_ms(http);
        if (http->is_ended || atomic_load(&http->is_interrupted))
            return CURLE_ABORTED_BY_CALLBACK;
        curl_multi_poll(http->multi, NULL, 0, wait_ms, NULL);
    }
    const CURLMsg *message = curl_multi_info_read(http->multi, &left);
    check(message != NULL && message->msg == CURLMSG_DONE);
    return http->is_ended ? CURLE_ABORTED_BY_CALLBACK : message->data.result;
}

static int result_status(struct etcd_http *http, CURLcode code) {
    struct etcd_http_answer *answer = http->answer;
    long request_bytes = 0;
    curl_easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    answer->was_sent = request_bytes > 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    else if (http->is_too_long)
        snprintf(answer->error, sizeof(answer->error), "the answer is longer than %d bytes", ETCD_HTTP_BYTES_MAX);
    else if (answer->error[0] == '\0')
        snprintf(answer->error, sizeof(answer->error), "%s", curl_easy_strerror(code));
    if (code == CURLE_OK)
        return STATUS_OK;
    return code == CURLE_ABORTED_BY_CALLBACK ? STATUS_SHUTTING_DOWN : STATUS_SERVICE_UNAVAILABLE;
}

_Static_assert(sizeof(((struct etcd_http_answer *)0)->error) >= CURL_ERROR_SIZE, "curl writes its errors there");

int etcd_http_post(struct etcd_http *http, const struct etcd_http_request *request, struct etcd_http_answer *answer) {
    if (atomic_load(&http->is_interrupted)) {
        *answer->error = '\0';
        answer->was_sent = false;
        return STATUS_SHUTTING_DOWN;
    }
    struct curl_slist *headers = headers_make(request);
    answer->status = 0;
    answer->body.size = 0;
    answer->error[0] = '\0';
    http->request = request;
    http->answer = answer;
    http->heard_ms = etcd_now_ms();
    http->is_ended = false;
    http->is_too_long = false;
    easy_set_request(http, request, headers);
    check(curl_multi_add_handle(http->multi, http->easy) == CURLM_OK);
    CURLcode code = transfer_run(http);
    /* What curl knows of the request is gone with a reset only, and the error text must not outlive the answer. */
    int rc = result_status(http, code);
    curl_multi_remove_handle(http->multi, http->easy);
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return rc;
}
