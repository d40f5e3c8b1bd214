#include "proto/join.h"

#include <sodium.h>

#include "proto/check.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

#define KDF_CONTEXT "weftjoin"
#define SALT_TEXT "weft: a node asks to join, version 1"
#define FINGERPRINT_TEXT "weft: which cluster a node belongs to"

_Static_assert(sizeof(KDF_CONTEXT) - 1 == crypto_kdf_CONTEXTBYTES, "libsodium wants it that long");
_Static_assert(JOIN_KEY_BYTES == crypto_scalarmult_BYTES && JOIN_KEY_BYTES == crypto_scalarmult_SCALARBYTES,
               "keys are those of X25519");
_Static_assert(JOIN_KEY_BYTES == crypto_kdf_KEYBYTES && JOIN_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "and keys of hashes and seals are as long");

/* ---- keys ---- */

enum subkey { SUBKEY_PROOF = 1, SUBKEY_SEAL = 2 };

int join_keys_derive(struct bytes secret, struct join_keys *keys) {
    uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t root[JOIN_KEY_BYTES];
    /* Who asks knows nothing of the cluster yet, so the salt cannot be the cluster's. */
    check(crypto_generichash(salt, sizeof(salt), (const uint8_t *)SALT_TEXT, sizeof(SALT_TEXT) - 1, NULL, 0) == 0);
    if (crypto_pwhash(root, sizeof(root), (const char *)secret.data, secret.size, salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return STATUS_INTERNAL_ERROR;
    check(crypto_kdf_derive_from_key(keys->proof, sizeof(keys->proof), SUBKEY_PROOF, KDF_CONTEXT, root) == 0);
    check(crypto_kdf_derive_from_key(keys->seal, sizeof(keys->seal), SUBKEY_SEAL, KDF_CONTEXT, root) == 0);
    sodium_memzero(root, sizeof(root));
    return STATUS_OK;
}

void join_fingerprint(const uint8_t master_key[JOIN_KEY_BYTES], uint8_t fingerprint[JOIN_FINGERPRINT_BYTES]) {
    check(crypto_generichash(fingerprint, JOIN_FINGERPRINT_BYTES, (const uint8_t *)FINGERPRINT_TEXT,
                             sizeof(FINGERPRINT_TEXT) - 1, master_key, JOIN_KEY_BYTES) == 0);
}

/* ---- messages ---- */

/* Every message as it is written. */
struct wire {
    uint32_t kind;
    uint32_t version;
    struct bytes challenge;
    struct bytes public_key;
    struct bytes proof;
    struct bytes sealed;
};

static const struct codec_field WIRE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct wire, kind),        CODEC_MEMBER(2, CODEC_U32, struct wire, version),
    CODEC_MEMBER(3, CODEC_BYTES, struct wire, challenge), CODEC_MEMBER(4, CODEC_BYTES, struct wire, public_key),
    CODEC_MEMBER(5, CODEC_BYTES, struct wire, proof),     CODEC_MEMBER(6, CODEC_BYTES, struct wire, sealed),
};
static const struct codec_table WIRE_TABLE = CODEC_TABLE(struct wire, WIRE_FIELDS);

static int wire_decode(struct bytes encoded, struct wire *wire) {
    struct arena arena;
    arena_init(&arena);
    int rc = codec_decode(&WIRE_TABLE, encoded, &arena, wire);
    arena_close(&arena);
    return rc;
}

static bool fixed_take(struct bytes from, uint8_t *to, size_t size) {
    if (from.size != size)
        return false;
    memcpy(to, from.data, size);
    return true;
}

void join_hello_encode(struct buffer *out) {
    struct wire wire = {.kind = JOIN_HELLO, .version = JOIN_VERSION};
    codec_encode(&WIRE_TABLE, &wire, out);
}

void join_challenge_encode(const uint8_t challenge[JOIN_CHALLENGE_BYTES], struct buffer *out) {
    struct wire wire = {.kind = JOIN_CHALLENGE, .challenge = bytes_of(challenge, JOIN_CHALLENGE_BYTES)};
    codec_encode(&WIRE_TABLE, &wire, out);
}

