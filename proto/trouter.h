#pragma once
/* The official SDK's real time: allocation body, stateless tickets, socket.io 0.9 packets and push bodies
 * (real-time protocol sections 5 to 8). Bytes only: no sockets, no sessions. */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/change.h"

/* A ticket names who may do the next step: carried in `connectparams` (`sr`, `st`, `se`, `sig`, `issuer`, `sp`) and in
 * `sid`, so that any node of the cluster can check it. MAC: keyed BLAKE2b (libsodium crypto_generichash) of the fields.
 */
#define TROUTER_TICKET_KEY_BYTES 32

struct trouter_ticket {
    struct bytes user_id;     /* raw id */
    struct bytes endpoint_id; /* epid */
    int64_t issued_ms;
    int64_t expires_ms;
    int64_t token_expires_ms; /* when the token that bought the ticket expires */
    int64_t token_issued_ms;  /* when it was issued, for revocation */
    uint8_t nonce[16];        /* of chance; makes a sid unguessable and single-use */
};

/* Only [A-Za-z0-9_-] and ".", no ":" — fit for a path segment and for an unencoded query value (section 5.2). `purpose`
 * ("allocate", "socket") is under the MAC, so one kind cannot pass for another. */
struct bytes trouter_ticket_seal(struct arena *arena, const uint8_t key[TROUTER_TICKET_KEY_BYTES], const char *purpose,
                                 const struct trouter_ticket *ticket);
/* STATUS_UNAUTHORIZED: forged, of another purpose, malformed. STATUS_TOKEN_EXPIRED: past `expires_ms`. */
int trouter_ticket_open(struct arena *arena, const uint8_t key[TROUTER_TICKET_KEY_BYTES], const char *purpose,
                        struct bytes text, int64_t now_ms, struct trouter_ticket *ticket);

/* The JSON body of allocate. `origin` is "https://host[:port]" without slash. `sealed` goes into connectparams.sr
 * beside `se` = expires_ms. */
struct bytes trouter_allocation_encode(struct arena *arena, struct bytes origin, struct bytes sealed,
                                       const struct trouter_ticket *ticket, uint32_t ttl_s);

enum trouter_packet_type {
    TROUTER_DISCONNECT = 0,
    TROUTER_CONNECT = 1,
    TROUTER_HEARTBEAT = 2,
    TROUTER_MESSAGE = 3,
    TROUTER_EVENT = 5,
    TROUTER_ACK = 6,
    TROUTER_ERROR = 7,
    TROUTER_NOOP = 8
};

struct trouter_packet {
    enum trouter_packet_type type;
    bool wants_ack; /* "5:7+::" */
    uint64_t id;    /* of an event that wants an acknowledgement */
    struct bytes data;
    /* TROUTER_MESSAGE from a client is the answer to a push: */
    uint64_t push_id;
    int push_status;
    /* TROUTER_EVENT: */
    struct bytes event_name;
};

/* STATUS_MALFORMED. Borrowed from `text` and `arena`. */
int trouter_packet_parse(struct arena *arena, struct bytes text, struct trouter_packet *packet);

/* Whole packets as text, without WebSocket framing. */
void trouter_connected_encode(struct buffer *out, uint32_t ttl_s);      /* 5:::{"name":"trouter.connected",...} */
void trouter_reconnect_encode(struct buffer *out, const char *target);  /* 5:::{"name":"trouter.reconnect",...} */
void trouter_ack_encode(struct buffer *out, uint64_t id);               /* 6:::<id>+[] */
void trouter_disconnect_encode(struct buffer *out, const char *reason); /* 0::: with {"reason":..}; NULL: "0::" */

/* A push is   3:::{"id":<n>  +  before  +  <recipient part>  +  after   where only <n> and the recipient part differ
 * per recipient, so a change is encoded once for all. The recipient part is made once per session. Pushes that exclude
 * somebody say so. */
struct trouter_push {
    struct bytes before; /* from `,"method":` up to the recipient part */
    struct bytes after;
    struct bytes excluded_user_id; /* absent: everyone gets it */
};

/* `"recipientId":"acs:…","recipientMri":"8:acs:…",` escaped as a JSON string inside a JSON string. */
void trouter_recipient_encode(struct buffer *out, struct bytes user_id);

/* One push per change, several for coalesced typing and receipts, none for kinds the SDK does not know. At most
 * `pushes_max` are written (LIMIT_COALESCE_PER_TICK_MAX suffices). `cv` is 22 base64 characters for MS-CV. Every push's
 * url is TROUTER_PUSH_PATH + the SDK's event name. Everything is in the arena. */
#define TROUTER_PUSH_PATH "/v4/f/weft/"
size_t trouter_pushes_encode(struct arena *arena, const struct change *change, const char *cv,
                             struct trouter_push *pushes, size_t pushes_max);

/* The body alone, for one recipient, as devices are told of it: of a change that has an offset. `*event_id` 0: the SDK
 * does not know of such a change, and the body is absent. */
struct bytes trouter_body_encode(struct arena *arena, const struct change *change, struct bytes recipient_id,
                                 const char *cv, int *event_id);

/* The registration body of POST /v3/registrations (section 5.5); STATUS_BAD_REQUEST or STATUS_VALIDATION_ERROR. */
struct problem;
int trouter_registration_parse(struct arena *arena, struct bytes body, struct bytes *registration_id,
                               struct problem *problem);
