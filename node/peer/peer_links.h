#pragma once
/* The links to the other nodes. On one libuv loop, that of the caller; nothing here is to be called from another
 * thread.
 *
 * It is a datagram network that loses packets: a peer that restarts loses what was under way, and a queue that is full
 * drops. What is delivered was sent by that peer, is not changed, comes once, and never from an earlier life of the
 * peer after a later one. Everything that is sent in one loop turn to one peer goes into one message (several when it
 * is much), sealed by link_crypto in the form of packet_batch.h, carried by datagram.h. */
#include <uv.h>

#include "node/peer/identity.h"
#include "proto/packet.h"

#define PEER_LINKS_MESSAGE_BYTES_MAX (256 * 1024)     /* of packets in one message, unless a single one is larger */
#define PEER_LINKS_PACKET_BYTES_MAX (4 * 1024 * 1024) /* encoded; the largest log entry has some 400 KB */
#define PEER_LINKS_QUEUE_BYTES_MAX (8 * 1024 * 1024)  /* waiting for one peer */
#define PEER_LINKS_QUEUE_DOWN_BYTES_MAX (256 * 1024)  /* the same for a peer that is down: it will want newer ones */
#define PEER_LINKS_CREDIT_MS 50                       /* how long taking a message may go unreported */
#define PEER_LINKS_KEEPALIVE_MS 250                   /* between messages when there is nothing to say */
#define PEER_LINKS_DOWN_MS 2000                       /* without a message: the peer counts as down */
#define PEER_LINKS_REDIAL_MS 5000                     /* without any progress: the connection is made anew */
#define PEER_LINKS_COMPLAINT_MS 60000                 /* between log lines of the same kind about one peer */

struct peer_links;

struct peer_links_options {
    uv_loop_t *loop;
    uint64_t self;                   /* node id, not 0 */
    const struct identity *identity; /* copied */
    const char *listen;              /* "host:port"; port 0: any */
    /* A packet of a peer; borrowed until return. May call anything here. */
    void (*on_packet)(void *context, uint64_t from, const struct packet *packet);
    /* A peer can be reached, and reaches us; or not any more. Nobody's safety may depend on it. */
    void (*on_state)(void *context, uint64_t peer, bool is_up);
    void *context;

    /* All of these may be 0 for the usual values. */
    uint16_t protocol_oldest, protocol_newest;
    uint8_t ciphers;             /* link_crypto.h */
    int send_buffer_messages;    /* 1 to 8192 */
    int receive_buffer_messages; /* 1 to 8192 */
};

/* STATUS_CONFLICT: the address is in use or not ours; STATUS_BAD_REQUEST: it has no proper form; STATUS_INTERNAL_ERROR
 * otherwise. `reason` says what. */
int peer_links_open(const struct peer_links_options *options, struct peer_links **links, const char **reason);

/* Nothing is delivered any more. `on_closed` is called by the loop when the memory and the sockets are gone; the loop
 * must run until then. */
void peer_links_close(struct peer_links *links, void (*on_closed)(void *context), void *context);

/* The port that is really listened on. */
uint16_t peer_links_port(const struct peer_links *links);

/* Adds a peer, or changes its address or key; a new key begins a new link. `public_key` must have been found admitted:
 * node_record_is_admitted. STATUS_BAD_REQUEST: the address has no proper form, or the id is 0 or our own. */
int peer_links_set_peer(struct peer_links *links, uint64_t peer, const char *address,
                        const uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES]);
/* What waits for it is dropped, and nothing of it is delivered any more; on_state is not called. */
void peer_links_remove_peer(struct peer_links *links, uint64_t peer);

/* STATUS_OK: queued, which promises nothing; STATUS_NOT_FOUND: no such peer; STATUS_REQUEST_ENTITY_TOO_LARGE. The
 * packet is encoded at once. */
int peer_links_send(struct peer_links *links, uint64_t to, const struct packet *packet);
/* Sends what is queued as far as credit goes. Happens by itself before the loop waits. */
void peer_links_flush(struct peer_links *links);

struct peer_link_statistics {
    bool is_up;
    uint16_t version; /* agreed on; 0: none yet */
    size_t queue_bytes, unacknowledged_bytes;
    uint64_t packets_sent, packets_received;
    uint64_t packets_dropped;   /* by us: the queue was full, or the peer went down */
    uint64_t packets_malformed; /* sealed by the peer and yet not understood; those of a newer version, say */
    uint64_t messages_sent, messages_received;
    uint64_t messages_missed;            /* by the counters of those that came; one that comes late counts, too */
    uint64_t bytes_sent, bytes_received; /* of messages, as sealed */
    uint64_t messages_forged;            /* refused: did not open, or hellos not signed by the peer */
    uint64_t messages_replayed;          /* refused: seen before, or too old to tell */
    uint64_t messages_unknown;           /* refused: of a session that is over or unknown */
    uint64_t messages_malformed;         /* refused: no message at all */
    uint64_t sessions;                   /* keys agreed on */
    uint64_t redials;
};

/* STATUS_NOT_FOUND. */
int peer_links_statistics(const struct peer_links *links, uint64_t peer, struct peer_link_statistics *statistics);
/* Messages that claimed to be from nodes that are no peers, or for others, or had no form. */
uint64_t peer_links_strangers(const struct peer_links *links);
