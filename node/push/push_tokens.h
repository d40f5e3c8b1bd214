#pragma once
/* The short-lived tokens that push services of mobile devices are shown: asked for, made anew in time, and when they
 * are said to be spent. The thread of pushes' only. */
#include "node/events/webhooks.h"
#include "node/push/push_account.h"
#include "proto/buffer.h"

struct push_tokens {
    const struct push_account *account; /* borrowed, as the requests */
    struct webhooks *requests;
    struct webhook_options options;
    struct buffer fcm, apns; /* empty: there is none now */
    int64_t fcm_until_ms, apns_until_ms;
    int64_t fcm_due_ms; /* not asked again sooner */
    struct sent_webhook *asking;
};

void push_tokens_init(struct push_tokens *self, const struct push_account *account, struct webhooks *requests,
                      const struct webhook_options *options);
void push_tokens_close(struct push_tokens *self);

/* In every turn. */
void push_tokens_look(struct push_tokens *self, int64_t now_ms);
bool push_tokens_has(const struct push_tokens *self, enum push_transport transport);
void push_tokens_spent(struct push_tokens *self, enum push_transport transport);
