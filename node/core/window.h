#pragma once
/* The end of a range's log in memory: what replicas may still need, oldest first, contiguous. Entries that have left
 * the window are not sent any more; a replica that needs them gets a snapshot. Only a table: it decides nothing. */
#include "proto/buffer.h"

struct window_entry {
    uint64_t epoch;
    uint8_t *command; /* encoded */
    size_t size;
};

struct window {
    struct window_entry *entries; /* a ring */
    size_t first;
    size_t count;
    size_t capacity;
    uint64_t base_index; /* of the entry before the first; 0: the log begins here */
    uint64_t base_epoch;
    size_t bytes; /* of all commands */
};

/* An empty window behind that entry. */
void window_init(struct window *window, uint64_t base_index, uint64_t base_epoch);
void window_close(struct window *window);

uint64_t window_last_index(const struct window *window);
uint64_t window_last_epoch(const struct window *window);

/* The next entry; its bytes are copied. */
void window_append(struct window *window, uint64_t epoch, struct bytes command);
/* The entry at `index`; NULL if it is not in the window. */
const struct window_entry *window_find(const struct window *window, uint64_t index);
/* True and its epoch for an entry of the window, or for the one before its first. */
bool window_epoch_at(const struct window *window, uint64_t index, uint64_t *epoch);

/* Forgets the entries from `index` on. */
void window_truncate(struct window *window, uint64_t index);
/* Forgets the oldest until at most `bytes_max` are left, but none above `index_max`. */
void window_trim(struct window *window, size_t bytes_max, uint64_t index_max);
