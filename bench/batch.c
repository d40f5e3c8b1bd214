#include "bench/batch.h"

#include <stdio.h>

#include "bench/progress.h"
#include "proto/status.h"

#define TRIES_MAX 40
#define TRIES_WITHOUT_ANSWER_MAX 4
#define PAUSE_NS_MIN 500000000LL
#define TURN_NS_MAX 100000000LL

struct slot {
    struct runner *runner;
    const struct address *address;
    size_t index;
    unsigned tries;
    bool is_taken;
    int64_t repeat_at_ns; /* 0: a call is under way */
};

struct runner {
    const struct batch *batch;
    struct http *http;
    struct arena arena;
    size_t started;
    size_t done;
    int rc;
    char *reason;
    size_t reason_size;
    struct slot slots[BATCH_PARALLEL];
};

static bool is_worth_repeating(const struct slot *slot, long status) {
    if (status == 0)
        return slot->tries < TRIES_WITHOUT_ANSWER_MAX;
    return slot->tries < TRIES_MAX && (status == 408 || status == 429 || status == 503);
}

static void refuse(struct runner *runner, const struct slot *slot, const struct http_answer *answer) {
    runner->rc = STATUS_SERVICE_UNAVAILABLE;
    if (answer->status == 0)
        snprintf(runner->reason, runner->reason_size, "%s: %s: %s", runner->batch->label, slot->address->origin,
                 answer->error);
    else
        snprintf(runner->reason, runner->reason_size, "%s was answered with %ld %.*s", runner->batch->label,
                 answer->status, answer->body.size > 300 ? 300 : (int)answer->body.size,
                 (const char *)answer->body.data);
}

static void on_done(void *context, const struct http_answer *answer) {
    struct slot *slot = context;
    struct runner *runner = slot->runner;
    const struct batch *batch = runner->batch;
    if (answer->status == batch->wanted_status && batch->take(batch->context, slot->index, answer->body)) {
        slot->is_taken = false;
        runner->done++;
    } else if (is_worth_repeating(slot, answer->status)) {
        int64_t pause_ns = (int64_t)answer->retry_after_s * 1000000000;
        slot->repeat_at_ns = loop_now_ns() + (pause_ns < PAUSE_NS_MIN ? PAUSE_NS_MIN : pause_ns);
    } else {
        slot->is_taken = false;
        refuse(runner, slot, answer);
    }
}

static void start(struct slot *slot) {
    struct runner *runner = slot->runner;
    struct http_call call = {.on_done = on_done, .context = slot};
    runner->batch->prepare(runner->batch->context, slot->index, &runner->arena, &call);
    slot->address = call.address;
    slot->tries++;
    slot->repeat_at_ns = 0;
    http_send(runner->http, &call);
    arena_reset(&runner->arena);
}

static void fill_slots(struct runner *runner) {
    int64_t now_ns = loop_now_ns();
    for (size_t i = 0; i < BATCH_PARALLEL && runner->rc == STATUS_OK; i++) {
        struct slot *slot = &runner->slots[i];
        if (!slot->is_taken && runner->started < runner->batch->count) {
            *slot = (struct slot){.runner = runner, .index = runner->started++, .is_taken = true};
            start(slot);
        } else if (slot->is_taken && slot->repeat_at_ns != 0 && slot->repeat_at_ns <= now_ns) {
            start(slot);
        }
    }
}

static bool has_calls(const struct runner *runner) {
    for (size_t i = 0; i < BATCH_PARALLEL; i++)
        if (runner->slots[i].is_taken && runner->slots[i].repeat_at_ns == 0)
            return true;
    return false;
}

int batch_run(const struct batch *batch, struct http *http, char *reason, size_t reason_size) {
    struct runner runner = {.batch = batch, .http = http, .reason = reason, .reason_size = reason_size};
    struct progress progress = {0};
    arena_init(&runner.arena);
    /* After a refusal the calls under way are still waited for: they point into this frame. */
    while ((runner.rc == STATUS_OK && runner.done < batch->count) || has_calls(&runner)) {
        fill_slots(&runner);
        loop_turn(http->loop, loop_now_ns() + TURN_NS_MAX);
        progress_bar(&progress, batch->label, runner.done, batch->count);
    }
    progress_clear();
    arena_close(&runner.arena);
    return runner.rc;
}
