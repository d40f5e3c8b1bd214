#include "node/push/push.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <sodium.h>

#include "node/coordinator/background.h"
#include "node/events/webhooks.h"
#include "node/log.h"
#include "node/push/push_key.h"
#include "node/push/push_tokens.h"
#include "proto/check.h"
#include "proto/status.h"

#define TURN_MS 250
#define UNDER_WAY_MAX 64
#define UNDER_WAY_PER_SERVICE_MAX 16 /* one that does not answer leaves room for the others */
#define UNDER_WAY_PER_USER_MAX 8
#define ATTEMPTS_MAX 8
#define KEY_AGAIN_MS 1000
#define WARNING_AGAIN_MS 600000 /* of one device */
#define WARNED_MAX 256          /* devices; two that share a place share their warnings */

struct push {
    struct push_options options;
    pthread_t thread;
    struct webhooks *requests;
    atomic_bool is_stopping;
    pthread_mutex_t mutex; /* of what follows, up to the thread's own */
    struct push_queue queue;
    struct elliptic_key vapid;
    bool has_vapid;
    struct push_statistics statistics; /* `waiting`: what is under way */
    /* The thread's own. */
    struct push_tokens tokens;
    struct push_item *under_way[UNDER_WAY_MAX];
    size_t under_way_count;
    int64_t key_due_ms;
    int64_t warned_ms[WARNED_MAX];
};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct push *push_of(const struct push_item *item) {
    return item->owner;
}

/* ---- what comes of one ---- */

static void count(struct push *self, uint64_t *counter) {
    pthread_mutex_lock(&self->mutex);
    ++*counter;
    pthread_mutex_unlock(&self->mutex);
}

static void device_give_up(struct push *self, const struct push_item *item) {
    struct command command = {.kind = COMMAND_USER_PUSH_REMOVE,
                              .subject = item->job.user,
                              .time_ms = wall_ms(),
                              .registration = {.id = item->job.device->id, .created_ms = item->job.device->created_ms}};
    /* If it is not taken now, the device is found gone again with the next message. */
    self->options.propose(self->options.context, &command);
    count(self, &self->statistics.gone);
}

static bool is_warned_of(struct push *self, const struct push_item *item, int64_t now_ms) {
    uint64_t place = id_hash_position(&item->job.user);
    for (size_t i = 0; i < item->job.device->id.size; i++)
        place = place * 31 + item->job.device->id.data[i];
    int64_t *warned_ms = &self->warned_ms[place % WARNED_MAX];
    bool is_warned = now_ms < *warned_ms + WARNING_AGAIN_MS;
    if (!is_warned)
        *warned_ms = now_ms;
    return is_warned;
}

/* The endpoint is a secret: who knows it can write to the device. */
static void failure_log(const struct push_item *item, const char *what, const struct webhook_answer *answer) {
    if (is_warned_of(push_of(item), item, wall_ms()))
        return;
    struct bytes service = push_service(&push_of(item)->options.account, item->job.device);
    struct bytes why = bytes_is_present(answer->failure) ? answer->failure : BYTES_LITERAL("nothing else");
    log_warning("a push to %.*s is %s: status %ld, %.*s", BYTES_ARG(service), what, answer->status, BYTES_ARG(why));
}

static bool is_over(const struct push *self, const struct push_item *item, int64_t now_ms) {
    return item->attempts >= ATTEMPTS_MAX || now_ms >= item->job.happened_ms + self->options.ttl_ms;
}

static void under_way_end(struct push *self, const struct push_item *item) {
    size_t i = 0;
    while (self->under_way[i] != item)
        i++;
    self->under_way[i] = self->under_way[--self->under_way_count];
}

static void item_again(struct push *self, struct push_item *item) {
    pthread_mutex_lock(&self->mutex);
    self->statistics.repeated++;
    push_queue_add_again(&self->queue, item);
    pthread_mutex_unlock(&self->mutex);
}

