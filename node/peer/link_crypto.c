#include "node/peer/link_crypto.h"

#include <sodium.h>
#include <stdlib.h>

#include "node/peer/big_endian.h"
#include "proto/check.h"
#include "proto/status.h"

/* One side of a link. An offer (a session number and an X25519 key of ours) is used up by the session that is made of
 * it, so no pair of keys is ever agreed on twice and no recorded hello brings an old session back.
 *
 *             a hello echoes our offer             something opens under it
 *    ALONE ─────────────────────────────▶ AGREED ─────────────────────────────▶ PROVEN
 *                                         ▲    ▲                                  │
 *                                         └────┴──────────────────────────────────┘
 *                          a hello echoes our newer offer: new keys; a session that
 *                          was PROVEN is open until something opens under the new one
 *
 * Hellos with our offer and without echo go out every LINK_HELLO_MS: when ALONE, after LINK_SILENT_MS in which nothing
 * opened, and when so much has been sealed that the keys are to be renewed.
 *
 * What a hello {session p, echo e} of the peer leads to, first row that fits:
 *    e is our offer                    agree; hello {our offer, echo p}
 *    p is the session's, e is ours     nothing: this is how the session was made
 *    p is the session's                the peer missed it: hello {our number in the session, echo p}
 *    e is not 0 and there is a session nothing: an echo of something else, possibly recorded long ago
 *    otherwise                         the peer begins: hello {our offer, echo p} */
enum link_state { LINK_STATE_ALONE, LINK_STATE_AGREED, LINK_STATE_PROVEN };

enum message_kind { MESSAGE_HELLO = 1, MESSAGE_DATA = 2 };

static const uint8_t MAGIC[3] = {'W', 'F', 'T'};

/* Where things stand in a hello and in data. */
enum { AT_KIND = 3, AT_SENDER = 8, AT_RECEIVER = 16, AT_SESSION = 24 };
enum { HELLO_OLDEST = 4, HELLO_NEWEST = 6, HELLO_ECHO = 32, HELLO_KEY = 40, HELLO_CIPHERS = 72, HELLO_SIGNED = 80 };
enum { DATA_VERSION = 4, DATA_COUNTER = 32 };

_Static_assert(HELLO_SIGNED + crypto_sign_BYTES == LINK_HELLO_BYTES_MIN, "the smallest hello ends with its signature");
_Static_assert(crypto_aead_aes256gcm_ABYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES &&
                   LINK_HEADER_BYTES + crypto_aead_aes256gcm_ABYTES == LINK_SEALED_OVERHEAD_BYTES,
               "both ciphers add the same");
_Static_assert(LINK_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES &&
                   LINK_SECRET_KEY_BYTES == crypto_sign_SECRETKEYBYTES,
               "keys are libsodium's");

struct offer {
    uint64_t number;
    uint8_t public_key[crypto_kx_PUBLICKEYBYTES];
    uint8_t secret_key[crypto_kx_SECRETKEYBYTES];
};

struct link_key {
    uint8_t bytes[32];
    crypto_aead_aes256gcm_state aes;
};

/* The newest counters, one bit each at counter modulo the size. */
struct replay_window {
    uint64_t highest;
    uint64_t seen[LINK_REPLAY_WINDOW / 64];
};

struct session {
    uint64_t id; /* 0: there is none */
    uint64_t ours, peers;
    uint8_t our_public_key[crypto_kx_PUBLICKEYBYTES];
    uint16_t version;
    uint8_t cipher;
    struct link_key seal, open;
    uint64_t sealed_counter, sealed_bytes;
    struct replay_window window;
};

struct hello {
    struct link_versions versions;
    uint64_t session, echo;
    const uint8_t *public_key;
    uint8_t ciphers;
};

