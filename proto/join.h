#pragma once
/* How a new node that knows only an address and the cluster's secret asks the node there for the rest. Used by
 * node/joining.c, which asks, and node/join_host.c, which answers. No I/O, no clock, no chance: challenges and secret
 * keys come in. Each message is MessagePack; TLS around it hides who asks, but is not relied upon, as the new node
 * knows no certificate yet.
 *
 *   new node                                                     node of the cluster
 *     hello     version                                    ──▶
 *                                                          ◀──   challenge   good for one question, and not for long
 *     question  version, challenge, X25519 key, proof      ──▶
 *                                                          ◀──   answer      X25519 key, sealed facts
 *
 * The proof is a keyed hash of the rest of the question. The facts are sealed under a key of both X25519 keys' common
 * secret, the cluster's secret and the whole question: only who asked can open them, and only this once, even if the
 * secret becomes known later. Whoever opens them knows that they answer this question and come from somebody who has
 * the secret. Proof and seal have keys of their own, so that no message can be returned as another one. */
#include "proto/arena.h"
#include "proto/buffer.h"

#define JOIN_VERSION 1
#define JOIN_KEY_BYTES 32
#define JOIN_CHALLENGE_BYTES 40
#define JOIN_PROOF_BYTES 32
#define JOIN_FINGERPRINT_BYTES 16
#define JOIN_REQUEST_BYTES_MAX 256         /* a question has some 120 */
#define JOIN_TEXT_BYTES_MAX 255            /* as the configuration's */
#define JOIN_FILE_BYTES_MAX (32 * 1024)    /* a chain of certificates has some 2 KB for each */
#define JOIN_ANSWER_BYTES_MAX (192 * 1024) /* five files, six texts and what is around them */

/* What both sides make of the cluster's secret for this purpose alone. */
struct join_keys {
    uint8_t proof[JOIN_KEY_BYTES];
    uint8_t seal[JOIN_KEY_BYTES];
};
/* Argon2id: 64 MB, some 0.1 s. STATUS_INTERNAL_ERROR: there is not that much memory. */
int join_keys_derive(struct bytes secret, struct join_keys *keys);

/* What a new node needs. Texts without control characters, files as PEM; empty: there is none. */
struct join_facts {
    struct bytes cluster_name;
    struct bytes etcd_endpoints, etcd_user, etcd_password;
    struct bytes etcd_ca, etcd_cert, etcd_key; /* files */
    struct bytes tls_ca, tls_ca_key; /* files: the authority that the cluster's nodes have made for themselves */
    struct bytes node_name;          /* who answers */
    struct bytes peer_address;       /* host:port where the other nodes reach it */
    uint32_t replication_factor, min_in_sync;    /* as configured; 0: by default */
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES]; /* of the cluster's master key */
};
/* Tells clusters apart without telling anything of the key. */
void join_fingerprint(const uint8_t master_key[JOIN_KEY_BYTES], uint8_t fingerprint[JOIN_FINGERPRINT_BYTES]);

enum join_kind { JOIN_HELLO = 1, JOIN_CHALLENGE, JOIN_QUESTION, JOIN_ANSWER };

/* A hello or a question. */
struct join_request {
    enum join_kind kind;
    uint32_t version;
    uint8_t challenge[JOIN_CHALLENGE_BYTES]; /* the rest of a question */
    uint8_t public_key[JOIN_KEY_BYTES];
    uint8_t proof[JOIN_PROOF_BYTES];
};

void join_hello_encode(struct buffer *out);
void join_challenge_encode(const uint8_t challenge[JOIN_CHALLENGE_BYTES], struct buffer *out);
/* `secret_key`: of chance, used for this question only. */
void join_question_make(const struct join_keys *keys, const uint8_t challenge[JOIN_CHALLENGE_BYTES],
                        const uint8_t secret_key[JOIN_KEY_BYTES], struct join_request *question);
void join_question_encode(const struct join_request *question, struct buffer *out);

/* STATUS_MALFORMED; STATUS_NOT_IMPLEMENTED: of a version that this node does not speak. */
int join_request_decode(struct bytes encoded, struct join_request *request);
int join_challenge_decode(struct bytes encoded, uint8_t challenge[JOIN_CHALLENGE_BYTES]);

/* Whether the question was made with these keys. In constant time. */
bool join_question_is_proven(const struct join_request *question, const struct join_keys *keys);

/* Answers a proven question; `secret_key`: of chance, used for this answer only. STATUS_MALFORMED: the question's key
 * is none. */
int join_answer_encode(const struct join_request *question, const struct join_keys *keys,
                       const uint8_t secret_key[JOIN_KEY_BYTES], const struct join_facts *facts, struct buffer *out);
/* The facts are in the arena. `secret_key`: the question's. STATUS_MALFORMED; STATUS_FORBIDDEN: it was not made with
 * these keys, or answers another question. */
int join_answer_open(struct bytes encoded, const struct join_request *question, const struct join_keys *keys,
                     const uint8_t secret_key[JOIN_KEY_BYTES], struct arena *arena, struct join_facts *facts);

/* The facts alone, as they are before they are sealed. STATUS_MALFORMED, also when one that must be there is not, or
 * one is too long; the results borrow from `encoded`. */
void join_facts_encode(const struct join_facts *facts, struct buffer *out);
int join_facts_decode(struct bytes encoded, struct arena *arena, struct join_facts *facts);
