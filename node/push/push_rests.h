#pragma once
/* Who is left of changes that only some of those asked have taken over, so that the others are not told again. In
 * bounded memory: of what is forgotten here all are told again. One thread's. */
#include "proto/ids.h"

#define PUSH_RESTS_MAX 128

struct push_rest {
    struct id_hash thread;
    uint64_t offset; /* of the change */
    struct id_hash *users;
    size_t count;
};

void push_rest_init(struct push_rest *self, const struct id_hash *thread, uint64_t offset);
void push_rest_close(struct push_rest *self);
void push_rest_add(struct push_rest *self, const struct id_hash *users, size_t count);

struct push_rests {
    struct push_rest items[PUSH_RESTS_MAX];
    size_t next; /* the oldest */
};

/* Takes the rest over. */
void push_rests_keep(struct push_rests *self, struct push_rest *rest);
/* Reduces `users`, all whom the change concerns, to who is left of it, if that is known; it is forgotten here then. */
void push_rests_take(struct push_rests *self, const struct id_hash *thread, uint64_t offset, struct id_hash *users,
                     size_t *count);
void push_rests_close(struct push_rests *self);