static void on_answer(void *context, const struct webhook_answer *answer) {
    struct push_item *item = context;
    struct push *self = push_of(item);
    enum push_outcome outcome = push_outcome_of(item->job.device->transport, answer);
    bool is_to_repeat = outcome == PUSH_AGAIN || outcome == PUSH_TOKEN_SPENT;
    item->request = NULL;
    item->attempts++;
    item->due_ms = wall_ms() + push_wait_ms(answer, item->attempts, randombytes_random());
    under_way_end(self, item);
    if (outcome == PUSH_TOKEN_SPENT)
        push_tokens_spent(&self->tokens, item->job.device->transport);
    if (is_to_repeat && !is_over(self, item, item->due_ms)) {
        item_again(self, item);
        return;
    }
    if (outcome == PUSH_SENT) {
        count(self, &self->statistics.sent);
    } else if (outcome == PUSH_GONE) {
        device_give_up(self, item);
    } else {
        failure_log(item, is_to_repeat ? "given up" : "refused", answer);
        count(self, is_to_repeat ? &self->statistics.given_up : &self->statistics.refused);
    }
    push_item_free(item);
}

/* ---- the thread ---- */

static void key_look(struct push *self, int64_t now_ms) {
    struct push_key key;
    if (self->has_vapid || now_ms < self->key_due_ms)
        return;
    self->key_due_ms = now_ms + KEY_AGAIN_MS;
    if (push_key_get(self->options.coordinator, self->options.master, now_ms, &key) != STATUS_OK)
        return;
    pthread_mutex_lock(&self->mutex);
    self->vapid = key.vapid;
    self->has_vapid = true;
    pthread_mutex_unlock(&self->mutex);
}

static struct webhook_options webhook_options_of(const struct push *self) {
    return (struct webhook_options){.may_be_private = self->options.may_be_private,
                                    .allowing_key = "push_allow_private",
                                    .ca_file = self->options.ca_file};
}

/* False: its key is none. */
static bool item_send(struct push *self, struct push_item *item, int64_t now_ms) {
    struct push_sender sender = {.vapid = &self->vapid,
                                 .contact = bytes_of_text(self->options.contact),
                                 .ttl_ms = self->options.ttl_ms,
                                 .account = &self->options.account,
                                 .fcm_token = buffer_bytes(&self->tokens.fcm),
                                 .apns_token = buffer_bytes(&self->tokens.apns)};
    struct webhook_options options = webhook_options_of(self);
    struct push_chance chance;
    struct webhook_request request;
    struct arena arena;
    arena_init(&arena);
    push_chance_take(&chance);
    bool is_made = push_request_make(&sender, &item->job, &chance, now_ms, &arena, &request);
    if (is_made)
        item->request = webhooks_begin(self->requests, &options, &request, on_answer, item);
    sodium_memzero(&chance, sizeof(chance));
    arena_close(&arena);
    return is_made;
}

static void item_begin(struct push *self, struct push_item *item, int64_t now_ms) {
    bool has_device = self->options.has_device(self->options.context, &item->job.user, item->job.device->id);
    if (has_device && item_send(self, item, now_ms))
        return;
    if (has_device)
        device_give_up(self, item);
    else
        count(self, &self->statistics.withdrawn);
    under_way_end(self, item);
    push_item_free(item);
}

static bool may_begin(const struct push *self, const struct push_item *item) {
    size_t at_service = 0, of_user = 0;
    for (size_t i = 0; i < self->under_way_count; i++) {
        at_service += bytes_equal(self->under_way[i]->service, item->service);
        of_user += id_hash_equal(&self->under_way[i]->job.user, &item->job.user);
    }
    return push_tokens_has(&self->tokens, item->job.device->transport) && at_service < UNDER_WAY_PER_SERVICE_MAX &&
           of_user < UNDER_WAY_PER_USER_MAX;
}

