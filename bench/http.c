#include "bench/http.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "proto/check.h"

#define CALL_TIMEOUT_MS 30000L
#define ANSWER_BYTES_MAX (4U * 1024 * 1024)

struct transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct buffer url;
    struct buffer body;
    http_on_done *on_done;
    void *context;
    struct transfer *next; /* of all under way */
    struct transfer *previous;
};

static void transfer_free(struct http *http, struct transfer *transfer) {
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        http->transfers = transfer->next;
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    buffer_close(&transfer->url);
    buffer_close(&transfer->body);
    free(transfer);
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    if (transfer->body.size + size * count > ANSWER_BYTES_MAX)
        return 0;
    buffer_append(&transfer->body, data, size * count);
    return size * count;
}

static void finish_transfer(struct http *http, CURL *easy, CURLcode code) {
    struct transfer *transfer;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    struct http_answer answer = {.body = buffer_bytes(&transfer->body)};
    if (code == CURLE_OK) {
        curl_off_t retry_after = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
        answer.retry_after_s = (long)retry_after;
    } else {
        answer.error = curl_easy_strerror(code);
    }
    curl_multi_remove_handle(http->multi, easy);
    transfer->on_done(transfer->context, &answer);
    transfer_free(http, transfer);
}

static void finish_transfers(struct http *http) {
    CURLMsg *message;
    int waiting;
    while ((message = curl_multi_info_read(http->multi, &waiting)) != NULL)
        if (message->msg == CURLMSG_DONE)
            finish_transfer(http, message->easy_handle, message->data.result);
}

struct socket_context {
    struct http *http;
    int fd;
};

static void on_socket_ready(void *context, uint32_t events) {
    /* libcurl may end this very socket, and its context with it, during the call. */
    struct socket_context socket = *(struct socket_context *)context;
    int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;
    curl_multi_socket_action(socket.http->multi, socket.fd, mask, &running);
    finish_transfers(socket.http);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context) {
    (void)easy;
    struct http *http = context;
    struct socket_context *socket = socket_context;
    if (what == CURL_POLL_REMOVE) {
        loop_forget(http->loop, fd);
        curl_multi_assign(http->multi, fd, NULL);
        free(socket);
        return 0;
    }
    if (socket == NULL) {
        socket = malloc(sizeof *socket);
        check(socket != NULL);
        *socket = (struct socket_context){http, fd};
        curl_multi_assign(http->multi, fd, socket);
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    loop_watch(http->loop, fd, events, on_socket_ready, socket);
    return 0;
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *context) {
    (void)multi;
    struct http *http = context;
    http->timer.at_ns = timeout_ms < 0 ? 0 : loop_now_ns() + (int64_t)timeout_ms * 1000000;
    return 0;
}

static void on_time(void *context, int64_t now_ns) {
    (void)now_ns;
    struct http *http = context;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_transfers(http);
}

void http_init(struct http *http, struct loop *loop, const char *ca_file, unsigned connections_max) {
    *http = (struct http){.loop = loop, .ca_file = ca_file};
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    http->multi = curl_multi_init();
    check(http->multi != NULL);
    loop_timer_add(loop, &http->timer, on_time, http);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections_max);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)connections_max);
}

void http_close(struct http *http) {
    while (http->transfers != NULL)
        finish_transfer(http, http->transfers->easy, CURLE_ABORTED_BY_CALLBACK);
    curl_multi_cleanup(http->multi);
    http->timer.at_ns = 0;
    curl_global_cleanup();
}

static void set_headers(struct transfer *transfer, const char *const *headers) {
    /* libcurl would wait for "100 Continue" before it sends a large body. */
    transfer->headers = curl_slist_append(NULL, "Expect:");
    for (; headers != NULL && *headers != NULL; headers++)
        transfer->headers = curl_slist_append(transfer->headers, *headers);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

void http_send(struct http *http, const struct http_call *call) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    check(transfer != NULL);
    CURL *easy = curl_easy_init();
    check(easy != NULL);
    transfer->easy = easy;
    transfer->next = http->transfers;
    if (transfer->next != NULL)
        transfer->next->previous = transfer;
    http->transfers = transfer;
    transfer->on_done = call->on_done;
    transfer->context = call->context;
    buffer_printf(&transfer->url, "%s%s", call->address->origin, call->target);
    buffer_append(&transfer->url, "", 1);
    curl_easy_setopt(easy, CURLOPT_URL, (const char *)transfer->url.data);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, call->timeout_ms > 0 ? call->timeout_ms : CALL_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weft-bench");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (http->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
    if (strcmp(call->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
                         bytes_is_present(call->body) ? (const char *)call->body.data : "");
    }
    set_headers(transfer, call->headers);
    check(curl_multi_add_handle(http->multi, easy) == CURLM_OK);
}
