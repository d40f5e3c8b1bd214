#include "storage/keys.h"

#include "proto/check.h"

bool row_kind_is_under_master(uint8_t kind) {
    return kind == ROW_TOMBSTONE || kind == ROW_HOLD || kind == ROW_EVENT || kind == ROW_EVENT_CURSORS ||
           kind == ROW_EVENT_MEMBER;
}

void number_encode(uint8_t bytes[8], uint64_t number) {
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)(number & 0xff);
        number >>= 8;
    }
}

uint64_t number_decode(const uint8_t bytes[8]) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

struct bytes key_bytes(const struct key *key) {
    return bytes_of(key->data, key->size);
}

static void key_add(struct key *key, const void *data, size_t size) {
    check(key->size + size <= sizeof(key->data));
    memcpy(key->data + key->size, data, size);
    key->size += size;
}

static void key_add_number(struct key *key, uint64_t number) {
    uint8_t bytes[8];
    number_encode(bytes, number);
    key_add(key, bytes, sizeof(bytes));
}

struct key key_of_row(const struct id_hash *subject, enum row_kind kind) {
    struct key key = {.size = 0};
    uint8_t kind_byte = (uint8_t)kind;
    key_add(&key, subject->bytes, sizeof(subject->bytes));
    key_add(&key, &kind_byte, 1);
    return key;
}

struct key key_of_row_hash(const struct id_hash *subject, enum row_kind kind, const struct id_hash *suffix) {
    struct key key = key_of_row(subject, kind);
    key_add(&key, suffix->bytes, sizeof(suffix->bytes));
    return key;
}

struct key key_of_row_number(const struct id_hash *subject, enum row_kind kind, uint64_t suffix) {
    struct key key = key_of_row(subject, kind);
    key_add_number(&key, suffix);
    return key;
}

struct key key_of_request_id(const struct id_hash *subject, uint64_t bucket, const struct id_hash *suffix) {
    struct key key = key_of_row_number(subject, ROW_REQUEST_ID, bucket);
    key_add(&key, suffix->bytes, sizeof(suffix->bytes));
    return key;
}

struct key key_of_outbox(const struct id_hash *subject, uint64_t number) {
    struct key key = {.size = 0};
    key_add(&key, subject->bytes, sizeof(subject->bytes));
    key_add_number(&key, number);
    return key;
}

struct key key_of_log(uint64_t number) {
    struct key key = {.size = 0};
    key_add_number(&key, number);
    return key;
}

struct key key_of_range_marks(uint32_t range) {
    struct key key = {.size = 0};
    key_add(&key, "range", 5);
    key_add_number(&key, range);
    return key;
}

struct key key_of_range_bounds(uint32_t range) {
    struct key key = {.size = 0};
    key_add(&key, "bounds", 6);
    key_add_number(&key, range);
    return key;
}

struct key key_of_waiting_key(const struct id_hash *subject) {
    struct key key = {.size = 0};
    key_add(&key, "key", 3);
    key_add(&key, subject->bytes, sizeof(subject->bytes));
    return key;
}

bool key_is_of_subject(struct bytes key, const struct id_hash *subject) {
    return key.size > sizeof(subject->bytes) && memcmp(key.data, subject->bytes, sizeof(subject->bytes)) == 0;
}

bool key_is_of_row(struct bytes key, const struct id_hash *subject, enum row_kind kind) {
    return key_is_of_subject(key, subject) && key.data[sizeof(subject->bytes)] == (uint8_t)kind;
}

struct id_hash key_subject(struct bytes key) {
    struct id_hash hash;
    check(key.size >= sizeof(hash.bytes));
    memcpy(hash.bytes, key.data, sizeof(hash.bytes));
    return hash;
}

uint8_t key_row_kind(struct bytes key) {
    check(key.size > sizeof(struct id_hash));
    return key.data[sizeof(struct id_hash)];
}

uint64_t key_suffix_number(struct bytes key) {
    check(key.size >= 8);
    return number_decode(key.data + key.size - 8);
}

struct id_hash key_suffix_hash(struct bytes key) {
    struct id_hash hash;
    check(key.size >= sizeof(hash.bytes));
    memcpy(hash.bytes, key.data + key.size - sizeof(hash.bytes), sizeof(hash.bytes));
    return hash;
}
