#include "node/errands.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/core/outbox_read.h"
#include "node/core/repeat_read.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/snapshot.h"

#define CHUNK_BYTES (64 * 1024)
#define SNAPSHOT_KEPT_MS 60000 /* a learner that needs it is sent a chunk again each second */
#define SWAP_LANES 4           /* swaps at a time: of different ranges, and each waits for etcd */
#define ROWS_LANE SWAP_LANES   /* what somebody waits for: the outbox, changes for listeners */
#define CHUNKS_LANE (SWAP_LANES + 1)
#define LANES (SWAP_LANES + 2)

struct errand {
    struct parcel parcel; /* on its way back */
    struct errand *next;
    void (*on_event)(void *context, struct event *event);
    void *context;
    struct action action;
    struct arena arena; /* of what the event borrows */
    struct event event;
    struct range_record record;
    struct range_record other;
    struct replication_chunk chunk;
    struct buffer rows;
    struct interest_repeated repeated;
};

/* The rows of a range as they were once, for one learner. */
struct reading {
    struct reading *next;
    uint32_t range;
    uint64_t to;
    uint64_t number;
    struct snapshot *snapshot;
    int64_t asked_ms; /* monotonic */
};

/* Errands that go one after the other on a thread of their own. */
struct lane {
    struct errands *errands;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    struct errand *first;
    struct errand **end;
    struct action swapping; /* the swap that is under way, if `is_swapping` */
    bool is_swapping;
    bool is_stopping;
};

struct errands {
    struct errands_options options;
    struct lane lanes[LANES]; /* so that nothing waits for etcd, or for a whole range to be read, that need not */
    size_t lanes_count;       /* that run */
    struct reading *readings; /* the chunks' lane's */
    uint64_t readings_begun;
};

void range_name_format(uint32_t range, char name[RANGE_NAME_BYTES]) {
    snprintf(name, RANGE_NAME_BYTES, "ranges/%05u", (unsigned)(range % 100000));
}

static void errand_free(struct errand *errand) {
    arena_close(&errand->arena);
    buffer_close(&errand->rows);
    free(errand);
}

/* ---- swaps ---- */

static int record_get(struct errands *self, struct arena *arena, uint32_t range, struct range_record *record,
                      uint64_t *version) {
    char name[RANGE_NAME_BYTES];
    struct bytes value;
    range_name_format(range, name);
    int rc = coordinator_get(self->options.coordinator, name, arena, &value, version);
    return rc == STATUS_OK ? range_record_decode(value, record) : rc;
}

/* One record, or with the other one of a split both or none. */
static int records_swap(struct errands *self, const struct action *action, uint64_t *version) {
    const struct range_record *records[] = {&action->record, &action->other};
    const uint64_t versions[] = {action->version, 0};
    size_t count = action->other.epoch == 0 ? 1 : 2;
    char names[2][RANGE_NAME_BYTES];
    struct buffer encoded[2];
    struct coordinator_swap swaps[2];
    for (size_t i = 0; i < count; i++) {
        buffer_init(&encoded[i]);
        range_name_format(records[i]->range, names[i]);
        range_record_encode(records[i], &encoded[i]);
        swaps[i] = (struct coordinator_swap){names[i], versions[i], buffer_bytes(&encoded[i])};
    }
    int rc = coordinator_swap_all(self->options.coordinator, swaps, count, version);
    for (size_t i = 0; i < count; i++)
        buffer_close(&encoded[i]);
    return rc;
}

/* Whatever the answer was, the core is told what the coordinator holds. The new range of a split that had come about
 * before comes as news. */