static void due_take(struct push *self, int64_t now_ms) {
    struct push_item *item = self->queue.first;
    for (struct push_item *next; item != NULL && self->under_way_count < UNDER_WAY_MAX; item = next) {
        next = item->next;
        if (now_ms < item->due_ms || !may_begin(self, item))
            continue;
        push_queue_take(&self->queue, item);
        self->under_way[self->under_way_count++] = item;
    }
}

static void due_begin(struct push *self, int64_t now_ms) {
    size_t before = self->under_way_count;
    pthread_mutex_lock(&self->mutex);
    if (self->has_vapid)
        due_take(self, now_ms);
    self->statistics.waiting = self->under_way_count;
    pthread_mutex_unlock(&self->mutex);
    for (size_t i = self->under_way_count; i > before; i--)
        item_begin(self, self->under_way[i - 1], now_ms);
}

static void *run(void *context) {
    struct push *self = context;
    while (!atomic_load(&self->is_stopping)) {
        int64_t now_ms = wall_ms();
        key_look(self, now_ms);
        push_tokens_look(&self->tokens, now_ms);
        due_begin(self, now_ms);
        webhooks_turn(self->requests, TURN_MS);
    }
    return NULL;
}

/* ---- for others ---- */

struct push *push_start(const struct push_options *options) {
    struct push *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    self->options = *options;
    self->requests = webhooks_new();
    struct webhook_options webhooks = webhook_options_of(self);
    push_tokens_init(&self->tokens, &self->options.account, self->requests, &webhooks);
    push_queue_init(&self->queue);
    if (background_start(&self->thread, run, self))
        return self;
    push_free(self);
    return NULL;
}

void push_stop(struct push *self) {
    pthread_mutex_lock(&self->mutex);
    atomic_store(&self->is_stopping, true);
    pthread_mutex_unlock(&self->mutex);
    webhooks_stop(self->requests);
    check(pthread_join(self->thread, NULL) == 0);
}

void push_free(struct push *self) {
    for (size_t i = 0; i < self->under_way_count; i++) {
        webhooks_cancel(self->requests, self->under_way[i]->request);
        push_item_free(self->under_way[i]);
    }
    push_queue_close(&self->queue);
    push_tokens_close(&self->tokens);
    webhooks_free(self->requests);
    sodium_memzero(&self->vapid, sizeof(self->vapid));
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

int push_public_key(struct push *self, uint8_t point[PUSH_PUBLIC_KEY_BYTES]) {
    pthread_mutex_lock(&self->mutex);
    bool is_known = self->has_vapid;
    memcpy(point, self->vapid.point, PUSH_PUBLIC_KEY_BYTES);
    pthread_mutex_unlock(&self->mutex);
    return is_known ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE;
}

bool push_reaches(const struct push *self, enum push_transport transport) {
    const struct push_account *account = &self->options.account;
    return transport == PUSH_WEB || bytes_is_present(transport == PUSH_FCM ? account->fcm_url : account->apns_url);
}

int push_add(struct push *self, const struct push_job *jobs, size_t jobs_count) {
    const struct push_account *account = &self->options.account;
    pthread_mutex_lock(&self->mutex);
    bool is_stopping = atomic_load(&self->is_stopping);
    for (size_t i = 0; !is_stopping && i < jobs_count; i++)
        push_queue_add(&self->queue, push_item_new(&jobs[i], push_service_limited(account, jobs[i].device), self));
    pthread_mutex_unlock(&self->mutex);
    if (is_stopping)
        return STATUS_SHUTTING_DOWN;
    webhooks_wake(self->requests);
    return STATUS_OK;
}

struct push_statistics push_statistics(struct push *self) {
    pthread_mutex_lock(&self->mutex);
    struct push_statistics statistics = self->statistics;
    statistics.waiting += self->queue.count;
    statistics.replaced = self->queue.replaced;
    statistics.displaced = self->queue.displaced;
    pthread_mutex_unlock(&self->mutex);
    return statistics;
}
