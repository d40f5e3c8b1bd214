#include "node/trace_rings.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "proto/check.h"

/*  word 0: time << 8 | stage      word 1: position of the thread's hash
 *  word 2: number << 8 | detail   word 3: about                           */
#define WORDS (TRACE_RING_EVENT_BYTES / sizeof(uint64_t))

struct trace_ring {
    _Atomic uint64_t noted; /* events so far; the next one goes to `noted` modulo the size */
    uint64_t mask;
    _Atomic uint64_t *words;
};

struct trace {
    int64_t since_us;
    size_t rings_count;
    struct trace_ring rings[];
};

static size_t power_of_two(size_t least) {
    size_t size = 1;
    while (size < least)
        size *= 2;
    return size;
}

struct trace *trace_new(size_t rings_count, size_t events) {
    if (events == 0)
        return NULL;
    size_t size = power_of_two(events);
    struct trace *trace = calloc(1, sizeof(*trace) + rings_count * sizeof(trace->rings[0]));
    check(trace != NULL);
    trace->since_us = trace_now_us();
    trace->rings_count = rings_count;
    for (size_t i = 0; i < rings_count; i++) {
        trace->rings[i].mask = size - 1;
        trace->rings[i].words = calloc(size * WORDS, sizeof(uint64_t));
        check(trace->rings[i].words != NULL);
    }
    return trace;
}

void trace_free(struct trace *trace) {
    for (size_t i = 0; trace != NULL && i < trace->rings_count; i++)
        free(trace->rings[i].words);
    free(trace);
}

struct trace_ring *trace_ring(struct trace *trace, size_t index) {
    if (trace == NULL)
        return NULL;
    check(index < trace->rings_count);
    return &trace->rings[index];
}

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    check(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t trace_now_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

int64_t trace_unix_us(void) {
    return clock_us(CLOCK_REALTIME);
}

/* ---- noting ---- */

/* A reader that sees a word of this event sees by `noted` that the one before it is gone. */
void trace_note(struct trace_ring *ring, const struct id_hash *thread, const struct trace_event *event) {
    if (ring == NULL)
        return;
    uint64_t noted = atomic_load_explicit(&ring->noted, memory_order_relaxed);
    _Atomic uint64_t *words = ring->words + (noted & ring->mask) * WORDS;
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&words[0], (uint64_t)event->time_us << 8 | (uint8_t)event->stage, memory_order_relaxed);
    atomic_store_explicit(&words[1], id_hash_position(thread), memory_order_relaxed);
    atomic_store_explicit(&words[2], event->number << 8 | event->detail, memory_order_relaxed);
    atomic_store_explicit(&words[3], event->about, memory_order_relaxed);
    atomic_store_explicit(&ring->noted, noted + 1, memory_order_release);
}

/* ---- recalling ---- */

struct recall {
    const struct trace *trace;
    uint64_t thread;
    int64_t to_unix_us; /* what makes unix time of the rings' */
    void *context;
    void (*visit)(void *context, const struct trace_event *event);
};

/* False: the writer has come round meanwhile, or is about to. */
static bool event_copy(const struct trace_ring *ring, uint64_t index, uint64_t words[static WORDS]) {
    const _Atomic uint64_t *from = ring->words + (index & ring->mask) * WORDS;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&ring->noted, memory_order_relaxed) - index <= ring->mask;
}

static void ring_visit(const struct recall *recall, const struct trace_ring *ring) {
    uint64_t words[WORDS];
    uint64_t noted = atomic_load_explicit(&ring->noted, memory_order_acquire);
    for (uint64_t index = noted > ring->mask ? noted - ring->mask : 0; index < noted; index++) {
        const _Atomic uint64_t *thread = ring->words + (index & ring->mask) * WORDS + 1;
        if (atomic_load_explicit(thread, memory_order_relaxed) != recall->thread || !event_copy(ring, index, words) ||
            words[1] != recall->thread)
            continue;
        struct trace_event event = {.stage = (enum trace_stage)(words[0] & UINT8_MAX),
                                    .detail = (uint8_t)(words[2] & UINT8_MAX),
                                    .time_us = (int64_t)(words[0] >> 8) + recall->to_unix_us,
                                    .number = words[2] >> 8,
                                    .about = words[3]};
        recall->visit(recall->context, &event);
    }
}

static void all_visit(struct recall *recall, void (*visit)(void *context, const struct trace_event *event),
                      void *context) {
    recall->visit = visit;
    recall->context = context;
    for (size_t i = 0; i < recall->trace->rings_count; i++)
        ring_visit(recall, &recall->trace->rings[i]);
}