static void swap_do(struct errands *self, struct errand *errand) {
    const struct action *action = &errand->action;
    struct event *event = &errand->event;
    *event = (struct event){.kind = EVENT_SWAPPED, .range = action->record.range, .record = &errand->record};
    event->rc = records_swap(self, action, &event->version);
    errand->record = action->record;
    errand->other = action->other;
    if (event->rc == STATUS_OK && action->other.epoch != 0)
        event->other = &errand->other;
    if (event->rc == STATUS_CONFLICT &&
        record_get(self, &errand->arena, action->record.range, &errand->record, &event->version) != STATUS_OK)
        event->rc = STATUS_SERVICE_UNAVAILABLE;
    event->is_number_taken =
        event->rc == STATUS_CONFLICT && action->other.epoch != 0 && event->version == action->version;
}

/* ---- the outbox ---- */

static void outbox_do(struct errands *self, struct errand *errand) {
    uint32_t range = errand->action.range;
    struct store_transaction *transaction = NULL;
    errand->event = (struct event){.kind = EVENT_OUTBOX, .range = range};
    int rc = store_begin_read(self->options.store, &transaction);
    if (rc == STATUS_OK) {
        rc = outbox_read(transaction, self->options.master, &errand->action.bounds, &errand->arena, &errand->event);
        store_abort(transaction);
    }
    if (rc != STATUS_OK)
        log_error("the outbox cannot be read: %s", status_sentence(rc));
    errand->event.rc = rc;
}

/* ---- snapshots ---- */

static void reading_free(struct reading *reading) {
    snapshot_close(reading->snapshot);
    free(reading);
}