int join_challenge_decode(struct bytes encoded, uint8_t challenge[JOIN_CHALLENGE_BYTES]) {
    struct wire wire;
    if (wire_decode(encoded, &wire) != STATUS_OK || wire.kind != JOIN_CHALLENGE)
        return STATUS_MALFORMED;
    return fixed_take(wire.challenge, challenge, JOIN_CHALLENGE_BYTES) ? STATUS_OK : STATUS_MALFORMED;
}

static void number_hash(crypto_generichash_state *hash, uint32_t number) {
    uint8_t bytes[4];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
    crypto_generichash_update(hash, bytes, sizeof(bytes));
}

/* All of the question but its proof. */
static void question_hash(crypto_generichash_state *hash, const struct join_request *question) {
    number_hash(hash, question->kind);
    number_hash(hash, question->version);
    crypto_generichash_update(hash, question->challenge, sizeof(question->challenge));
    crypto_generichash_update(hash, question->public_key, sizeof(question->public_key));
}

static void proof_make(const struct join_request *question, const struct join_keys *keys,
                       uint8_t proof[JOIN_PROOF_BYTES]) {
    crypto_generichash_state hash;
    check(crypto_generichash_init(&hash, keys->proof, sizeof(keys->proof), JOIN_PROOF_BYTES) == 0);
    question_hash(&hash, question);
    check(crypto_generichash_final(&hash, proof, JOIN_PROOF_BYTES) == 0);
}

void join_question_make(const struct join_keys *keys, const uint8_t challenge[JOIN_CHALLENGE_BYTES],
                        const uint8_t secret_key[JOIN_KEY_BYTES], struct join_request *question) {
    *question = (struct join_request){.kind = JOIN_QUESTION, .version = JOIN_VERSION};
    memcpy(question->challenge, challenge, sizeof(question->challenge));
    check(crypto_scalarmult_base(question->public_key, secret_key) == 0);
    proof_make(question, keys, question->proof);
}

void join_question_encode(const struct join_request *question, struct buffer *out) {
    struct wire wire = {.kind = question->kind,
                        .version = question->version,
                        .challenge = bytes_of(question->challenge, sizeof(question->challenge)),
                        .public_key = bytes_of(question->public_key, sizeof(question->public_key)),
                        .proof = bytes_of(question->proof, sizeof(question->proof))};
    codec_encode(&WIRE_TABLE, &wire, out);
}

int join_request_decode(struct bytes encoded, struct join_request *request) {
    struct wire wire;
    *request = (struct join_request){.kind = JOIN_HELLO};
    if (encoded.size > JOIN_REQUEST_BYTES_MAX || wire_decode(encoded, &wire) != STATUS_OK)
        return STATUS_MALFORMED;
    if (wire.kind != JOIN_HELLO && wire.kind != JOIN_QUESTION)
        return STATUS_MALFORMED;
    if (wire.version != JOIN_VERSION)
        return STATUS_NOT_IMPLEMENTED;
    request->kind = (enum join_kind)wire.kind;
    request->version = wire.version;
    if (wire.kind == JOIN_HELLO)
        return STATUS_OK;
    bool is_whole = fixed_take(wire.challenge, request->challenge, sizeof(request->challenge)) &&
                    fixed_take(wire.public_key, request->public_key, sizeof(request->public_key)) &&
                    fixed_take(wire.proof, request->proof, sizeof(request->proof));
    return is_whole ? STATUS_OK : STATUS_MALFORMED;
}

bool join_question_is_proven(const struct join_request *question, const struct join_keys *keys) {
    uint8_t proof[JOIN_PROOF_BYTES];
    proof_make(question, keys, proof);
    return sodium_memcmp(proof, question->proof, sizeof(proof)) == 0;
}

/* ---- facts ---- */

struct facts_wire {
    struct bytes cluster_name;
    struct bytes etcd_endpoints, etcd_user, etcd_password;
    struct bytes etcd_ca, etcd_cert, etcd_key;
    struct bytes tls_ca, tls_ca_key;
    struct bytes node_name;
    struct bytes peer_address;
    uint32_t replication_factor, min_in_sync;
    struct bytes fingerprint;
};

