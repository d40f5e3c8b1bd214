#pragma once
/* What a device is told of a change: the JSON of real-time events (contract 10.1), short enough for push services, and
 * sealed as the official mobile SDKs open it (contract 13). Pure. */
#include "proto/change.h"
#include "proto/push_registration.h"

#define PUSH_INITIAL_BYTES 16

struct push_payload {
    int event_id;      /* contract 10.1; 0: the device is not told */
    struct bytes json; /* JSON */
};

/* `bytes_max` is above 1 KB; a message's text is cut to fit, its metadata left out. */
struct push_payload push_payload_make(const struct change *change, struct bytes recipient_id, size_t bytes_max,
                                      struct arena *arena);

/* What has room in a message to the device, sealed and escaped as it is then: 4 KB in all, with every service. */
size_t push_payload_bytes_max(const struct push_registration *device);

/* Whether devices of this kind understand it: all are told of messages, Android's SDK of everything but typing and
 * receipts. */
bool push_payload_is_for(const struct push_registration *device, const struct change *change);

/* Base64 of mode | initial vector | ciphertext | authentication. */
struct bytes push_payload_seal(const struct push_registration *device, const uint8_t initial[PUSH_INITIAL_BYTES],
                               struct bytes plain, struct arena *arena);

/* At most so many bytes, and whole characters; borrowed. An absent text stays so. */
struct bytes push_payload_cut(struct bytes text, size_t bytes_max);

/* For people: the message's text without tags, `bytes_max` at most, cut between characters. */
struct bytes push_payload_text(const struct message *message, size_t bytes_max, struct arena *arena);
