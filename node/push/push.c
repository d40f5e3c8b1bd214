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
#define ATTEMPTS_MAX 8
#define KEY_AGAIN_MS 1000

/* What one device is to be told. */
struct item {
    struct item *next;
    struct arena arena;
    struct push_job job;
    unsigned attempts;
    int64_t due_ms;
    struct sent_webhook *request; /* NULL: it waits */
    struct push *push;
};

struct list {
    struct item *first;
    struct item **end;
};

struct push {
    struct push_options options;
    pthread_t thread;
    struct webhooks *requests;
    atomic_bool is_stopping;
    pthread_mutex_t mutex; /* of what follows, up to the thread's own */
    struct list arriving;
    struct elliptic_key vapid;
    bool has_vapid;
    struct push_statistics statistics; /* `waiting`: all that are here */
    /* The thread's own. */
    struct push_tokens tokens;
    struct list items;
    struct item *under_way[UNDER_WAY_MAX];
    size_t under_way_count;
    int64_t key_due_ms;
};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- lists ---- */

static void list_init(struct list *list) {
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(struct list *list, struct item *item) {
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
}

static void list_remove(struct list *list, const struct item *item) {
    struct item **link = &list->first;
    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    if (item->next == NULL)
        list->end = link;
}

static void item_free(struct item *item) {
    arena_close(&item->arena);
    free(item);
}

static struct bytes kept(struct item *item, struct bytes value) {
    return arena_copy(&item->arena, value);
}

static struct item *item_new(struct push *push, const struct push_job *job) {
    struct item *item = calloc(1, sizeof(*item));
    check(item != NULL);
    arena_init(&item->arena);
    struct push_registration *device = ARENA_NEW(&item->arena, struct push_registration);
    *device = *job->device;
    device->id = kept(item, device->id);
    device->address = kept(item, device->address);
    device->public_key = kept(item, device->public_key);
    device->auth = kept(item, device->auth);
    device->aes_key = kept(item, device->aes_key);
    device->auth_key = kept(item, device->auth_key);
    device->display_name = BYTES_ABSENT;
    item->push = push;
    item->job = *job;
    item->job.device = device;
    item->job.json = kept(item, job->json);
    item->job.title = kept(item, job->title);
    item->job.text = kept(item, job->text);
    return item;
}

/* ---- what comes of one ---- */

static void count(struct push *self, uint64_t *counter) {
    pthread_mutex_lock(&self->mutex);
    ++*counter;
    pthread_mutex_unlock(&self->mutex);
}

static void item_end(struct push *self, struct item *item) {
    list_remove(&self->items, item);
    pthread_mutex_lock(&self->mutex);
    self->statistics.waiting--;
    pthread_mutex_unlock(&self->mutex);
    item_free(item);
}

static void device_give_up(struct push *self, const struct item *item) {
    struct command command = {.kind = COMMAND_USER_PUSH_REMOVE,
                              .subject = item->job.user,
                              .time_ms = wall_ms(),
                              .registration = {.id = item->job.device->id, .created_ms = item->job.device->created_ms}};
    /* If it is not taken now, the device is found gone again with the next message. */
    self->options.propose(self->options.context, &command);
    count(self, &self->statistics.gone);
}

/* The endpoint is a secret: who knows it can write to the device. */
static void failure_log(const struct item *item, const char *what, const struct webhook_answer *answer) {
    struct bytes service = push_service(&item->push->options.account, item->job.device);
    struct bytes why = bytes_is_present(answer->failure) ? answer->failure : BYTES_LITERAL("nothing else");
    log_warning("a push to %.*s is %s: status %ld, %.*s", BYTES_ARG(service), what, answer->status, BYTES_ARG(why));
}

static bool is_over(const struct push *self, const struct item *item, int64_t now_ms) {
    return item->attempts >= ATTEMPTS_MAX || now_ms >= item->job.happened_ms + self->options.ttl_ms;
}

static void under_way_end(struct push *self, const struct item *item) {
    size_t i = 0;
    while (self->under_way[i] != item)
        i++;
    self->under_way[i] = self->under_way[--self->under_way_count];
}

static void on_answer(void *context, const struct webhook_answer *answer) {
    struct item *item = context;
    struct push *self = item->push;
    enum push_outcome outcome = push_outcome_of(item->job.device->transport, answer);
    bool is_to_repeat = outcome == PUSH_AGAIN || outcome == PUSH_TOKEN_SPENT;
    item->request = NULL;
    item->attempts++;
    item->due_ms = wall_ms() + push_wait_ms(answer, item->attempts, randombytes_random());
    under_way_end(self, item);
    if (outcome == PUSH_TOKEN_SPENT)
        push_tokens_spent(&self->tokens, item->job.device->transport);
    if (is_to_repeat && !is_over(self, item, item->due_ms)) {
        count(self, &self->statistics.repeated);
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
    item_end(self, item);
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

static void arriving_take(struct push *self) {
    pthread_mutex_lock(&self->mutex);
    struct item *item = self->arriving.first;
    list_init(&self->arriving);
    pthread_mutex_unlock(&self->mutex);
    for (struct item *next; item != NULL; item = next) {
        next = item->next;
        list_append(&self->items, item);
    }
}

static size_t under_way_at(const struct push *self, struct bytes service) {
    size_t sum = 0;
    for (size_t i = 0; i < self->under_way_count; i++)
        sum += bytes_equal(push_service(&self->options.account, self->under_way[i]->job.device), service);
    return sum;
}

static struct webhook_options webhook_options_of(const struct push *self) {
    return (struct webhook_options){.may_be_private = self->options.may_be_private,
                                    .allowing_key = "push_allow_private",
                                    .ca_file = self->options.ca_file};
}

static void item_begin(struct push *self, struct item *item, int64_t now_ms) {
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
    if (is_made) {
        item->request = webhooks_begin(self->requests, &options, &request, on_answer, item);
        self->under_way[self->under_way_count++] = item;
    }
    sodium_memzero(&chance, sizeof(chance));
    arena_close(&arena);
    if (!is_made) {
        device_give_up(self, item);
        item_end(self, item);
    }
}

static bool may_begin(const struct push *self, const struct item *item) {
    const struct push_registration *device = item->job.device;
    return push_tokens_has(&self->tokens, device->transport) &&
           under_way_at(self, push_service(&self->options.account, device)) < UNDER_WAY_PER_SERVICE_MAX;
}

static void due_begin(struct push *self, int64_t now_ms) {
    struct item *item = self->has_vapid ? self->items.first : NULL;
    for (struct item *next; item != NULL && self->under_way_count < UNDER_WAY_MAX; item = next) {
        next = item->next;
        if (item->request == NULL && now_ms >= item->due_ms && may_begin(self, item))
            item_begin(self, item, now_ms);
    }
}

static void *run(void *context) {
    struct push *self = context;
    while (!atomic_load(&self->is_stopping)) {
        int64_t now_ms = wall_ms();
        key_look(self, now_ms);
        push_tokens_look(&self->tokens, now_ms);
        arriving_take(self);
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
    list_init(&self->arriving);
    list_init(&self->items);
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

static void list_free(struct push *self, struct list *list) {
    for (struct item *item = list->first, *next; item != NULL; item = next) {
        next = item->next;
        if (item->request != NULL)
            webhooks_cancel(self->requests, item->request);
        item_free(item);
    }
}

void push_free(struct push *self) {
    list_free(self, &self->items);
    list_free(self, &self->arriving);
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

static int room_take(struct push *self, size_t wanted) {
    if (atomic_load(&self->is_stopping))
        return STATUS_SHUTTING_DOWN;
    if (self->statistics.waiting + wanted > PUSH_WAITING_MAX)
        return STATUS_OVERLOADED;
    self->statistics.waiting += wanted;
    return STATUS_OK;
}

int push_add(struct push *self, const struct push_job *jobs, size_t jobs_count) {
    pthread_mutex_lock(&self->mutex);
    int rc = room_take(self, jobs_count);
    for (size_t i = 0; rc == STATUS_OK && i < jobs_count; i++)
        list_append(&self->arriving, item_new(self, &jobs[i]));
    pthread_mutex_unlock(&self->mutex);
    if (rc == STATUS_OK)
        webhooks_wake(self->requests);
    return rc;
}

struct push_statistics push_statistics(struct push *self) {
    pthread_mutex_lock(&self->mutex);
    struct push_statistics statistics = self->statistics;
    pthread_mutex_unlock(&self->mutex);
    return statistics;
}