static const struct codec_field FACTS_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct facts_wire, cluster_name),
    CODEC_MEMBER(2, CODEC_BYTES, struct facts_wire, etcd_endpoints),
    CODEC_MEMBER(3, CODEC_BYTES, struct facts_wire, etcd_user),
    CODEC_MEMBER(4, CODEC_BYTES, struct facts_wire, etcd_password),
    CODEC_MEMBER(5, CODEC_BYTES, struct facts_wire, etcd_ca),
    CODEC_MEMBER(6, CODEC_BYTES, struct facts_wire, etcd_cert),
    CODEC_MEMBER(7, CODEC_BYTES, struct facts_wire, etcd_key),
    CODEC_MEMBER(8, CODEC_BYTES, struct facts_wire, tls_ca),
    CODEC_MEMBER(9, CODEC_BYTES, struct facts_wire, tls_ca_key),
    CODEC_MEMBER(10, CODEC_BYTES, struct facts_wire, node_name),
    CODEC_MEMBER(11, CODEC_BYTES, struct facts_wire, peer_address),
    CODEC_MEMBER(12, CODEC_U32, struct facts_wire, replication_factor),
    CODEC_MEMBER(13, CODEC_U32, struct facts_wire, min_in_sync),
    CODEC_MEMBER(14, CODEC_BYTES, struct facts_wire, fingerprint),
};
static const struct codec_table FACTS_TABLE = CODEC_TABLE(struct facts_wire, FACTS_FIELDS);

void join_facts_encode(const struct join_facts *facts, struct buffer *out) {
    struct facts_wire wire = {.cluster_name = facts->cluster_name,
                              .etcd_endpoints = facts->etcd_endpoints,
                              .etcd_user = facts->etcd_user,
                              .etcd_password = facts->etcd_password,
                              .etcd_ca = facts->etcd_ca,
                              .etcd_cert = facts->etcd_cert,
                              .etcd_key = facts->etcd_key,
                              .tls_ca = facts->tls_ca,
                              .tls_ca_key = facts->tls_ca_key,
                              .node_name = facts->node_name,
                              .peer_address = facts->peer_address,
                              .replication_factor = facts->replication_factor,
                              .min_in_sync = facts->min_in_sync,
                              .fingerprint = bytes_of(facts->fingerprint, sizeof(facts->fingerprint))};
    codec_encode(&FACTS_TABLE, &wire, out);
}

/* An absent one is empty. */
static bool text_take(struct bytes from, struct bytes *text) {
    *text = bytes_is_present(from) ? from : BYTES_LITERAL("");
    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] < ' ' || text->data[i] == 0x7f)
            return false;
    return text->size <= JOIN_TEXT_BYTES_MAX;
}

static bool file_take(struct bytes from, struct bytes *file) {
    *file = bytes_is_present(from) ? from : BYTES_LITERAL("");
    return file->size <= JOIN_FILE_BYTES_MAX && (file->size == 0 || memchr(file->data, '\0', file->size) == NULL);
}

static bool texts_take(const struct facts_wire *wire, struct join_facts *facts) {
    return text_take(wire->cluster_name, &facts->cluster_name) &&
           text_take(wire->etcd_endpoints, &facts->etcd_endpoints) && text_take(wire->etcd_user, &facts->etcd_user) &&
           text_take(wire->etcd_password, &facts->etcd_password) && text_take(wire->node_name, &facts->node_name) &&
           text_take(wire->peer_address, &facts->peer_address);
}

static bool files_take(const struct facts_wire *wire, struct join_facts *facts) {
    return file_take(wire->etcd_ca, &facts->etcd_ca) && file_take(wire->etcd_cert, &facts->etcd_cert) &&
           file_take(wire->etcd_key, &facts->etcd_key) && file_take(wire->tls_ca, &facts->tls_ca) &&
           file_take(wire->tls_ca_key, &facts->tls_ca_key);
}

int join_facts_decode(struct bytes encoded, struct arena *arena, struct join_facts *facts) {
    struct facts_wire wire;
    *facts = (struct join_facts){0};
    if (codec_decode(&FACTS_TABLE, encoded, arena, &wire) != STATUS_OK)
        return STATUS_MALFORMED;
    facts->replication_factor = wire.replication_factor;
    facts->min_in_sync = wire.min_in_sync;
    bool is_whole = texts_take(&wire, facts) && files_take(&wire, facts) &&
                    fixed_take(wire.fingerprint, facts->fingerprint, sizeof(facts->fingerprint));
    bool is_enough = facts->cluster_name.size > 0 && facts->etcd_endpoints.size > 0 && facts->peer_address.size > 0;
    return is_whole && is_enough ? STATUS_OK : STATUS_MALFORMED;
}