struct link_crypto {
    uint64_t self, peer;
    uint8_t secret_key[LINK_SECRET_KEY_BYTES];
    uint8_t peer_public_key[LINK_PUBLIC_KEY_BYTES];
    uint16_t oldest, newest;
    uint8_t ciphers;
    uint64_t renew_after_bytes;

    enum link_state state;
    struct offer offer;
    struct session current, previous;
    struct link_versions peer_versions;
    uint64_t heard_ms;      /* when the session was agreed on, or something last opened */
    uint64_t next_hello_ms; /* not before, unless asked */
    uint64_t next_unknown_ms;
    uint64_t hellos_left, hellos_counted_ms;
};

uint8_t link_ciphers_available(void) {
    check(sodium_init() >= 0);
    return (uint8_t)(LINK_CIPHER_XCHACHA20_POLY1305 |
                     (crypto_aead_aes256gcm_is_available() ? LINK_CIPHER_AES256_GCM : 0));
}

static void offer_make(struct offer *offer) {
    do
        randombytes_buf(&offer->number, sizeof(offer->number));
    while (offer->number == 0);
    crypto_kx_keypair(offer->public_key, offer->secret_key);
}

struct link_crypto *link_crypto_new(const struct link_options *options) {
    check(options->self != options->peer && options->self != 0 && options->peer != 0);
    check(options->oldest >= 1 && options->oldest <= options->newest && options->newest <= UINT8_MAX);
    check((options->ciphers & LINK_CIPHER_XCHACHA20_POLY1305) != 0);
    check((options->ciphers & ~link_ciphers_available()) == 0);
    /* The AES state has to lie at a multiple of 16, as malloc's memory does. */
    struct link_crypto *link = calloc(1, sizeof(*link));
    check(link != NULL);
    link->self = options->self;
    link->peer = options->peer;
    memcpy(link->secret_key, options->secret_key, sizeof(link->secret_key));
    memcpy(link->peer_public_key, options->peer_public_key, sizeof(link->peer_public_key));
    link->oldest = options->oldest;
    link->newest = options->newest;
    link->ciphers = options->ciphers;
    link->renew_after_bytes = options->renew_after_bytes == 0 ? LINK_RENEW_BYTES : options->renew_after_bytes;
    link->hellos_left = LINK_HELLOS_BURST;
    offer_make(&link->offer);
    return link;
}

void link_crypto_free(struct link_crypto *link) {
    if (link == NULL)
        return;
    sodium_memzero(link, sizeof(*link));
    free(link);
}

/* ---- the replay window ---- */

static bool window_takes(const struct replay_window *window, uint64_t counter) {
    if (counter > window->highest)
        return true;
    if (counter == 0 || window->highest - counter >= LINK_REPLAY_WINDOW)
        return false;
    return (window->seen[counter / 64 % (LINK_REPLAY_WINDOW / 64)] >> (counter % 64) & 1) == 0;
}

static void window_mark(struct replay_window *window, uint64_t counter) {
    if (counter > window->highest) {
        uint64_t passed = counter - window->highest;
        if (passed >= LINK_REPLAY_WINDOW)
            memset(window->seen, 0, sizeof(window->seen));
        else
            for (uint64_t each = window->highest + 1; each <= counter; each++)
                window->seen[each / 64 % (LINK_REPLAY_WINDOW / 64)] &= ~(1ull << (each % 64));
        window->highest = counter;
    }
    window->seen[counter / 64 % (LINK_REPLAY_WINDOW / 64)] |= 1ull << (counter % 64);
}

/* ---- sealing with one key ---- */

