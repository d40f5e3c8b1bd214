#pragma once
/* What happens in threads and is not kept, as somebody's typing: told once to the consumers that want it, and lost when
 * that fails, or there is too much of it. */
#include "node/events/consumers.h"
#include "storage/seal.h"

struct store;
struct unkept;

struct unkept_options {
    struct store *store; /* borrowed, as everything here */
    const struct seal_key *master;
    const uint8_t *hash_key;
    struct webhooks *requests;
};

struct unkept *unkept_new(const struct unkept_options *options);
/* What is under way is broken off. */
void unkept_close(struct unkept *self);
void unkept_free(struct unkept *self);

/* Copied. From any thread. */
void unkept_offer(struct unkept *self, const struct change *change);
/* Tells what was offered since the last turn. Delivery's thread only, as the next one. */
void unkept_turn(struct unkept *self, struct consumers *consumers);
/* Consumers were loaded: what is under way follows them, or is broken off. */
void unkept_follow(struct unkept *self, const struct consumers *consumers);