/* ---- answers ---- */

/* The key is used once, so its nonce may be nothing. */
static const uint8_t NONCE[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

/* False: `other_key` is none that could be agreed with. */
static bool answer_key_make(const struct join_request *question, const struct join_keys *keys,
                            const uint8_t answer_public_key[JOIN_KEY_BYTES], const uint8_t own_secret[JOIN_KEY_BYTES],
                            const uint8_t other_key[JOIN_KEY_BYTES], uint8_t key[JOIN_KEY_BYTES]) {
    crypto_generichash_state hash;
    uint8_t shared[crypto_scalarmult_BYTES];
    if (crypto_scalarmult(shared, own_secret, other_key) != 0)
        return false;
    check(crypto_generichash_init(&hash, keys->seal, sizeof(keys->seal), JOIN_KEY_BYTES) == 0);
    crypto_generichash_update(&hash, shared, sizeof(shared));
    question_hash(&hash, question);
    crypto_generichash_update(&hash, question->proof, sizeof(question->proof));
    crypto_generichash_update(&hash, answer_public_key, JOIN_KEY_BYTES);
    check(crypto_generichash_final(&hash, key, JOIN_KEY_BYTES) == 0);
    sodium_memzero(shared, sizeof(shared));
    sodium_memzero(&hash, sizeof(hash));
    return true;
}

static void facts_seal(const struct join_facts *facts, const uint8_t key[JOIN_KEY_BYTES], struct buffer *sealed) {
    struct buffer plain;
    buffer_init(&plain);
    join_facts_encode(facts, &plain);
    uint8_t *at = buffer_reserve(sealed, plain.size + TAG_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, plain.data, plain.size, NULL, 0, NULL, NONCE, key);
    buffer_added(sealed, plain.size + TAG_BYTES);
    sodium_memzero(plain.data, plain.size);
    buffer_close(&plain);
}

int join_answer_encode(const struct join_request *question, const struct join_keys *keys,
                       const uint8_t secret_key[JOIN_KEY_BYTES], const struct join_facts *facts, struct buffer *out) {
    uint8_t public_key[JOIN_KEY_BYTES];
    uint8_t key[JOIN_KEY_BYTES];
    struct buffer sealed;
    check(crypto_scalarmult_base(public_key, secret_key) == 0);
    if (!answer_key_make(question, keys, public_key, secret_key, question->public_key, key))
        return STATUS_MALFORMED;
    buffer_init(&sealed);
    facts_seal(facts, key, &sealed);
    sodium_memzero(key, sizeof(key));
    struct wire wire = {
        .kind = JOIN_ANSWER, .public_key = bytes_of(public_key, sizeof(public_key)), .sealed = buffer_bytes(&sealed)};
    codec_encode(&WIRE_TABLE, &wire, out);
    buffer_close(&sealed);
    return STATUS_OK;
}

static int facts_open(struct bytes sealed, const uint8_t key[JOIN_KEY_BYTES], struct arena *arena,
                      struct join_facts *facts) {
    uint8_t *plain = arena_alloc(arena, sealed.size);
    if (sealed.size < TAG_BYTES || crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed.data,
                                                                              sealed.size, NULL, 0, NONCE, key) != 0)
        return STATUS_FORBIDDEN;
    return join_facts_decode(bytes_of(plain, sealed.size - TAG_BYTES), arena, facts);
}

int join_answer_open(struct bytes encoded, const struct join_request *question, const struct join_keys *keys,
                     const uint8_t secret_key[JOIN_KEY_BYTES], struct arena *arena, struct join_facts *facts) {
    struct wire wire;
    uint8_t public_key[JOIN_KEY_BYTES];
    uint8_t key[JOIN_KEY_BYTES];
    if (encoded.size > JOIN_ANSWER_BYTES_MAX || wire_decode(encoded, &wire) != STATUS_OK || wire.kind != JOIN_ANSWER)
        return STATUS_MALFORMED;
    if (!fixed_take(wire.public_key, public_key, sizeof(public_key)) ||
        !answer_key_make(question, keys, public_key, secret_key, public_key, key))
        return STATUS_MALFORMED;
    int rc = facts_open(wire.sealed, key, arena, facts);
    sodium_memzero(key, sizeof(key));
    return rc;
}
