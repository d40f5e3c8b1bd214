#pragma once
/* How a receiver shows that it wants events, before it gets any (contract section 12): by answering with the code that
 * it is sent, or for CloudEvents by naming us as an origin that may send; or by somebody calling the address that it is
 * told. Pure. */
#include "node/events/event_post.h"

struct handshake {
    const struct event_subscription *subscription; /* with its validation code */
    struct bytes topic;
    struct bytes origin; /* where clients reach the cluster: "https://chat.example.org:8443" */
    int64_t now_ms;
};

enum handshake_outcome {
    HANDSHAKE_PASSED,
    HANDSHAKE_AWAITS, /* it answered, but did not say yes: it may yet, by calling back */
    HANDSHAKE_FAILED
};

#define HANDSHAKE_PATH "/events/validation"

void handshake_request(const struct handshake *handshake, struct arena *arena, struct webhook_request *request);
/* `reason` says for people why it did not pass; in the arena. */
enum handshake_outcome handshake_judge(const struct handshake *handshake, const struct webhook_answer *answer,
                                       struct arena *arena, struct bytes *reason);
