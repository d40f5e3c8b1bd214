#include "node/events/feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define FIRST_CAPACITY 64

struct item {
    struct id_hash thread;
    uint64_t serial; /* 0: a free place */
};

/* A hash table: ids are hashes already, and each lies at its place or behind it without a gap. */
struct feed {
    pthread_mutex_t mutex;
    struct item *items;
    size_t capacity; /* a power of two, never full */
    size_t count;
    size_t turn; /* the place that is looked at next */
    uint64_t serial;
};

static struct item *items_new(size_t capacity) {
    struct item *items = calloc(capacity, sizeof(*items));
    check(items != NULL);
    return items;
}

struct feed *feed_new(void) {
    struct feed *feed = calloc(1, sizeof(*feed));
    check(feed != NULL && pthread_mutex_init(&feed->mutex, NULL) == 0);
    feed->capacity = FIRST_CAPACITY;
    feed->items = items_new(feed->capacity);
    return feed;
}

void feed_free(struct feed *feed) {
    pthread_mutex_destroy(&feed->mutex);
    free(feed->items);
    free(feed);
}

static size_t home_of(const struct feed *feed, const struct id_hash *thread) {
    return (size_t)id_hash_position(thread) & (feed->capacity - 1);
}

/* Where the thread lies, or the free place where it belongs. */
static struct item *item_at(struct feed *feed, const struct id_hash *thread) {
    size_t at = home_of(feed, thread);
    while (feed->items[at].serial != 0 && !id_hash_equal(&feed->items[at].thread, thread))
        at = (at + 1) & (feed->capacity - 1);
    return &feed->items[at];
}

static void grow(struct feed *feed) {
    struct item *old = feed->items;
    size_t old_capacity = feed->capacity;
    feed->capacity *= 2;
    feed->items = items_new(feed->capacity);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].serial != 0)
            *item_at(feed, &old[i].thread) = old[i];
    free(old);
}

void feed_add(struct feed *feed, const struct id_hash *threads, size_t count) {
    pthread_mutex_lock(&feed->mutex);
    for (size_t i = 0; i < count; i++) {
        if (feed->count * 2 >= feed->capacity)
            grow(feed);
        struct item *item = item_at(feed, &threads[i]);
        feed->count += item->serial == 0;
        *item = (struct item){threads[i], ++feed->serial};
    }
    pthread_mutex_unlock(&feed->mutex);
}

bool feed_next(struct feed *feed, struct id_hash *thread, uint64_t *serial) {
    pthread_mutex_lock(&feed->mutex);
    bool is_any = feed->count > 0;
    const struct item *item = NULL;
    while (is_any && (item == NULL || item->serial == 0)) {
        feed->turn = (feed->turn + 1) & (feed->capacity - 1);
        item = &feed->items[feed->turn];
    }
    if (is_any) {
        *thread = item->thread;
        *serial = item->serial;
    }
    pthread_mutex_unlock(&feed->mutex);
    return is_any;
}

/* What lies behind a place that becomes free moves there, if it may lie so early; and is not passed over for that. */
static void place_free(struct feed *feed, size_t at) {
    size_t mask = feed->capacity - 1;
    if (at == feed->turn)
        feed->turn = (at - 1) & mask;
    for (size_t next = (at + 1) & mask; feed->items[next].serial != 0; next = (next + 1) & mask) {
        size_t home = home_of(feed, &feed->items[next].thread);
        if (((next - home) & mask) < ((next - at) & mask))
            continue;
        feed->items[at] = feed->items[next];
        at = next;
    }
    feed->items[at] = (struct item){.serial = 0};
}

void feed_drop(struct feed *feed, const struct id_hash *thread, uint64_t serial) {
    pthread_mutex_lock(&feed->mutex);
    const struct item *item = item_at(feed, thread);
    if (item->serial != 0 && item->serial == serial) {
        place_free(feed, (size_t)(item - feed->items));
        feed->count--;
    }
    pthread_mutex_unlock(&feed->mutex);
}

size_t feed_count(struct feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    size_t count = feed->count;
    pthread_mutex_unlock(&feed->mutex);
    return count;
}