static int64_t monotonic_ms(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Nobody says when a learner has all of it, and each is as large as its range. */
static void readings_drop_old(struct errands *self) {
    int64_t oldest_ms = monotonic_ms() - self->options.snapshot_kept_ms;
    for (struct reading **link = &self->readings; *link != NULL;) {
        struct reading *reading = *link;
        if (reading->asked_ms > oldest_ms) {
            link = &reading->next;
            continue;
        }
        *link = reading->next;
        reading_free(reading);
    }
}

/* One reading at a time for each range and learner: an older one is over when a newer one is asked for. */
static struct reading *reading_find(struct errands *self, const struct action *action) {
    for (struct reading **link = &self->readings; *link != NULL; link = &(*link)->next) {
        struct reading *reading = *link;
        if (reading->range != action->range || reading->to != action->to)
            continue;
        if (snapshot_facts(reading->snapshot)->number == action->snapshot)
            return reading;
        *link = reading->next;
        reading_free(reading);
        return NULL;
    }
    return NULL;
}

static struct reading *reading_begin(struct errands *self, const struct action *action) {
    struct snapshot_scope scope = {.master = self->options.master,
                                   .hash_key = self->options.hash_key,
                                   .range = action->range,
                                   .bounds = action->bounds};
    struct snapshot_spool *spool = NULL;
    struct snapshot *snapshot = NULL;
    int rc = snapshot_spool_file(self->options.folder, &spool);
    if (rc == STATUS_OK)
        rc = snapshot_read(self->options.store, &scope, action->snapshot, CHUNK_BYTES, spool, &snapshot);
    if (rc != STATUS_OK) {
        log_error("range %u cannot be read for another node: %s", (unsigned)action->range, status_sentence(rc));
        return NULL;
    }
    struct reading *reading = calloc(1, sizeof(*reading));
    check(reading != NULL);
    *reading = (struct reading){.next = self->readings,
                                .range = action->range,
                                .to = action->to,
                                .number = ++self->readings_begun,
                                .snapshot = snapshot};
    self->readings = reading;
    return reading;
}

/* Another reading would have other rows. */
static void chunk_gone(struct errand *errand) {
    const struct action *action = &errand->action;
    errand->chunk = (struct replication_chunk){.snapshot = action->snapshot, .chunk = action->chunk};
    errand->event =
        (struct event){.kind = EVENT_CHUNK_GONE, .range = action->range, .to = action->to, .chunk = &errand->chunk};
}

/* What cannot be read now is asked for again. */
static bool chunk_do(struct errands *self, struct errand *errand) {
    const struct action *action = &errand->action;
    struct reading *reading = reading_find(self, action);
    if (reading == NULL && action->chunk > 0) {
        chunk_gone(errand);
        return true;
    }
    if (reading == NULL)
        reading = reading_begin(self, action);
    if (reading == NULL)
        return false;
    reading->asked_ms = monotonic_ms();
    const struct snapshot_facts *facts = snapshot_facts(reading->snapshot);
    if (action->chunk >= facts->chunks || snapshot_chunk_read(reading->snapshot, action->chunk, &errand->rows) != 0)
        return false;
    errand->chunk = (struct replication_chunk){.snapshot = action->snapshot,
                                               .reading = reading->number,
                                               .chunk = action->chunk,
                                               .is_last = action->chunk + 1 == facts->chunks,
                                               .chunks = facts->chunks,
                                               .bytes_all = facts->bytes,
                                               .index = facts->marks.applied,
                                               .epoch = facts->marks.epoch,
                                               .rows = buffer_bytes(&errand->rows)};
    errand->event =
        (struct event){.kind = EVENT_CHUNK_READ, .range = action->range, .to = action->to, .chunk = &errand->chunk};
    return true;
}

/* ---- changes of a thread, for a node that lacks them ---- */

static void repeat_do(struct errands *self, struct errand *errand) {
    struct interest_repeated *repeated = &errand->repeated;
    struct apply_context context = {
        .arena = &errand->arena, .master = self->options.master, .hash_key = self->options.hash_key};
    repeated->asked = errand->action.repeat;
    repeated->rc = store_begin_read(self->options.store, &context.transaction);
    if (repeated->rc == STATUS_OK) {
        repeat_read(&context, repeated);
        store_abort(context.transaction);
    }
    errand->event = (struct event){.kind = EVENT_REPEATED, .repeated = repeated};
}

/* ---- lanes ---- */

/* `struct errands` may be gone by then. */
static void on_delivered(void *receiver, struct parcel *parcel) {
    struct errand *errand = (struct errand *)parcel;
    (void)receiver;
    errand->on_event(errand->context, &errand->event);
    errand_free(errand);
}

/* False: there is nothing to tell. */
static bool errand_do(struct errands *self, struct errand *errand) {
    switch (errand->action.kind) {
    case ACTION_SWAP:
        swap_do(self, errand);
        return true;
    case ACTION_READ_OUTBOX:
        outbox_do(self, errand);
        return true;
    case ACTION_REPEAT:
        repeat_do(self, errand);
        return true;
    default:
        return chunk_do(self, errand);
    }
}

/* Under the mutex; but a large file takes its time to go. Nothing goes while somebody waits for a chunk of it. */
static void lane_wait(struct lane *lane) {
    if (lane == &lane->errands->lanes[CHUNKS_LANE]) {
        pthread_mutex_unlock(&lane->mutex);
        readings_drop_old(lane->errands);
        pthread_mutex_lock(&lane->mutex);
    }
    if (lane->first != NULL || lane->is_stopping)
        return;
    int64_t until_ms = monotonic_ms() + lane->errands->options.snapshot_kept_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&lane->wakeup, &lane->mutex, &until);
}

static struct errand *errand_take(struct lane *lane) {
    pthread_mutex_lock(&lane->mutex);
    lane->is_swapping = false;
    while (lane->first == NULL && !lane->is_stopping)
        lane_wait(lane);
    struct errand *errand = lane->is_stopping ? NULL : lane->first;
    if (errand != NULL) {
        lane->first = errand->next;
        if (lane->first == NULL)
            lane->end = &lane->first;
        lane->is_swapping = errand->action.kind == ACTION_SWAP;
        lane->swapping = errand->action;
    }
    pthread_mutex_unlock(&lane->mutex);
    return errand;
}