static bool key_seal(const struct link_key *key, uint8_t cipher, struct bytes plain, uint64_t counter,
                     uint8_t *sealed) {
    uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {0};
    if (cipher == LINK_CIPHER_AES256_GCM) {
        store_u64(nonce + crypto_aead_aes256gcm_NPUBBYTES - sizeof(counter), counter);
        return crypto_aead_aes256gcm_encrypt_afternm(sealed + LINK_HEADER_BYTES, NULL, plain.data, plain.size, sealed,
                                                     LINK_HEADER_BYTES, NULL, nonce, &key->aes) == 0;
    }
    store_u64(nonce + sizeof(nonce) - sizeof(counter), counter);
    return crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + LINK_HEADER_BYTES, NULL, plain.data, plain.size, sealed,
                                                      LINK_HEADER_BYTES, NULL, nonce, key->bytes) == 0;
}

static bool key_open(const struct link_key *key, uint8_t cipher, struct bytes sealed, uint64_t counter,
                     uint8_t *plain) {
    uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {0};
    const uint8_t *body = sealed.data + LINK_HEADER_BYTES;
    size_t size = sealed.size - LINK_HEADER_BYTES;
    if (cipher == LINK_CIPHER_AES256_GCM) {
        store_u64(nonce + crypto_aead_aes256gcm_NPUBBYTES - sizeof(counter), counter);
        return crypto_aead_aes256gcm_decrypt_afternm(plain, NULL, NULL, body, size, sealed.data, LINK_HEADER_BYTES,
                                                     nonce, &key->aes) == 0;
    }
    store_u64(nonce + sizeof(nonce) - sizeof(counter), counter);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, body, size, sealed.data, LINK_HEADER_BYTES,
                                                      nonce, key->bytes) == 0;
}

/* ---- agreeing on a session ---- */

/* What both sides say of a session with the same bytes: the side with the lower id comes first. */
struct transcript {
    uint8_t bytes[8 + 4 * 8 + 2 * crypto_kx_PUBLICKEYBYTES];
};

static void transcript_side(uint8_t *to, uint64_t node, uint64_t number, const uint8_t *public_key) {
    store_u64(to, node);
    store_u64(to + 8, number);
    memcpy(to + 16, public_key, crypto_kx_PUBLICKEYBYTES);
}

static struct transcript transcript_make(const struct link_crypto *link, const struct hello *hello,
                                         const struct session *session) {
    struct transcript transcript = {{'W', 'F', 'T', 'K'}};
    uint8_t *lower = transcript.bytes + 8;
    uint8_t *higher = lower + 16 + crypto_kx_PUBLICKEYBYTES;
    bool we_are_lower = link->self < link->peer;
    store_u16(transcript.bytes + 4, session->version);
    transcript.bytes[6] = session->cipher;
    transcript_side(we_are_lower ? lower : higher, link->self, link->offer.number, link->offer.public_key);
    transcript_side(we_are_lower ? higher : lower, link->peer, hello->session, hello->public_key);
    return transcript;
}

/* Binds a direction's key to the nodes, numbers, version and cipher that it was agreed on for. */
static void key_derive(struct link_key *key, const uint8_t shared[crypto_kx_SESSIONKEYBYTES],
                       const struct transcript *transcript, uint8_t cipher) {
    check(crypto_generichash(key->bytes, sizeof(key->bytes), transcript->bytes, sizeof(transcript->bytes), shared,
                             crypto_kx_SESSIONKEYBYTES) == 0);
    if (cipher == LINK_CIPHER_AES256_GCM)
        check(crypto_aead_aes256gcm_beforenm(&key->aes, key->bytes) == 0);
}

/* False: the peer's key is one of the few that give no secret. */
static bool session_derive(const struct link_crypto *link, const struct hello *hello, struct session *session) {
    uint8_t opening[crypto_kx_SESSIONKEYBYTES];
    uint8_t sealing[crypto_kx_SESSIONKEYBYTES];
    int rc = link->self < link->peer ? crypto_kx_client_session_keys(opening, sealing, link->offer.public_key,
                                                                     link->offer.secret_key, hello->public_key)
                                     : crypto_kx_server_session_keys(opening, sealing, link->offer.public_key,
                                                                     link->offer.secret_key, hello->public_key);
    if (rc != 0)
        return false;
    struct transcript transcript = transcript_make(link, hello, session);
    uint8_t id[crypto_generichash_BYTES_MIN];
    check(crypto_generichash(id, sizeof(id), transcript.bytes, sizeof(transcript.bytes), NULL, 0) == 0);
    session->id = load_u64(id) | 1; /* never 0 */
    key_derive(&session->open, opening, &transcript, session->cipher);
    key_derive(&session->seal, sealing, &transcript, session->cipher);
    sodium_memzero(opening, sizeof(opening));
    sodium_memzero(sealing, sizeof(sealing));
    return true;
}

