#include "node/push/push_tokens.h"

#include <time.h>

#include <sodium.h>

#include "node/log.h"
#include "node/push/vapid.h"

#define EARLY_MS 60000
#define AGAIN_MS 5000
#define APNS_LASTS_MS (40 * 60 * 1000) /* of an hour; Apple wants none sooner than after 20 minutes */

static void token_set(struct buffer *token, struct bytes value) {
    sodium_memzero(token->data, token->size);
    token->size = 0;
    buffer_append_bytes(token, value);
}

void push_tokens_init(struct push_tokens *self, const struct push_account *account, struct webhooks *requests,
                      const struct webhook_options *options) {
    *self = (struct push_tokens){.account = account, .requests = requests, .options = *options};
    buffer_init(&self->fcm);
    buffer_init(&self->apns);
}

void push_tokens_close(struct push_tokens *self) {
    if (self->asking != NULL)
        webhooks_cancel(self->requests, self->asking);
    token_set(&self->fcm, BYTES_LITERAL(""));
    token_set(&self->apns, BYTES_LITERAL(""));
    buffer_close(&self->fcm);
    buffer_close(&self->apns);
}

static void on_granted(void *context, const struct webhook_answer *answer) {
    struct push_tokens *self = context;
    struct timespec now;
    struct bytes token;
    int64_t lasts_s;
    struct arena arena;
    arena_init(&arena);
    clock_gettime(CLOCK_REALTIME, &now);
    self->asking = NULL;
    if (answer->status == 200 && push_account_granted(answer->body, &arena, &token, &lasts_s)) {
        token_set(&self->fcm, token);
        self->fcm_until_ms = ((int64_t)now.tv_sec + lasts_s) * 1000;
    } else {
        struct bytes service = vapid_origin(self->account->token_url);
        log_warning("%.*s gives no token for FCM: status %ld", BYTES_ARG(service), answer->status);
    }
    arena_close(&arena);
}

static void fcm_ask(struct push_tokens *self, int64_t now_ms) {
    struct arena arena;
    arena_init(&arena);
    struct webhook_request request = {.method = "POST",
                                      .url = self->account->token_url,
                                      .body = push_account_grant(self->account, now_ms / 1000, &arena)};
    webhook_header_add(&request, "content-type", BYTES_LITERAL("application/x-www-form-urlencoded"));
    self->fcm_due_ms = now_ms + AGAIN_MS;
    self->asking = webhooks_begin(self->requests, &self->options, &request, on_granted, self);
    arena_close(&arena);
}

static void apns_make(struct push_tokens *self, int64_t now_ms) {
    struct arena arena;
    arena_init(&arena);
    token_set(&self->apns, push_account_apns_token(self->account, now_ms / 1000, &arena));
    self->apns_until_ms = now_ms + APNS_LASTS_MS;
    arena_close(&arena);
}

void push_tokens_look(struct push_tokens *self, int64_t now_ms) {
    if (bytes_is_present(self->account->fcm_url) && self->asking == NULL && now_ms >= self->fcm_due_ms &&
        now_ms >= self->fcm_until_ms - EARLY_MS)
        fcm_ask(self, now_ms);
    if (bytes_is_present(self->account->apns_url) && now_ms >= self->apns_until_ms)
        apns_make(self, now_ms);
}

bool push_tokens_has(const struct push_tokens *self, enum push_transport transport) {
    return transport == PUSH_FCM ? self->fcm.size > 0 : transport == PUSH_APNS ? self->apns.size > 0 : true;
}

void push_tokens_spent(struct push_tokens *self, enum push_transport transport) {
    if (transport == PUSH_FCM) {
        token_set(&self->fcm, BYTES_LITERAL(""));
        self->fcm_until_ms = 0;
    } else if (transport == PUSH_APNS) {
        self->apns_until_ms = 0;
    }
}