static void *lane_run(void *argument) {
    struct lane *lane = argument;
    struct errand *errand;
    while ((errand = errand_take(lane)) != NULL) {
        bool has_outcome = errand_do(lane->errands, errand);
        errand->parcel.deliver = on_delivered;
        if (!has_outcome || mailbox_post(lane->errands->options.mailbox, &errand->parcel) != STATUS_OK)
            errand_free(errand);
    }
    return NULL;
}

static bool is_same_swap(const struct action *a, const struct action *b) {
    return a->version == b->version && range_record_equal(&a->record, &b->record);
}

/* The core asks again when it has waited for long. What has not begun yet need not be done twice, or for nothing. */
static bool lane_has_swap(struct lane *lane, const struct action *action) {
    if (lane->is_swapping && is_same_swap(&lane->swapping, action))
        return true;
    for (struct errand *errand = lane->first; errand != NULL; errand = errand->next)
        if (errand->action.record.range == action->record.range) {
            errand->action = *action;
            return true;
        }
    return false;
}

static void lane_add(struct lane *lane, struct errand *errand) {
    pthread_mutex_lock(&lane->mutex);
    if (errand->action.kind == ACTION_SWAP && lane_has_swap(lane, &errand->action)) {
        errand_free(errand);
    } else {
        *lane->end = errand;
        lane->end = &errand->next;
        pthread_cond_signal(&lane->wakeup);
    }
    pthread_mutex_unlock(&lane->mutex);
}

static void lane_stop(struct lane *lane) {
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_cond_signal(&lane->wakeup);
    pthread_mutex_unlock(&lane->mutex);
}

/* It has been stopped. */
static void lane_close(struct lane *lane) {
    pthread_join(lane->thread, NULL);
    for (struct errand *errand = lane->first, *next; errand != NULL; errand = next) {
        next = errand->next;
        errand_free(errand);
    }
    pthread_cond_destroy(&lane->wakeup);
    pthread_mutex_destroy(&lane->mutex);
}

static bool lane_start(struct lane *lane, struct errands *errands) {
    lane->errands = errands;
    lane->end = &lane->first;
    pthread_mutex_init(&lane->mutex, NULL);
    background_cond_init(&lane->wakeup);
    if (pthread_create(&lane->thread, NULL, lane_run, lane) == 0)
        return true;
    pthread_cond_destroy(&lane->wakeup);
    pthread_mutex_destroy(&lane->mutex);
    return false;
}

int errands_start(const struct errands_options *options, struct errands **out) {
    struct errands *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    if (self->options.snapshot_kept_ms == 0)
        self->options.snapshot_kept_ms = SNAPSHOT_KEPT_MS;
    while (self->lanes_count < LANES && lane_start(&self->lanes[self->lanes_count], self))
        self->lanes_count++;
    if (self->lanes_count < LANES) {
        errands_stop(self);
        return STATUS_INTERNAL_ERROR;
    }
    *out = self;
    return STATUS_OK;
}

static struct lane *lane_of(struct errands *self, const struct action *action) {
    if (action->kind == ACTION_SWAP)
        return &self->lanes[action->record.range % SWAP_LANES];
    return &self->lanes[action->kind == ACTION_READ_CHUNK ? CHUNKS_LANE : ROWS_LANE];
}

void errands_run(struct errands *self, const struct action *action) {
    struct errand *errand = calloc(1, sizeof(*errand));
    check(errand != NULL);
    errand->on_event = self->options.on_event;
    errand->context = self->options.context;
    errand->action = *action;
    arena_init(&errand->arena);
    buffer_init(&errand->rows);
    lane_add(lane_of(self, action), errand);
}

void errands_stop(struct errands *self) {
    for (size_t i = 0; i < self->lanes_count; i++)
        lane_stop(&self->lanes[i]);
    for (size_t i = 0; i < self->lanes_count; i++)
        lane_close(&self->lanes[i]);
    for (struct reading *reading = self->readings, *next; reading != NULL; reading = next) {
        next = reading->next;
        reading_free(reading);
    }
    free(self);
}
