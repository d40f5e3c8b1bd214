#pragma once
/* Many requests on their way at once, on one thread: libcurl's multi handle. Ends each by a call, in a turn. */
#include "node/events/webhook.h"

struct webhooks;

/* The answer is borrowed until return. New requests may be begun. */
typedef void (*webhook_done)(void *context, const struct webhook_answer *answer);

struct webhooks *webhooks_new(void);
/* None is under way any more. */
void webhooks_free(struct webhooks *self);

/* The options are copied, but for the file's name; their is_stopping is not looked at. The result is for
 * webhooks_cancel, until it is done. */
struct sent_webhook;
struct sent_webhook *webhooks_begin(struct webhooks *self, const struct webhook_options *options,
                                    const struct webhook_request *request, webhook_done on_done, void *context);
/* It is not told any more. */
void webhooks_cancel(struct webhooks *self, struct sent_webhook *request);

/* Ends what is done; then waits until there is more, or for `wait_ms`. */
void webhooks_turn(struct webhooks *self, int wait_ms);
/* From any thread: the turn does not wait any longer; requests under way and new ones end soon, as failed. */
void webhooks_wake(struct webhooks *self);
void webhooks_stop(struct webhooks *self);
