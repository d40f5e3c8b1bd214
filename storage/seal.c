#include "storage/seal.h"

#include <sodium.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(NONCE_BYTES + TAG_BYTES == SEAL_OVERHEAD_BYTES, "the sealed form is nonce, ciphertext, tag");
_Static_assert(SEAL_OVERHEAD_BYTES + SEAL_KEY_BYTES == WRAPPED_KEY_BYTES, "a wrapped key is a sealed key");

void seal_init(void) {
    check(sodium_init() >= 0);
}

/* The associated data: the table, then the record's key. */
struct place {
    uint8_t bytes[1 + STORE_KEY_BYTES_MAX];
    size_t size;
};

static struct place place_of(enum store_table table, struct bytes record_key) {
    struct place place = {.size = 1 + record_key.size};
    check(record_key.size <= STORE_KEY_BYTES_MAX);
    place.bytes[0] = (uint8_t)table;
    memcpy(place.bytes + 1, record_key.data, record_key.size);
    return place;
}

void seal_record(const struct seal_key *key, enum store_table table, struct bytes record_key, struct bytes plain,
                 struct buffer *out) {
    struct place place = place_of(table, record_key);
    uint8_t *sealed = buffer_reserve(out, plain.size + SEAL_OVERHEAD_BYTES);
    unsigned long long size = 0;
    randombytes_buf(sealed, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, &size, plain.data, plain.size, place.bytes,
                                               place.size, NULL, sealed, key->bytes);
    buffer_added(out, NONCE_BYTES + (size_t)size);
}

int seal_open(const struct seal_key *key, enum store_table table, struct bytes record_key, struct bytes sealed,
              struct arena *arena, struct bytes *plain) {
    if (sealed.size < SEAL_OVERHEAD_BYTES || record_key.size > STORE_KEY_BYTES_MAX)
        return STATUS_RECORD_CORRUPT;
    struct place place = place_of(table, record_key);
    uint8_t *opened = arena_alloc(arena, sealed.size - SEAL_OVERHEAD_BYTES + 1);
    unsigned long long size = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(opened, &size, NULL, sealed.data + NONCE_BYTES,
                                                   sealed.size - NONCE_BYTES, place.bytes, place.size, sealed.data,
                                                   key->bytes) != 0)
        return STATUS_RECORD_CORRUPT;
    *plain = bytes_of(opened, (size_t)size);
    return STATUS_OK;
}

void seal_key_make(const struct seal_key *master, const struct id_hash *subject, uint8_t wrapped[WRAPPED_KEY_BYTES]) {
    struct seal_key key;
    struct buffer sealed;
    struct key row = key_of_row(subject, ROW_KEY);
    randombytes_buf(key.bytes, sizeof(key.bytes));
    buffer_init(&sealed);
    seal_record(master, STORE_STATE, key_bytes(&row), bytes_of(key.bytes, sizeof(key.bytes)), &sealed);
    check(sealed.size == WRAPPED_KEY_BYTES);
    memcpy(wrapped, sealed.data, sealed.size);
    buffer_close(&sealed);
    sodium_memzero(&key, sizeof(key));
}

int seal_key_unwrap(const struct seal_key *master, const struct id_hash *subject, struct bytes wrapped,
                    struct seal_key *key) {
    struct key row = key_of_row(subject, ROW_KEY);
    struct place place = place_of(STORE_STATE, key_bytes(&row));
    unsigned long long size = 0;
    if (wrapped.size != WRAPPED_KEY_BYTES)
        return STATUS_RECORD_CORRUPT;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(key->bytes, &size, NULL, wrapped.data + NONCE_BYTES,
                                                   wrapped.size - NONCE_BYTES, place.bytes, place.size, wrapped.data,
                                                   master->bytes) != 0)
        return STATUS_RECORD_CORRUPT;
    return STATUS_OK;
}

int sealed_put(struct store_transaction *transaction, const struct seal_key *key, enum store_table table,
               struct bytes record_key, struct bytes plain) {
    struct buffer sealed;
    buffer_init(&sealed);
    seal_record(key, table, record_key, plain, &sealed);
    int rc = store_put(transaction, table, record_key, buffer_bytes(&sealed));
    buffer_close(&sealed);
    return rc;
}

int sealed_get(struct store_transaction *transaction, const struct seal_key *key, enum store_table table,
               struct bytes record_key, struct arena *arena, struct bytes *plain) {
    struct bytes sealed;
    int rc = store_get(transaction, table, record_key, &sealed);
    return rc == STATUS_OK ? seal_open(key, table, record_key, sealed, arena, plain) : rc;
}

int subject_key_get(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
                    struct seal_key *key) {
    struct key row = key_of_row(subject, ROW_KEY);
    struct bytes wrapped;
    int rc = store_get(transaction, STORE_STATE, key_bytes(&row), &wrapped);
    return rc == STATUS_OK ? seal_key_unwrap(master, subject, wrapped, key) : rc;
}

int subject_key_find_wrapped(struct store_transaction *transaction, const struct id_hash *subject,
                             struct bytes *wrapped) {
    struct key row = key_of_row(subject, ROW_KEY);
    return store_get(transaction, STORE_STATE, key_bytes(&row), wrapped);
}

int subject_key_put(struct store_transaction *transaction, const struct id_hash *subject, struct bytes wrapped) {
    struct key row = key_of_row(subject, ROW_KEY);
    struct bytes existing;
    int rc = store_get(transaction, STORE_STATE, key_bytes(&row), &existing);
    return rc == STATUS_STORE_MISSING ? store_put(transaction, STORE_STATE, key_bytes(&row), wrapped) : rc;
}

int subject_key_remove(struct store_transaction *transaction, const struct id_hash *subject) {
    struct key row = key_of_row(subject, ROW_KEY);
    int rc = store_remove(transaction, STORE_STATE, key_bytes(&row));
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}