/* How far back a ring reaches: to the oldest event, or if none is gone to the beginning. */
static int64_t ring_from_us(const struct trace *trace, size_t index) {
    const struct trace_ring *ring = &trace->rings[index];
    uint64_t words[WORDS];
    uint64_t noted = atomic_load_explicit(&ring->noted, memory_order_acquire);
    if (noted <= ring->mask)
        return trace->since_us;
    return event_copy(ring, noted - ring->mask, words) ? (int64_t)(words[0] >> 8) : trace_now_us();
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t rings_from_us(const struct trace *trace, size_t first, size_t end) {
    int64_t from_us = trace->since_us;
    for (size_t i = first; i < end; i++)
        from_us = later(from_us, ring_from_us(trace, i));
    return from_us;
}

/* ---- of some changes ---- */

struct gathering {
    const struct trace_change *changes;
    size_t changes_count;
    uint64_t indexes[TRACE_CHANGES_MAX]; /* of the log */
    size_t indexes_count;
    struct buffer events;
    bool is_cut;
};

static void gather(struct gathering *self, const struct trace_event *event) {
    if (self->events.size / TRACE_EVENT_BYTES < TRACE_EVENTS_MAX)
        trace_event_add(&self->events, event);
    else
        self->is_cut = true;
}

static void index_keep(struct gathering *self, uint64_t index) {
    for (size_t i = 0; i < self->indexes_count; i++)
        if (self->indexes[i] == index)
            return;
    if (self->indexes_count < TRACE_CHANGES_MAX)
        self->indexes[self->indexes_count++] = index;
}

static void of_changes_gather(void *context, const struct trace_event *event) {
    struct gathering *self = context;
    for (size_t i = 0; event->stage >= TRACE_APPLIED && i < self->changes_count; i++) {
        if (self->changes[i].offset != event->number)
            continue;
        gather(self, event);
        if (event->stage == TRACE_APPLIED)
            index_keep(self, event->about);
    }
}

static void of_log_gather(void *context, const struct trace_event *event) {
    struct gathering *self = context;
    for (size_t i = 0; event->stage < TRACE_APPLIED && i < self->indexes_count; i++)
        if (self->indexes[i] == event->number)
            gather(self, event);
}

void trace_recall(struct trace *trace, const struct id_hash *thread, const struct trace_change *changes, size_t count,
                  struct arena *arena, struct trace_memory *memory) {
    int64_t unix_us = trace_unix_us(), to_unix_us = unix_us - trace_now_us();
    *memory = (struct trace_memory){.now_us = unix_us, .is_off = trace == NULL};
    if (trace == NULL)
        return;
    struct gathering gathering = {.changes = changes, .changes_count = count};
    struct recall recall = {.trace = trace, .thread = id_hash_position(thread), .to_unix_us = to_unix_us};
    buffer_init(&gathering.events);
    all_visit(&recall, of_changes_gather, &gathering);
    all_visit(&recall, of_log_gather, &gathering);
    memory->log_from_us = to_unix_us + rings_from_us(trace, TRACE_RING_CORE, TRACE_RING_WORKERS);
    memory->told_from_us = to_unix_us + rings_from_us(trace, TRACE_RING_WORKERS, trace->rings_count);
    memory->is_cut = gathering.is_cut;
    memory->events = arena_copy(arena, buffer_bytes(&gathering.events));
    buffer_close(&gathering.events);
}

/* ---- of a message ---- */

struct tracking {
    uint64_t message_id;
    struct trace_change *changes;
    size_t count;
};

static void of_message_gather(void *context, const struct trace_event *event) {
    struct tracking *self = context;
    if (event->stage != TRACE_MESSAGE || event->about != self->message_id || self->count == TRACE_CHANGES_MAX)
        return;
    size_t at = self->count;
    while (at > 0 && self->changes[at - 1].offset > event->number)
        at--;
    if (at > 0 && self->changes[at - 1].offset == event->number)
        return;
    memmove(self->changes + at + 1, self->changes + at, (self->count - at) * sizeof(self->changes[0]));
    self->changes[at] = (struct trace_change){.offset = event->number, .kind = event->detail};
    self->count++;
}

size_t trace_changes_of(struct trace *trace, const struct id_hash *thread, uint64_t message_id,
                        struct trace_change changes[static TRACE_CHANGES_MAX]) {
    struct tracking tracking = {.message_id = message_id, .changes = changes};
    struct recall recall = {.trace = trace, .thread = id_hash_position(thread)};
    if (trace != NULL)
        all_visit(&recall, of_message_gather, &tracking);
    return tracking.count;
}
