#pragma once
/* What goes to one device, as the request to its push service, and what the answer says of it: the contracts of Web
 * Push (RFC 8030, 8291, 8292). Pure: chance comes in. */
#include "node/events/webhook.h"
#include "node/push/push_account.h"
#include "node/push/web_push_encrypt.h"
#include "proto/ids.h"

/* For one device. */
struct push_job {
    struct id_hash user;
    const struct push_registration *device;
    struct id_hash thread; /* what is said of a thread takes the place of what was said before */
    int event_id;
    struct bytes json;        /* push_payload_make */
    struct bytes title, text; /* for people, where nothing is sealed */
    int64_t happened_ms;
};

/* Of this request only. */
struct push_chance {
    struct elliptic_key key;
    uint8_t salt[WEB_PUSH_SALT_BYTES];
};
void push_chance_take(struct push_chance *chance);

struct push_sender {
    const struct elliptic_key *vapid;
    struct bytes contact;
    int64_t ttl_ms;
    const struct push_account *account;
    struct bytes fcm_token, apns_token;
};

/* Where devices of this kind are reached: what may be told of that in a log. */
struct bytes push_service(const struct push_account *account, const struct push_registration *device);
/* The host of an endpoint; absent: it is not of the form that browsers give, "https://host" or "http://host" with or
 * without a port, and what follows. */
struct bytes push_endpoint_host(struct bytes endpoint);
/* What is limited as one: of a browser's endpoint the last two names of the host, as its owner can have as many ports
 * and names below them as he likes. */
struct bytes push_service_limited(const struct push_account *account, const struct push_registration *device);
/* For how long it is still of interest. */
int64_t push_ttl_s(const struct push_sender *sender, const struct push_job *job, int64_t now_ms);
/* What takes the place of what was said before, in the arena: at most 32 characters of base64url (RFC 8030, section
 * 5.4). The thread's keyed hash tells the push service nothing. */
struct bytes push_topic(const struct id_hash *thread, struct arena *arena);

/* False: the device can never be told, as its key is none. Everything is in the arena. */
bool push_request_make(const struct push_sender *sender, const struct push_job *job, const struct push_chance *chance,
                       int64_t now_ms, struct arena *arena, struct webhook_request *request);

enum push_outcome {
    PUSH_SENT,
    PUSH_AGAIN,       /* not now */
    PUSH_TOKEN_SPENT, /* not with this token */
    PUSH_GONE,        /* there is no such device any more */
    PUSH_REFUSED      /* never */
};
enum push_outcome push_outcome_of(enum push_transport transport, const struct webhook_answer *answer);

/* How long to wait after so many attempts, `answer` having the last word. */
int64_t push_wait_ms(const struct webhook_answer *answer, unsigned attempts, uint32_t chance);
