#include "node/bots/bot_roster.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "proto/check.h"

struct bot_roster {
    pthread_mutex_t mutex;
    struct arena arena;
    struct bot *bots;
    size_t count;
};

struct bot_roster *bot_roster_new(void) {
    struct bot_roster *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    arena_init(&self->arena);
    return self;
}

void bot_roster_free(struct bot_roster *self) {
    arena_close(&self->arena);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void bot_roster_set(struct bot_roster *self, const struct bot *bots, size_t count) {
    pthread_mutex_lock(&self->mutex);
    arena_reset(&self->arena);
    self->bots = ARENA_NEW_ARRAY(&self->arena, struct bot, count);
    self->count = count;
    for (size_t i = 0; i < count; i++) {
        self->bots[i] = bots[i];
        self->bots[i].name = arena_copy(&self->arena, bots[i].name);
        self->bots[i].user_id = arena_copy(&self->arena, bots[i].user_id);
    }
    pthread_mutex_unlock(&self->mutex);
}

static bool is_secret_of(const struct bot *bot, const struct event_secret *secret) {
    return bot->secret.size == secret->size && sodium_memcmp(bot->secret.bytes, secret->bytes, secret->size) == 0;
}

bool bot_roster_admit(struct bot_roster *self, struct bytes name, struct bytes secret_text, struct arena *arena,
                      struct bytes *user_id) {
    struct event_secret secret;
    bool is_admitted = false;
    if (!event_secret_parse(secret_text, &secret))
        return false;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < self->count && !is_admitted; i++) {
        is_admitted = bytes_equal(self->bots[i].name, name) && is_secret_of(&self->bots[i], &secret);
        if (is_admitted)
            *user_id = arena_copy(arena, self->bots[i].user_id);
    }
    pthread_mutex_unlock(&self->mutex);
    return is_admitted;
}
