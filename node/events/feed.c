#include "node/events/feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>
#include <utlist.h>

struct item {
    UT_hash_handle hh;
    struct id_hash thread;
    uint64_t serial;
    int64_t rests_until_ms;
    bool is_fresh;
    struct item *next_fresh, *prev_fresh;
};

enum reader { WHO_DELIVERS, WHO_TIDIES, READERS };

struct feed {
    pthread_mutex_t mutex;
    struct item *items;         /* in the order in which they came */
    struct item *fresh;         /* likewise */
    struct item *next[READERS]; /* whose turn it is; NULL: that of the first */
    uint64_t serial;
};

struct feed *feed_new(void) {
    struct feed *feed = calloc(1, sizeof(*feed));
    check(feed != NULL && pthread_mutex_init(&feed->mutex, NULL) == 0);
    return feed;
}

static void freshness_end(struct feed *feed, struct item *item) {
    if (item->is_fresh)
        DL_DELETE2(feed->fresh, item, prev_fresh, next_fresh);
    item->is_fresh = false;
}

static void item_remove(struct feed *feed, struct item *item) {
    for (size_t i = 0; i < READERS; i++)
        if (feed->next[i] == item)
            feed->next[i] = item->hh.next;
    freshness_end(feed, item);
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
    for (size_t i = 0; i < count; i++) {
        struct item *item = item_take(feed, &threads[i]);
        item->serial = ++feed->serial;
        item->rests_until_ms = 0;
        if (!item->is_fresh)
            DL_APPEND2(feed->fresh, item, prev_fresh, next_fresh);
        item->is_fresh = true;
    }
    pthread_mutex_unlock(&feed->mutex);
}

bool feed_next_fresh(struct feed *feed, struct id_hash *thread, uint64_t *serial) {
    pthread_mutex_lock(&feed->mutex);
    struct item *item = feed->fresh;
    if (item != NULL) {
        *thread = item->thread;
        *serial = item->serial;
        freshness_end(feed, item);
    }
    pthread_mutex_unlock(&feed->mutex);
    return item != NULL;
}

static bool next_take(struct feed *feed, enum reader reader, struct id_hash *thread, uint64_t *serial) {
    pthread_mutex_lock(&feed->mutex);
    const struct item *item = feed->next[reader] != NULL ? feed->next[reader] : feed->items;
    if (item != NULL) {
        *thread = item->thread;
        *serial = item->serial;
        feed->next[reader] = item->hh.next;
    }
    pthread_mutex_unlock(&feed->mutex);
    return item != NULL;
}

bool feed_next(struct feed *feed, struct id_hash *thread, uint64_t *serial) {
    return next_take(feed, WHO_DELIVERS, thread, serial);
}

bool feed_next_to_tidy(struct feed *feed, struct id_hash *thread, uint64_t *serial) {
    return next_take(feed, WHO_TIDIES, thread, serial);
}

void feed_drop(struct feed *feed, const struct id_hash *thread, uint64_t serial) {
    pthread_mutex_lock(&feed->mutex);
    struct item *item = item_find(feed, thread);
    if (item != NULL && item->serial == serial)
        item_remove(feed, item);
    pthread_mutex_unlock(&feed->mutex);
}

void feed_rest(struct feed *feed, const struct id_hash *thread, uint64_t serial, int64_t until_ms) {
    pthread_mutex_lock(&feed->mutex);
    struct item *item = item_find(feed, thread);
    if (item != NULL && item->serial == serial)
        item->rests_until_ms = until_ms;
    pthread_mutex_unlock(&feed->mutex);
}

bool feed_is_at_rest(struct feed *feed, const struct id_hash *thread, int64_t now_ms) {
    pthread_mutex_lock(&feed->mutex);
    const struct item *item = item_find(feed, thread);
    bool is_at_rest = item != NULL && now_ms < item->rests_until_ms;
    pthread_mutex_unlock(&feed->mutex);
    return is_at_rest;
}

bool feed_has_fresh(struct feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    bool has_fresh = feed->fresh != NULL;
    pthread_mutex_unlock(&feed->mutex);
    return has_fresh;
}

size_t feed_count(struct feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    size_t count = HASH_COUNT(feed->items);
    pthread_mutex_unlock(&feed->mutex);
    return count;
}
