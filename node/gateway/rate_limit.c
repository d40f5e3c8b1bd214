#include "node/gateway/rate_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

/* Whose requests are counted together. */
enum rate_subject { RATE_BY_USER, RATE_BY_THREAD, RATE_BY_USER_AND_THREAD, RATE_BY_RESOURCE };

struct rate_rule {
    enum rate_operation operation;
    enum rate_subject subject;
    uint32_t window_s;
    uint32_t count;
};

/* Contract 8.7; the identity operations from section 3. */
static const struct rate_rule rules[] = {
    {RATE_THREAD_CREATE, RATE_BY_USER, 10, 10},
    {RATE_THREAD_DELETE, RATE_BY_USER, 10, 10},
    {RATE_THREAD_UPDATE, RATE_BY_THREAD, 10, 5},
    {RATE_PARTICIPANTS_CHANGE, RATE_BY_THREAD, 10, 10},
    {RATE_PARTICIPANTS_CHANGE, RATE_BY_THREAD, 60, 30},
    {RATE_THREAD_READ, RATE_BY_USER, 10, 50},
    {RATE_MESSAGE_READ, RATE_BY_USER_AND_THREAD, 10, 50},
    {RATE_MESSAGE_READ, RATE_BY_THREAD, 10, 250},
    {RATE_MESSAGES_LIST, RATE_BY_USER_AND_THREAD, 10, 50},
    {RATE_MESSAGES_LIST, RATE_BY_USER_AND_THREAD, 60, 200},
    {RATE_MESSAGES_LIST, RATE_BY_THREAD, 10, 250},
    {RATE_MESSAGES_LIST, RATE_BY_THREAD, 60, 400},
    {RATE_RECEIPTS_LIST, RATE_BY_USER_AND_THREAD, 10, 5},
    {RATE_RECEIPTS_LIST, RATE_BY_THREAD, 10, 100},
    {RATE_PARTICIPANTS_LIST, RATE_BY_USER_AND_THREAD, 10, 10},
    {RATE_PARTICIPANTS_LIST, RATE_BY_THREAD, 10, 250},
    {RATE_MESSAGE_WRITE, RATE_BY_THREAD, 10, 10},
    {RATE_MESSAGE_WRITE, RATE_BY_THREAD, 60, 30},
    {RATE_RECEIPT_SEND, RATE_BY_USER_AND_THREAD, 10, 10},
    {RATE_RECEIPT_SEND, RATE_BY_USER_AND_THREAD, 60, 30},
    {RATE_TYPING_SEND, RATE_BY_USER_AND_THREAD, 10, 5},
    {RATE_TYPING_SEND, RATE_BY_USER_AND_THREAD, 60, 15},
    {RATE_TYPING_SEND, RATE_BY_THREAD, 10, 10},
    {RATE_TYPING_SEND, RATE_BY_THREAD, 60, 30},
    {RATE_IDENTITY_CREATE, RATE_BY_RESOURCE, 30, 1000},
    {RATE_IDENTITY_CREATE_WITH_TOKEN, RATE_BY_RESOURCE, 30, 1000},
    {RATE_IDENTITY_DELETE, RATE_BY_RESOURCE, 30, 500},
    {RATE_TOKEN_ISSUE, RATE_BY_RESOURCE, 30, 1000},
    {RATE_TOKEN_REVOKE, RATE_BY_RESOURCE, 30, 500},
};
#define RULES_COUNT (sizeof(rules) / sizeof(rules[0]))
#define COUNTERS_UNSWEPT_MAX 200000 /* counters kept before those whose windows are over are swept */

struct counter_key {
    struct id_hash user;
    struct id_hash thread;
    uint64_t rule;
};

/* A sliding window from two fixed ones: the previous counts in proportion to what of it is still inside. */
struct counter {
    UT_hash_handle hh;
    struct counter_key key;
    int64_t window; /* number of the current window */
    uint64_t current;
    uint64_t previous;
};

struct rate_limiter {
    pthread_mutex_t mutex;
    struct counter *counters;
    unsigned sweep_count; /* how many counters there have to be for the next sweep */
    uint64_t multiplier;
};

struct rate_limiter *rate_limiter_new(const struct config *config) {
    if (config->rate_limits == CONFIG_RATE_LIMITS_OFF)
        return NULL;
    struct rate_limiter *limiter = calloc(1, sizeof(*limiter));
    check(limiter != NULL);
    limiter->multiplier = config->rate_limit_multiplier < 1 ? 1 : (uint64_t)config->rate_limit_multiplier;
    limiter->sweep_count = COUNTERS_UNSWEPT_MAX;
    pthread_mutex_init(&limiter->mutex, NULL);
    return limiter;
}

