#include "node/gateway/presence.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct item {
    UT_hash_handle hh;
    struct id_hash user;
    size_t count;
};

struct presence {
    pthread_mutex_t mutex;
    struct item *items;
};

struct presence *presence_new(void) {
    struct presence *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    return self;
}

static void item_remove(struct presence *self, struct item *item) {
    HASH_DEL(self->items, item);
    free(item);
}

void presence_free(struct presence *self) {
    while (self->items != NULL)
        item_remove(self, self->items);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static struct item *item_find(struct presence *self, const struct id_hash *user) {
    struct item *item = NULL;
    HASH_FIND(hh, self->items, user, sizeof(*user), item);
    return item;
}

static struct item *item_add(struct presence *self, const struct id_hash *user) {
    struct item *item = calloc(1, sizeof(*item));
    check(item != NULL);
    item->user = *user;
    HASH_ADD(hh, self->items, user, sizeof(item->user), item);
    return item;
}

void presence_come(struct presence *self, const struct id_hash *user) {
    pthread_mutex_lock(&self->mutex);
    struct item *item = item_find(self, user);
    if (item == NULL)
        item = item_add(self, user);
    item->count++;
    pthread_mutex_unlock(&self->mutex);
}

void presence_go(struct presence *self, const struct id_hash *user) {
    pthread_mutex_lock(&self->mutex);
    struct item *item = item_find(self, user);
    check(item != NULL);
    if (--item->count == 0)
        item_remove(self, item);
    pthread_mutex_unlock(&self->mutex);
}

bool presence_has(struct presence *self, const struct id_hash *user) {
    pthread_mutex_lock(&self->mutex);
    bool is_there = item_find(self, user) != NULL;
    pthread_mutex_unlock(&self->mutex);
    return is_there;
}