static uint8_t cipher_choose(uint8_t common) {
    return common & LINK_CIPHER_AES256_GCM ? LINK_CIPHER_AES256_GCM : LINK_CIPHER_XCHACHA20_POLY1305;
}

static uint16_t smaller(uint16_t a, uint16_t b) {
    return a < b ? a : b;
}

static bool session_agree(struct link_crypto *link, const struct hello *hello, uint64_t now_ms) {
    struct session session = {.ours = link->offer.number,
                              .peers = hello->session,
                              .version = smaller(link->newest, hello->versions.newest),
                              .cipher = cipher_choose(link->ciphers & hello->ciphers)};
    memcpy(session.our_public_key, link->offer.public_key, sizeof(session.our_public_key));
    bool is_agreed = session_derive(link, hello, &session);
    if (is_agreed) {
        /* A session that was never proven is not worth keeping in place of one that was. */
        if (link->state == LINK_STATE_PROVEN)
            link->previous = link->current;
        link->current = session;
        link->state = LINK_STATE_AGREED;
        link->heard_ms = now_ms;
        offer_make(&link->offer);
    }
    sodium_memzero(&session, sizeof(session));
    return is_agreed;
}

/* ---- hellos ---- */

static void hello_append(const struct link_crypto *link, uint64_t number, const uint8_t *public_key, uint64_t echo,
                         struct buffer *out) {
    uint8_t *hello = buffer_reserve(out, LINK_HELLO_BYTES_MIN);
    memset(hello, 0, LINK_HELLO_BYTES_MIN);
    memcpy(hello, MAGIC, sizeof(MAGIC));
    hello[AT_KIND] = MESSAGE_HELLO;
    store_u16(hello + HELLO_OLDEST, link->oldest);
    store_u16(hello + HELLO_NEWEST, link->newest);
    store_u64(hello + AT_SENDER, link->self);
    store_u64(hello + AT_RECEIVER, link->peer);
    store_u64(hello + AT_SESSION, number);
    store_u64(hello + HELLO_ECHO, echo);
    memcpy(hello + HELLO_KEY, public_key, crypto_kx_PUBLICKEYBYTES);
    hello[HELLO_CIPHERS] = link->ciphers;
    check(crypto_sign_detached(hello + HELLO_SIGNED, NULL, hello, HELLO_SIGNED, link->secret_key) == 0);
    buffer_added(out, LINK_HELLO_BYTES_MIN);
}

static void offer_append(const struct link_crypto *link, uint64_t echo, struct buffer *out) {
    hello_append(link, link->offer.number, link->offer.public_key, echo, out);
}

static bool hello_is_within_budget(struct link_crypto *link, uint64_t now_ms) {
    uint64_t earned = (now_ms - link->hellos_counted_ms) * LINK_HELLOS_PER_S / 1000;
    if (earned > 0) {
        link->hellos_left += earned > LINK_HELLOS_BURST ? LINK_HELLOS_BURST : earned;
        link->hellos_counted_ms = now_ms;
    }
    if (link->hellos_left > LINK_HELLOS_BURST)
        link->hellos_left = LINK_HELLOS_BURST;
    if (link->hellos_left == 0)
        return false;
    link->hellos_left--;
    return true;
}

