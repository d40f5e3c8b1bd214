#pragma once
/* Events as the request that brings them to a receiver (contract section 12). Pure. */
#include "node/events/event_subscription.h"

enum event_post_kind { EVENT_POST_NOTIFICATION, EVENT_POST_VALIDATION };

struct event_post {
    const struct event_subscription *subscription;
    enum event_post_kind kind;
    struct bytes id;         /* the same whenever these events are sent again */
    unsigned attempt;        /* from 0 */
    int64_t time_s;          /* now */
    const json_t *envelopes; /* an array of those of server_event_envelope, in the subscription's schema; of
                                one, if that takes no batches and CloudEvents */
};

/* The request borrows from the subscription and the arena. */
void event_post_make(const struct event_post *post, struct arena *arena, struct webhook_request *request);

/* Contract 12: 200 to 204. */
static inline bool event_post_is_delivered(const struct webhook_answer *answer) {
    return answer->status >= 200 && answer->status <= 204;
}
