#include "node/events/feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct item {
    UT_hash_handle hh;
    struct id_hash thread;
    uint64_t serial;
};

struct feed {
    pthread_mutex_t mutex;
    struct item *items; /* in the order in which they came */
    struct item *next;  /* whose turn it is; NULL: that of the first */
    uint64_t serial;
};

struct feed *feed_new(void) {
    struct feed *feed = calloc(1, sizeof(*feed));
    check(feed != NULL && pthread_mutex_init(&feed->mutex, NULL) == 0);
    return feed;
}

static void item_remove(struct feed *feed, struct item *item) {
    if (feed->next == item)
        feed->next = item->hh.next;
    HASH_DEL(feed->items, item);
    free(item);
}

void feed_free(struct feed *feed) {
    while (feed->items != NULL)
        item_remove(feed, feed->items);
    pthread_mutex_destroy(&feed->mutex);
    free(feed);
}

static struct item *item_find(struct feed *feed, const struct id_hash *thread) {
    struct item *item = NULL;
    HASH_FIND(hh, feed->items, thread, sizeof(*thread), item);
    return item;
}

static struct item *item_take(struct feed *feed, const struct id_hash *thread) {
    struct item *item = item_find(feed, thread);
    if (item != NULL)
        return item;
    item = calloc(1, sizeof(*item));
    check(item != NULL);
    item->thread = *thread;
    HASH_ADD(hh, feed->items, thread, sizeof(item->thread), item);
    return item;
}

void feed_add(struct feed *feed, const struct id_hash *threads, size_t count) {
    pthread_mutex_lock(&feed->mutex);
    for (size_t i = 0; i < count; i++)
        item_take(feed, &threads[i])->serial = ++feed->serial;
    pthread_mutex_unlock(&feed->mutex);
}

bool feed_next(struct feed *feed, struct id_hash *thread, uint64_t *serial) {
    pthread_mutex_lock(&feed->mutex);
    const struct item *item = feed->next != NULL ? feed->next : feed->items;
    if (item != NULL) {
        *thread = item->thread;
        *serial = item->serial;
        feed->next = item->hh.next;
    }
    pthread_mutex_unlock(&feed->mutex);
    return item != NULL;
}

void feed_drop(struct feed *feed, const struct id_hash *thread, uint64_t serial) {
    pthread_mutex_lock(&feed->mutex);
    struct item *item = item_find(feed, thread);
    if (item != NULL && item->serial == serial)
        item_remove(feed, item);
    pthread_mutex_unlock(&feed->mutex);
}

size_t feed_count(struct feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    size_t count = HASH_COUNT(feed->items);
    pthread_mutex_unlock(&feed->mutex);
    return count;
}