void rate_limiter_free(struct rate_limiter *limiter) {
    struct counter *counter;
    struct counter *next;
    if (limiter == NULL)
        return;
    HASH_ITER(hh, limiter->counters, counter, next) {
        HASH_DEL(limiter->counters, counter);
        free(counter);
    }
    pthread_mutex_destroy(&limiter->mutex);
    free(limiter);
}

/* When most are still needed, the next sweep waits until there are twice as many, so that each is looked at a few times
 * only. */
static void counters_sweep(struct rate_limiter *limiter, int64_t now_ms) {
    struct counter *counter;
    struct counter *next;
    HASH_ITER(hh, limiter->counters, counter, next) {
        int64_t window = now_ms / 1000 / rules[counter->key.rule].window_s;
        if (counter->window + 1 < window) {
            HASH_DEL(limiter->counters, counter);
            free(counter);
        }
    }
    unsigned left = HASH_COUNT(limiter->counters);
    limiter->sweep_count = left > COUNTERS_UNSWEPT_MAX / 2 ? left * 2 : COUNTERS_UNSWEPT_MAX;
}

static struct counter_key key_of(size_t rule, const struct id_hash *user, const struct id_hash *thread) {
    struct counter_key key;
    enum rate_subject subject = rules[rule].subject;
    memset(&key, 0, sizeof(key));
    key.rule = rule;
    if (user != NULL && (subject == RATE_BY_USER || subject == RATE_BY_USER_AND_THREAD))
        key.user = *user;
    if (thread != NULL && (subject == RATE_BY_THREAD || subject == RATE_BY_USER_AND_THREAD))
        key.thread = *thread;
    return key;
}

static struct counter *counter_get(struct rate_limiter *limiter, const struct counter_key *key, int64_t now_ms) {
    struct counter *counter = NULL;
    int64_t window = now_ms / 1000 / rules[key->rule].window_s;
    HASH_FIND(hh, limiter->counters, key, sizeof(*key), counter);
    if (counter == NULL) {
        if (HASH_COUNT(limiter->counters) >= limiter->sweep_count)
            counters_sweep(limiter, now_ms);
        counter = calloc(1, sizeof(*counter));
        check(counter != NULL);
        counter->key = *key;
        counter->window = window;
        HASH_ADD(hh, limiter->counters, key, sizeof(counter->key), counter);
    }
    if (counter->window != window) {
        counter->previous = counter->window + 1 == window ? counter->current : 0;
        counter->current = 0;
        counter->window = window;
    }
    return counter;
}

static bool counter_has_room(const struct rate_limiter *limiter, const struct counter *counter, int64_t now_ms,
                             uint32_t *retry_after_s) {
    const struct rate_rule *rule = &rules[counter->key.rule];
    uint64_t window_ms = (uint64_t)rule->window_s * 1000;
    uint64_t inside_ms = (uint64_t)now_ms % window_ms;
    uint64_t weighted = counter->previous * (window_ms - inside_ms) / window_ms + counter->current;
    if (weighted < rule->count * limiter->multiplier)
        return true;
    uint32_t left_s = (uint32_t)((window_ms - inside_ms + 999) / 1000);
    if (left_s > *retry_after_s)
        *retry_after_s = left_s;
    return false;
}

bool rate_limiter_admit(struct rate_limiter *limiter, enum rate_operation operation, const struct id_hash *user,
                        const struct id_hash *thread, int64_t now_ms, uint32_t *retry_after_s) {
    struct counter *counters[RULES_COUNT];
    size_t count = 0;
    bool has_room = true;
    *retry_after_s = 0;
    if (limiter == NULL)
        return true;
    pthread_mutex_lock(&limiter->mutex);
    for (size_t i = 0; i < RULES_COUNT; i++) {
        if (rules[i].operation != operation)
            continue;
        struct counter_key key = key_of(i, user, thread);
        counters[count] = counter_get(limiter, &key, now_ms);
        has_room = counter_has_room(limiter, counters[count++], now_ms, retry_after_s) && has_room;
    }
    /* A refused request does not count against the next one. */
    for (size_t i = 0; has_room && i < count; i++)
        counters[i]->current++;
    pthread_mutex_unlock(&limiter->mutex);
    return has_room;
}