static bool hello_is_signed(const struct link_crypto *link, struct bytes message) {
    size_t signed_size = message.size - crypto_sign_BYTES;
    return crypto_sign_verify_detached(message.data + signed_size, message.data, signed_size, link->peer_public_key) ==
           0;
}

static bool is_compatible(const struct link_crypto *link, const struct hello *hello) {
    return hello->versions.oldest <= link->newest && hello->versions.newest >= link->oldest &&
           hello->versions.oldest <= hello->versions.newest && (hello->ciphers & link->ciphers) != 0;
}

/* The table above `enum link_state`, row by row. */
static enum link_result hello_take(struct link_crypto *link, const struct hello *hello, uint64_t now_ms,
                                   struct buffer *answer) {
    const struct session *current = &link->current;
    bool has_session = link->state != LINK_STATE_ALONE;
    if (hello->echo == link->offer.number) {
        if (!session_agree(link, hello, now_ms))
            return LINK_FORGED;
        hello_append(link, current->ours, current->our_public_key, hello->session, answer);
    } else if (has_session && hello->session == current->peers) {
        if (hello->echo != current->ours)
            hello_append(link, current->ours, current->our_public_key, hello->session, answer);
    } else if (!has_session || hello->echo == 0) {
        offer_append(link, hello->session, answer);
    }
    return LINK_HEARD;
}

static enum link_result hello_receive(struct link_crypto *link, struct bytes message, uint64_t now_ms,
                                      struct buffer *answer) {
    if (message.size < LINK_HELLO_BYTES_MIN || message.size > LINK_HELLO_BYTES_MAX)
        return LINK_MALFORMED;
    if (!hello_is_within_budget(link, now_ms))
        return LINK_TOO_MANY_HELLOS;
    if (!hello_is_signed(link, message))
        return LINK_FORGED;
    struct hello hello = {.versions = {load_u16(message.data + HELLO_OLDEST), load_u16(message.data + HELLO_NEWEST)},
                          .session = load_u64(message.data + AT_SESSION),
                          .echo = load_u64(message.data + HELLO_ECHO),
                          .public_key = message.data + HELLO_KEY,
                          .ciphers = message.data[HELLO_CIPHERS]};
    if (hello.session == 0)
        return LINK_MALFORMED;
    link->peer_versions = hello.versions;
    return is_compatible(link, &hello) ? hello_take(link, &hello, now_ms, answer) : LINK_INCOMPATIBLE;
}

void link_crypto_tick(struct link_crypto *link, uint64_t now_ms, struct buffer *message) {
    bool is_wanted = link->state == LINK_STATE_ALONE || now_ms - link->heard_ms >= LINK_SILENT_MS ||
                     link->current.sealed_bytes >= link->renew_after_bytes;
    if (!is_wanted || now_ms < link->next_hello_ms)
        return;
    link->next_hello_ms = now_ms + LINK_HELLO_MS;
    offer_append(link, 0, message);
}

/* ---- data ---- */

int link_crypto_seal(struct link_crypto *link, struct bytes plain, uint8_t *sealed, uint64_t *counter) {
    struct session *session = &link->current;
    if (link->state == LINK_STATE_ALONE)
        return STATUS_SERVICE_UNAVAILABLE;
    *counter = ++session->sealed_counter;
    session->sealed_bytes += plain.size + LINK_SEALED_OVERHEAD_BYTES;
    memset(sealed, 0, LINK_HEADER_BYTES);
    memcpy(sealed, MAGIC, sizeof(MAGIC));
    sealed[AT_KIND] = MESSAGE_DATA;
    sealed[DATA_VERSION] = (uint8_t)session->version;
    store_u64(sealed + AT_SENDER, link->self);
    store_u64(sealed + AT_RECEIVER, link->peer);
    store_u64(sealed + AT_SESSION, session->id);
    store_u64(sealed + DATA_COUNTER, *counter);
    check(key_seal(&session->seal, session->cipher, plain, *counter, sealed));
    return STATUS_OK;
}

