#pragma once
/* Small files of the data folder that only their owner may read: keys, and what tools need to reach the node. */
#include "proto/bytes.h"
#include "storage/seal.h"

#define SECRET_KEY_BYTES 32

/* A file that holds one key, and what is said when it does not. */
struct secret_key_file {
    const char *name;
    const char *not_opened, *not_private, *not_a_key, *not_written;
};

#define SECRET_KEY_FILE(name_)                                                                                         \
    {                                                                                                                  \
        .name = (name_), .not_opened = name_ " cannot be opened",                                                      \
        .not_private = name_ " may be read by others; give it mode 0600",                                              \
        .not_a_key = name_ " does not hold 64 hexadecimal digits", .not_written = name_ " cannot be written"           \
    }

/* Reads a key (64 hexadecimal digits), or makes the file with a new one, mode 0600, synced. STATUS_CONFLICT:
 * the file is there but holds no key, or others may read it; STATUS_STORAGE_FAILED otherwise. `reason` says what. */
int secret_key_load(const char *folder, const struct secret_key_file *file, uint8_t key[SECRET_KEY_BYTES],
                    const char **reason);

/* The same for the file of the master key. */
int master_key_load(const char *folder, struct seal_key *key, const char **reason);

/* Replaces folder/name by `content` and a line end, mode 0600, all or nothing; nothing is written
 * when it is so already. STATUS_STORAGE_FAILED. */
int secret_file_write(const char *folder, const char *name, struct bytes content);
