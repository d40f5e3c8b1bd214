#include "node/push/push_rests.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

void push_rest_init(struct push_rest *self, const struct id_hash *thread, uint64_t offset) {
    *self = (struct push_rest){.thread = *thread, .offset = offset};
}

void push_rest_close(struct push_rest *self) {
    free(self->users);
    *self = (struct push_rest){0};
}

void push_rest_add(struct push_rest *self, const struct id_hash *users, size_t count) {
    if (count == 0)
        return;
    self->users = realloc(self->users, (self->count + count) * sizeof(*users));
    check(self->users != NULL);
    memcpy(&self->users[self->count], users, count * sizeof(*users));
    self->count += count;
}

void push_rests_keep(struct push_rests *self, struct push_rest *rest) {
    struct push_rest *place = &self->items[self->next];
    self->next = (self->next + 1) % PUSH_RESTS_MAX;
    push_rest_close(place);
    *place = *rest;
    *rest = (struct push_rest){0};
}

static struct push_rest *find(struct push_rests *self, const struct id_hash *thread, uint64_t offset) {
    for (size_t i = 0; i < PUSH_RESTS_MAX; i++) {
        struct push_rest *rest = &self->items[i];
        if (rest->count > 0 && rest->offset == offset && id_hash_equal(&rest->thread, thread))
            return rest;
    }
    return NULL;
}

void push_rests_take(struct push_rests *self, const struct id_hash *thread, uint64_t offset, struct id_hash *users,
                     size_t *count) {
    struct push_rest *rest = find(self, thread, offset);
    if (rest == NULL || rest->count > *count)
        return;
    memcpy(users, rest->users, rest->count * sizeof(*users));
    *count = rest->count;
    push_rest_close(rest);
}

void push_rests_close(struct push_rests *self) {
    for (size_t i = 0; i < PUSH_RESTS_MAX; i++)
        push_rest_close(&self->items[i]);
}
