#include "node/core/coalesce.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

/* One user's newest notice of one kind. */
struct waiting {
    struct waiting *next;
    uint8_t *user_id;
    size_t user_id_size;
    uint8_t *display_name;
    size_t display_name_size;
    bool has_display_name;
    uint64_t message_id;
    int64_t time_ms;
};

struct gathering_key {
    struct id_hash thread;
    uint64_t kind;
};

struct gathering {
    UT_hash_handle hh;
    struct gathering_key key;
    struct gathering *next, *previous; /* in the order of becoming due */
    uint8_t *thread_id;
    size_t thread_id_size;
    int64_t due_ms;
    struct waiting *first;
    struct waiting **end;
};

struct coalescer {
    struct gathering *table;
    struct gathering *oldest, *newest;
};

struct coalescer *coalescer_new(void) {
    struct coalescer *self = calloc(1, sizeof(*self));
    check(self != NULL);
    return self;
}

static uint8_t *copy_of(struct bytes value) {
    uint8_t *copy = malloc(value.size + 1);
    check(copy != NULL);
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    return copy;
}

static void waiting_free(struct waiting *waiting) {
    free(waiting->user_id);
    free(waiting->display_name);
    free(waiting);
}

static void gathering_unlink(struct coalescer *self, struct gathering *gathering) {
    if (gathering->previous != NULL)
        gathering->previous->next = gathering->next;
    else
        self->oldest = gathering->next;
    if (gathering->next != NULL)
        gathering->next->previous = gathering->previous;
    else
        self->newest = gathering->previous;
    gathering->next = gathering->previous = NULL;
}

static void gathering_link_last(struct coalescer *self, struct gathering *gathering) {
    gathering->previous = self->newest;
    gathering->next = NULL;
    if (self->newest != NULL)
        self->newest->next = gathering;
    else
        self->oldest = gathering;
    self->newest = gathering;
}

static void gathering_free(struct coalescer *self, struct gathering *gathering) {
    HASH_DEL(self->table, gathering);
    gathering_unlink(self, gathering);
    while (gathering->first != NULL) {
        struct waiting *next = gathering->first->next;
        waiting_free(gathering->first);
        gathering->first = next;
    }
    free(gathering->thread_id);
    free(gathering);
}

void coalescer_free(struct coalescer *self) {
    while (self->oldest != NULL)
        gathering_free(self, self->oldest);
    free(self);
}

static struct bytes user_of(const struct change *change) {
    return change->kind == CHANGE_TYPING ? change->typing[0].user_id : change->receipts[0].user_id;
}

static void waiting_fill(struct waiting *waiting, const struct change *change) {
    if (change->kind == CHANGE_RECEIPTS) {
        waiting->message_id = change->receipts[0].message_id;
        waiting->time_ms = change->receipts[0].read_ms;
        return;
    }
    free(waiting->display_name);
    waiting->has_display_name = bytes_is_present(change->typing[0].display_name);
    waiting->display_name = copy_of(change->typing[0].display_name);
    waiting->display_name_size = change->typing[0].display_name.size;
    waiting->time_ms = change->typing[0].time_ms;
}

static void gathering_add(struct gathering *gathering, const struct change *change) {
    struct bytes user = user_of(change);
    for (struct waiting *waiting = gathering->first; waiting != NULL; waiting = waiting->next)
        if (bytes_equal(bytes_of(waiting->user_id, waiting->user_id_size), user)) {
            waiting_fill(waiting, change);
            return;
        }
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    check(waiting != NULL);
    waiting->user_id = copy_of(user);
    waiting->user_id_size = user.size;
    waiting_fill(waiting, change);
    *gathering->end = waiting;
    gathering->end = &waiting->next;
}

