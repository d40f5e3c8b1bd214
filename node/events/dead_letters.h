#pragma once
/* Events that were given up, for people to look at: a file of JSON lines for each subscription in a folder of the
 * node's data, and one older one; what is older than both is gone. One OS thread
 * adds; others may read meanwhile, and then miss what is being moved. */
#include <jansson.h>

#include "proto/arena.h"

struct dead_letter {
    const json_t *envelope; /* as it would have been sent */
    const char *reason;     /* retry_decision */
    const char *outcome;    /* retry_outcome_name */
    unsigned attempts;
    int64_t happened_ms;
    int64_t last_attempt_ms; /* 0: none was made */
};

struct dead_letters {
    const char *folder;     /* made when missing */
    int64_t file_bytes_max; /* of each of the two files */
};

/* On disk when it returns: all of them, or, when that fails, perhaps some. STATUS_STORAGE_FAILED; `name` is one of a
 * subscription. */
int dead_letters_add(const struct dead_letters *self, struct bytes name, const struct dead_letter *letters,
                     size_t count);

/* The newest ones, at most `count_max`, the oldest of them first: a JSON array, the caller's. A line that is none is
 * left out: a node may have died while it was written. STATUS_STORAGE_FAILED. */
int dead_letters_read(const struct dead_letters *self, struct bytes name, size_t count_max, json_t **letters);

/* Those of a subscription that is gone go, too. */
void dead_letters_remove(const struct dead_letters *self, struct bytes name);
