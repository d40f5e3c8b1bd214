#pragma once
/* The requests that reach mobile devices: FCM HTTP v1 and APNs over HTTP/2, with payloads sealed as the official SDKs
 * open them where the device has asked for that (contract 13). Called by push_request.c. Pure. */
#include "node/push/push_request.h"

/* Everything is in the arena. The sender has a token for the device's service. */
void push_fcm_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                   int64_t now_ms, struct arena *arena, struct webhook_request *request);
void push_apns_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                    int64_t now_ms, struct arena *arena, struct webhook_request *request);

enum push_outcome push_fcm_outcome(const struct webhook_answer *answer);
enum push_outcome push_apns_outcome(const struct webhook_answer *answer);