bool coalescer_offer(struct coalescer *self, const struct change *change, int64_t now_ms) {
    struct gathering_key key;
    struct gathering *gathering = NULL;
    memset(&key, 0, sizeof(key));
    key.thread = change->subject;
    key.kind = change->kind;
    HASH_FIND(hh, self->table, &key, sizeof(key), gathering);
    if (gathering != NULL) {
        gathering_add(gathering, change);
        return false;
    }
    gathering = calloc(1, sizeof(*gathering));
    check(gathering != NULL);
    gathering->key = key;
    gathering->thread_id = copy_of(change->thread_id);
    gathering->thread_id_size = change->thread_id.size;
    gathering->due_ms = now_ms + LIMIT_COALESCE_TICK_MS;
    gathering->end = &gathering->first;
    HASH_ADD(hh, self->table, key, sizeof(gathering->key), gathering);
    gathering_link_last(self, gathering);
    return true;
}

static struct waiting *gathering_pop(struct gathering *gathering) {
    struct waiting *waiting = gathering->first;
    gathering->first = waiting->next;
    if (gathering->first == NULL)
        gathering->end = &gathering->first;
    return waiting;
}

static void change_fill(struct gathering *gathering, struct arena *arena, struct change *change) {
    *change = (struct change){.kind = (enum change_kind)gathering->key.kind,
                              .subject = gathering->key.thread,
                              .thread_id = arena_copy(arena, bytes_of(gathering->thread_id, gathering->thread_id_size)),
                              .typing = ARENA_NEW_ARRAY(arena, struct typing_notice, LIMIT_COALESCE_PER_TICK_MAX),
                              .receipts = ARENA_NEW_ARRAY(arena, struct receipt, LIMIT_COALESCE_PER_TICK_MAX)};
    for (size_t i = 0; i < LIMIT_COALESCE_PER_TICK_MAX && gathering->first != NULL; i++) {
        struct waiting *waiting = gathering_pop(gathering);
        struct bytes user = arena_copy(arena, bytes_of(waiting->user_id, waiting->user_id_size));
        if (waiting->time_ms > change->time_ms)
            change->time_ms = waiting->time_ms;
        if (change->kind == CHANGE_TYPING) {
            struct bytes name = bytes_of(waiting->display_name, waiting->display_name_size);
            change->typing[change->typing_count++] = (struct typing_notice){
                .user_id = user,
                .display_name = waiting->has_display_name ? arena_copy(arena, name) : BYTES_ABSENT,
                .time_ms = waiting->time_ms};
        } else {
            change->receipts[change->receipts_count++] =
                (struct receipt){.user_id = user, .message_id = waiting->message_id, .read_ms = waiting->time_ms};
        }
        waiting_free(waiting);
    }
    change->version = (uint64_t)change->time_ms;
}

/* Also when the clock has been set back: what is due much later than a tick from now is due at once. */
static bool gathering_is_due(const struct gathering *gathering, int64_t now_ms) {
    return gathering->due_ms <= now_ms || gathering->due_ms > now_ms + LIMIT_COALESCE_TICK_MS;
}

bool coalescer_due(struct coalescer *self, int64_t now_ms, struct arena *arena, struct change *change) {
    while (self->oldest != NULL && gathering_is_due(self->oldest, now_ms)) {
        struct gathering *gathering = self->oldest;
        if (gathering->first == NULL) {
            gathering_free(self, gathering);
            continue;
        }
        change_fill(gathering, arena, change);
        gathering->due_ms = now_ms + LIMIT_COALESCE_TICK_MS;
        gathering_unlink(self, gathering);
        gathering_link_last(self, gathering);
        return true;
    }
    return false;
}

bool coalescer_leave(struct coalescer *self, bool (*is_left)(void *context, const struct id_hash *thread),
                     void *context, struct arena *arena, struct change *change) {
    for (struct gathering *gathering = self->oldest, *next; gathering != NULL; gathering = next) {
        next = gathering->next;
        if (!is_left(context, &gathering->key.thread))
            continue;
        if (gathering->first != NULL) {
            change_fill(gathering, arena, change);
            return true;
        }
        gathering_free(self, gathering);
    }
    return false;
}

size_t coalescer_threads(const struct coalescer *self) {
    return HASH_COUNT(self->table);
}
