#include "node/ctl/side_by_side.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "node/ctl/exit_status.h"
#include "proto/check.h"

#define TICK_NS 200000000L

struct pool {
    side_by_side_work *work;
    void *context;
    size_t count;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t something_ended;
    size_t next, done, running;
    int rc;
};

/* True: there is one to work on. */
static bool item_take(struct pool *pool, size_t *item) {
    pthread_mutex_lock(&pool->mutex);
    bool has_one = pool->rc == EXIT_DONE && pool->next < pool->count;
    *item = has_one ? pool->next++ : 0;
    pthread_mutex_unlock(&pool->mutex);
    return has_one;
}

static void item_end(struct pool *pool, int rc) {
    pthread_mutex_lock(&pool->mutex);
    pool->done += rc == EXIT_DONE;
    pool->rc = pool->rc == EXIT_DONE ? rc : pool->rc;
    pthread_mutex_unlock(&pool->mutex);
}

static void *run(void *context) {
    struct pool *pool = context;
    CURL *line = curl_easy_init();
    size_t item;
    check(line != NULL);
    while (item_take(pool, &item))
        item_end(pool, pool->work(pool->context, item, line));
    curl_easy_cleanup(line);
    pthread_mutex_lock(&pool->mutex);
    pool->running--;
    pthread_cond_signal(&pool->something_ended);
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Until all have ended, or for a tick. */
static bool wait_a_tick(struct pool *pool, size_t *done) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&pool->mutex);
    int rc = 0;
    while (pool->running > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&pool->something_ended, &pool->mutex, &until);
    bool is_running = pool->running > 0;
    *done = pool->done;
    pthread_mutex_unlock(&pool->mutex);
    return is_running;
}

int side_by_side(size_t count, size_t beside, side_by_side_work *work, side_by_side_tick *tick, void *context) {
    struct pool pool = {.work = work, .context = context, .count = count};
    pthread_t threads[SIDE_BY_SIDE_MAX];
    size_t threads_count = beside < count ? beside : count, done = 0;
    check(beside >= 1 && beside <= SIDE_BY_SIDE_MAX);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.something_ended, NULL);
    pool.running = threads_count;
    for (size_t i = 0; i < threads_count; i++)
        check(pthread_create(&threads[i], NULL, run, &pool) == 0);
    while (wait_a_tick(&pool, &done))
        tick(context, done);
    tick(context, done);
    for (size_t i = 0; i < threads_count; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&pool.something_ended);
    pthread_mutex_destroy(&pool.mutex);
    return pool.rc;
}
