#pragma once
/* Records are sealed with XChaCha20-Poly1305 (libsodium) under the data key of their thread or user, the table and the
 * record's key as associated data: a flipped bit or a record in another's place does not open. Data keys are wrapped by
 * the master key; removing the wrapped key shreds everything under it. Sealed form: nonce (24) | ciphertext | tag (16).
 */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/command.h"
#include "proto/ids.h"
#include "storage/store.h"

#define SEAL_KEY_BYTES 32
#define SEAL_OVERHEAD_BYTES 40

struct seal_key {
    uint8_t bytes[SEAL_KEY_BYTES];
};

/* Call once before anything else here. */
void seal_init(void);

/* A new data key of chance, wrapped for `subject` only. */
void seal_key_make(const struct seal_key *master, const struct id_hash *subject, uint8_t wrapped[WRAPPED_KEY_BYTES]);
/* STATUS_RECORD_CORRUPT: not wrapped by this master key for this subject. */
int seal_key_unwrap(const struct seal_key *master, const struct id_hash *subject, struct bytes wrapped,
                    struct seal_key *key);

/* Appends the sealed form to `out`. */
void seal_record(const struct seal_key *key, enum store_table table, struct bytes record_key, struct bytes plain,
                 struct buffer *out);
/* STATUS_RECORD_CORRUPT. `plain` is in the arena. */
int seal_open(const struct seal_key *key, enum store_table table, struct bytes record_key, struct bytes sealed,
              struct arena *arena, struct bytes *plain);

/* Put and get of sealed rows. get: STATUS_STORE_MISSING, STATUS_RECORD_CORRUPT, or what the store says. */
int sealed_put(struct store_transaction *transaction, const struct seal_key *key, enum store_table table,
               struct bytes record_key, struct bytes plain);
int sealed_get(struct store_transaction *transaction, const struct seal_key *key, enum store_table table,
               struct bytes record_key, struct arena *arena, struct bytes *plain);

/* The data key of a subject, from its ROW_KEY. STATUS_STORE_MISSING: there is no such subject, or it was shredded. */
int subject_key_get(struct store_transaction *transaction, const struct seal_key *master, const struct id_hash *subject,
                    struct seal_key *key);
/* The same as it is stored, borrowed from the store. */
int subject_key_find_wrapped(struct store_transaction *transaction, const struct id_hash *subject,
                             struct bytes *wrapped);
/* Makes `wrapped` the subject's data key unless it has one. */
int subject_key_put(struct store_transaction *transaction, const struct id_hash *subject, struct bytes wrapped);
/* Shreds: nothing sealed under the subject's key can be opened again. Missing is fine. */
int subject_key_remove(struct store_transaction *transaction, const struct id_hash *subject);
