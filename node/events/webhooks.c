#include "node/events/webhooks.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "proto/check.h"

struct sent_webhook {
    struct sent_webhook *next;
    struct webhook *webhook;
    webhook_done on_done;
    void *context;
};

struct webhooks {
    CURLM *multi;
    struct sent_webhook *first;
    atomic_bool is_stopping;
};

struct webhooks *webhooks_new(void) {
    struct webhooks *self = calloc(1, sizeof(*self));
    check(self != NULL);
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    self->multi = curl_multi_init();
    check(self->multi != NULL);
    return self;
}

void webhooks_free(struct webhooks *self) {
    check(self->first == NULL);
    curl_multi_cleanup(self->multi);
    curl_global_cleanup();
    free(self);
}

struct sent_webhook *webhooks_begin(struct webhooks *self, const struct webhook_options *options,
                                    const struct webhook_request *what, webhook_done on_done, void *context) {
    struct webhook_options own = *options;
    struct sent_webhook *request = calloc(1, sizeof(*request));
    check(request != NULL);
    own.is_stopping = &self->is_stopping;
    *request = (struct sent_webhook){
        .next = self->first, .webhook = webhook_new(&own, what), .on_done = on_done, .context = context};
    self->first = request;
    check(curl_multi_add_handle(self->multi, webhook_easy(request->webhook)) == CURLM_OK);
    return request;
}

/* Out of the list and of curl's hands; its webhook is the caller's. */
static void request_take(struct webhooks *self, struct sent_webhook *request) {
    struct sent_webhook **link = &self->first;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    curl_multi_remove_handle(self->multi, webhook_easy(request->webhook));
}

void webhooks_cancel(struct webhooks *self, struct sent_webhook *request) {
    request_take(self, request);
    webhook_free(request->webhook);
    free(request);
}

static void on_end(struct webhooks *self, CURL *easy, CURLcode code) {
    struct webhook_answer answer;
    struct arena arena;
    struct sent_webhook *request = self->first;
    while (request != NULL && webhook_easy(request->webhook) != easy)
        request = request->next;
    check(request != NULL);
    request_take(self, request);
    arena_init(&arena);
    webhook_end(request->webhook, (int)code, &arena, &answer);
    request->on_done(request->context, &answer);
    arena_close(&arena);
    free(request);
}

void webhooks_turn(struct webhooks *self, int wait_ms) {
    CURLMsg *message;
    int running, left;
    curl_multi_perform(self->multi, &running);
    while ((message = curl_multi_info_read(self->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            on_end(self, message->easy_handle, message->data.result);
    curl_multi_poll(self->multi, NULL, 0, wait_ms, NULL);
}

void webhooks_wake(struct webhooks *self) {
    curl_multi_wakeup(self->multi);
}

void webhooks_stop(struct webhooks *self) {
    atomic_store(&self->is_stopping, true);
    webhooks_wake(self);
}
