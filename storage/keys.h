#pragma once
/* One encoder per kind of row; the order of bytes is the order of meaning. Every key of the state table is
 *   subject's hash (16) | kind of row (1) | suffix
 * so a thread or user is one run of keys, and a range, being an interval of hash positions, is one run as well: moving
 * it is one scan, and splitting it copies nothing. Numbers are big-endian. */
#include "proto/ids.h"
#include "storage/store.h"

enum row_kind {
    ROW_KEY = 'K',            /* the subject's data key, wrapped by the master key */
    ROW_TOMBSTONE = 'X',      /* a thread that was deleted */
    ROW_HOLD = 'H',           /* a thread of which nothing may be removed, deleted or not */
    ROW_THREAD = 'T',         /* properties of a thread */
    ROW_PARTICIPANT = 'P',    /* | user's hash */
    ROW_MESSAGE = 'M',        /* | offset */
    ROW_MESSAGE_OFFSET = 'I', /* | message id: where it lies now */
    ROW_COUNTERS = 'J',       /* what changes with every message: behind the newest index row, so on the same page */
    ROW_CLIENT_ID = 'c',      /* | hash of author and client message id: the message it made */
    ROW_REQUEST_ID = 'D',     /* | bucket of time (8) | hash of author and request id */
    ROW_RECEIPT = 'R',        /* | user's hash */
    ROW_IMPORT = 'i',         /* of a thread that was imported: the room for its messages */
    ROW_USER = 'U',           /* a user's record */
    ROW_MEMBERSHIP = 'L',     /* | thread's hash: an item of a user's list of threads */
    ROW_PUSH = 'N',           /* | registration's hash: a device of a user */
    ROW_EVENT = 'E',          /* | offset: a change that somebody outside wants */
    ROW_EVENT_CURSORS = 'e',  /* how far who wants them has come */
    ROW_EVENT_MEMBER = 'm'    /* | user's hash: who was in a deleted thread whose events are not all delivered */
};

/* Sealed under the master key, as it outlives the data key of its subject. */
bool row_kind_is_under_master(uint8_t kind);

struct key {
    uint8_t data[STORE_KEY_BYTES_MAX];
    size_t size;
};

struct bytes key_bytes(const struct key *key);

struct key key_of_row(const struct id_hash *subject, enum row_kind kind);
struct key key_of_row_hash(const struct id_hash *subject, enum row_kind kind, const struct id_hash *suffix);
struct key key_of_row_number(const struct id_hash *subject, enum row_kind kind, uint64_t suffix);
struct key key_of_request_id(const struct id_hash *subject, uint64_t bucket, const struct id_hash *suffix);

/* Outbox rows: subject's hash | number. Log rows: number. Marks: "range" | range id. Bounds: "bounds" | range id. Keys
 * of creations that are not applied yet: "key" | subject's hash. */
struct key key_of_outbox(const struct id_hash *subject, uint64_t number);
struct key key_of_log(uint64_t number);
struct key key_of_range_marks(uint32_t range);
struct key key_of_range_bounds(uint32_t range);
struct key key_of_waiting_key(const struct id_hash *subject);

/* True when `key` starts with the subject's hash and, for the second form, the kind of row. */
bool key_is_of_subject(struct bytes key, const struct id_hash *subject);
bool key_is_of_row(struct bytes key, const struct id_hash *subject, enum row_kind kind);

/* The parts of a state or outbox key; the key must be long enough. */
struct id_hash key_subject(struct bytes key);
uint8_t key_row_kind(struct bytes key);
/* The last eight bytes as a number, the last sixteen as a hash. */
uint64_t key_suffix_number(struct bytes key);
struct id_hash key_suffix_hash(struct bytes key);

void number_encode(uint8_t bytes[8], uint64_t number);
uint64_t number_decode(const uint8_t bytes[8]);
