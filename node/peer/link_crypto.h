#pragma once
/* The sealing of one link between two nodes, over a network that may lose, repeat, reorder and change messages. Used by
 * peer_links, one for each peer. No I/O and no clock: messages and the time come in, messages go out; only libsodium's
 * randomness is asked for.
 *
 * Both nodes know each other's Ed25519 public key, from node records that the caller has found admitted. Signed hellos
 * carry X25519 keys that live as long as a session, and a random session number; whoever sees its own number come back
 * under the peer's signature knows that the hello is fresh, and both derive two keys, one for each direction
 * (the shape is SIGMA's, Krawczyk 2003, with the identities in clear). Numbers are big-endian.
 *
 *   hello  'W' 'F' 'T' 1 | oldest u16 | newest u16 | sender u64 | receiver u64 | session u64 | echo u64 |
 *          X25519 key (32) | ciphers u8 | zero (7) | whatever a later version adds | Ed25519 signature of all (64)
 *   data   'W' 'F' 'T' 2 | version u8 | zero (3) | sender u64 | receiver u64 | session u64 | counter u64 |
 *          AEAD of what was sealed (+ 16), with all before it as associated data
 *
 * The session of a hello is the sender's own number, that of data names the pair. Counters begin at 1 and are the
 * AEAD's nonce: each direction of each session has a key of its own. */
#include "proto/buffer.h"

#define LINK_PUBLIC_KEY_BYTES 32
#define LINK_SECRET_KEY_BYTES 64
#define LINK_HELLO_BYTES_MIN 144
#define LINK_HELLO_BYTES_MAX 512
#define LINK_HEADER_BYTES 40
#define LINK_SEALED_OVERHEAD_BYTES (LINK_HEADER_BYTES + 16)
#define LINK_REPLAY_WINDOW 1024
#define LINK_HELLO_MS 250    /* between hellos that nobody asked for */
#define LINK_SILENT_MS 1000  /* without anything from the peer: it may have another session by now */
#define LINK_HELLOS_BURST 20 /* hellos whose signature is checked at once, and ... */
#define LINK_HELLOS_PER_S 20 /* ... in the long run: a flood of forged ones costs no more than these */
#define LINK_UNKNOWN_MS 100  /* between hellos that answer data of an unknown session */

/* What AEADs a node has, as bits. XChaCha20-Poly1305 every node has; the other one is taken if both have it. */
#define LINK_CIPHER_XCHACHA20_POLY1305 1u
#define LINK_CIPHER_AES256_GCM 2u
uint8_t link_ciphers_available(void);

struct link_options {
    uint64_t self, peer;            /* node ids; they differ */
    const uint8_t *secret_key;      /* ours, Ed25519; copied */
    const uint8_t *peer_public_key; /* copied */
    uint16_t oldest, newest;        /* protocol versions that this node speaks; 1 to 255 */
    uint8_t ciphers;
    uint64_t renew_after_bytes; /* sealed with one key before a new one is agreed on; 0: LINK_RENEW_BYTES */
};
/* AES-GCM is good for some 2^36 blocks of 16 bytes under a key; a sixteenth of that leaves time to agree. */
#define LINK_RENEW_BYTES (1ull << 36)

enum link_result {
    LINK_OPENED,
    LINK_HEARD,           /* a sound hello of the peer */
    LINK_MALFORMED,       /* not of this form, or between other nodes */
    LINK_FORGED,          /* does not open, or is not signed by the peer */
    LINK_REPLAYED,        /* was opened before, or is too old to tell */
    LINK_UNKNOWN_SESSION, /* of a session that is over or not known yet */
    LINK_INCOMPATIBLE,    /* the peer speaks no version or cipher that this node does */
    LINK_TOO_MANY_HELLOS
};

struct link_opened {
    struct bytes plain; /* in the buffer that was given */
    uint64_t session;   /* the current one, or the one before as long as nothing was opened under the current */
    uint64_t counter;
};

struct link_versions {
    uint16_t oldest, newest;
};

struct link_crypto;

struct link_crypto *link_crypto_new(const struct link_options *options);
/* Keys are wiped. */
void link_crypto_free(struct link_crypto *link);

/* A message that came from the network; `now_ms` never goes back. LINK_OPENED fills `opened`, whose bytes are in
 * `plain` (emptied first). `answer` gets a hello to be sent to the peer, or stays empty. */
enum link_result link_crypto_receive(struct link_crypto *link, struct bytes message, uint64_t now_ms,
                                     struct buffer *plain, struct link_opened *opened, struct buffer *answer);

/* To be asked some times per second: appends a hello to `message` if it is time for one. */
void link_crypto_tick(struct link_crypto *link, uint64_t now_ms, struct buffer *message);

/* Seals `plain` into `sealed`, which has room for LINK_SEALED_OVERHEAD_BYTES more; `counter` is the message's.
 * STATUS_SERVICE_UNAVAILABLE: there is no session yet. */
int link_crypto_seal(struct link_crypto *link, struct bytes plain, uint8_t *sealed, uint64_t *counter);

/* What the next message is sealed with; 0: no session yet. */
uint64_t link_crypto_session(const struct link_crypto *link);
/* The version agreed on; 0: no session yet. */
uint16_t link_crypto_version(const struct link_crypto *link);
/* True when something has been opened under the session: the peer has it too. */
bool link_crypto_is_proven(const struct link_crypto *link);
/* What the newest hello of the peer said. */
struct link_versions link_crypto_peer_versions(const struct link_crypto *link);

/* Whom a message claims to be from, and to whom, without any proof: to find the link it belongs to. STATUS_MALFORMED.
 */
int link_message_nodes(struct bytes message, uint64_t *sender, uint64_t *receiver);