static enum link_result unknown_session_answer(struct link_crypto *link, uint64_t now_ms, struct buffer *answer) {
    if (now_ms >= link->next_unknown_ms) {
        link->next_unknown_ms = now_ms + LINK_UNKNOWN_MS;
        /* With a session, its echo: a peer that shares it, and whose message was old or forged, has nothing to do. */
        offer_append(link, link->state == LINK_STATE_ALONE ? 0 : link->current.peers, answer);
    }
    return LINK_UNKNOWN_SESSION;
}

static void proven_set(struct link_crypto *link, uint64_t now_ms) {
    link->heard_ms = now_ms;
    link->state = LINK_STATE_PROVEN;
    if (link->previous.id != 0)
        sodium_memzero(&link->previous, sizeof(link->previous));
}

static enum link_result data_open(struct session *session, struct bytes message, struct buffer *plain,
                                  struct link_opened *opened) {
    uint64_t counter = load_u64(message.data + DATA_COUNTER);
    if (!window_takes(&session->window, counter))
        return LINK_REPLAYED;
    size_t size = message.size - LINK_SEALED_OVERHEAD_BYTES;
    if (!key_open(&session->open, session->cipher, message, counter, buffer_reserve(plain, size + 1)))
        return LINK_FORGED;
    buffer_added(plain, size);
    window_mark(&session->window, counter);
    *opened = (struct link_opened){.plain = buffer_bytes(plain), .session = session->id, .counter = counter};
    return LINK_OPENED;
}

static enum link_result data_receive(struct link_crypto *link, struct bytes message, uint64_t now_ms,
                                     struct buffer *plain, struct link_opened *opened, struct buffer *answer) {
    if (message.size < LINK_SEALED_OVERHEAD_BYTES)
        return LINK_MALFORMED;
    uint64_t id = load_u64(message.data + AT_SESSION);
    struct session *session = id == link->current.id ? &link->current : &link->previous;
    if (id == 0 || id != session->id)
        return unknown_session_answer(link, now_ms, answer);
    enum link_result result = data_open(session, message, plain, opened);
    /* The previous session proves nothing: hellos have to go on until the peer has the newer one. */
    if (result == LINK_OPENED && session == &link->current)
        proven_set(link, now_ms);
    return result;
}

int link_message_nodes(struct bytes message, uint64_t *sender, uint64_t *receiver) {
    if (message.size < LINK_HEADER_BYTES || memcmp(message.data, MAGIC, sizeof(MAGIC)) != 0)
        return STATUS_MALFORMED;
    *sender = load_u64(message.data + AT_SENDER);
    *receiver = load_u64(message.data + AT_RECEIVER);
    return STATUS_OK;
}

enum link_result link_crypto_receive(struct link_crypto *link, struct bytes message, uint64_t now_ms,
                                     struct buffer *plain, struct link_opened *opened, struct buffer *answer) {
    uint64_t sender, receiver;
    plain->size = 0;
    if (link_message_nodes(message, &sender, &receiver) != STATUS_OK || sender != link->peer || receiver != link->self)
        return LINK_MALFORMED;
    switch (message.data[AT_KIND]) {
    case MESSAGE_HELLO:
        return hello_receive(link, message, now_ms, answer);
    case MESSAGE_DATA:
        return data_receive(link, message, now_ms, plain, opened, answer);
    default:
        return LINK_MALFORMED;
    }
}

uint64_t link_crypto_session(const struct link_crypto *link) {
    return link->current.id;
}

uint16_t link_crypto_version(const struct link_crypto *link) {
    return link->current.version;
}

bool link_crypto_is_proven(const struct link_crypto *link) {
    return link->state == LINK_STATE_PROVEN;
}

struct link_versions link_crypto_peer_versions(const struct link_crypto *link) {
    return link->peer_versions;
}
