#pragma once
/* Deliveries are signed by the rules of Standard Webhooks (standardwebhooks.com), so that a receiver can tell them from
 * others', and old ones from new: HMAC-SHA256 of id, time and body, under a secret that both know. */
#include "proto/arena.h"
#include "proto/buffer.h"

#define EVENT_SECRET_PREFIX "whsec_"
#define EVENT_SECRET_BYTES_MIN 24 /* as the rules have it */
#define EVENT_SECRET_BYTES_MAX 64
#define EVENT_SECRETS_MAX 2 /* while one takes the other's place */

struct event_secret {
    uint8_t bytes[EVENT_SECRET_BYTES_MAX];
    size_t size;
};

/* "whsec_" and base64, of 24 to 64 bytes. False: it has another form. */
bool event_secret_parse(struct bytes text, struct event_secret *secret);
struct bytes event_secret_format(const struct event_secret *secret, struct arena *arena);
/* Of 32 bytes of chance. */
void event_secret_make(struct event_secret *secret);

/* The value of webhook-signature: a signature by each secret, apart by spaces. `id` has no dot in it. */
struct bytes event_signature(const struct event_secret *secrets, size_t secrets_count, struct bytes id, int64_t time_s,
                             struct bytes body, struct arena *arena);
