#include "bench/cluster_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/counters.h"
#include "proto/check.h"
#include "proto/status.h"

#define STATE_STEP_NS 250000000LL
#define COUNTERS_STEP_NS 1000000000LL
#define ANSWER_MS_MAX 2000L
/* The balancer looks each second, so what has not moved for some of its turns is at rest. */
#define BALANCED_NS 4000000000LL

static const char *const transfer_counters[TRANSFERS] = {
    [TRANSFERS_ALL] = "weft_peer_sent_bytes_total",
    [TRANSFERS_COPIES] = "weft_snapshot_sent_bytes_total",
};

static const struct {
    const char *histogram, *longest;
} hold_counters[HOLDS] = {
    [HOLDS_GIVEN] = {"weft_hand_over_held_seconds", "weft_hand_over_held_longest_seconds"},
    [HOLDS_TAKEN] = {"weft_hand_over_taken_seconds", "weft_hand_over_taken_longest_seconds"},
    [HOLDS_TOGETHER] = {"weft_hand_over_stall_seconds", "weft_hand_over_stall_longest_seconds"},
};

static double seconds_of(const struct cluster_watch *watch, int64_t time_ns) {
    return (double)(time_ns - *watch->start_ns) / 1e9;
}

static void ask(struct cluster_watch *watch, const struct address *address, const char *target, http_on_done *on_done,
                void *context) {
    const char *headers[] = {watch->authorization, NULL};
    http_send(watch->http, &(struct http_call){
                               .method = "GET",
                               .address = address,
                               .target = target,
                               .headers = headers,
                               .on_done = on_done,
                               .context = context,
                               .timeout_ms = ANSWER_MS_MAX,
                           });
}

/* The state of the cluster */

static void state_take(struct cluster_watch *watch, const struct cluster_state *state) {
    int64_t now_ns = loop_now_ns();
    if (!watch->has_state)
        watch->asked_before_ns = watch->asked_ns;
    movements_note(&watch->moved->movements, state, seconds_of(watch, watch->asked_before_ns),
                   seconds_of(watch, now_ns));
    if (!state->is_balanced)
        watch->balanced_since_ns = 0;
    else if (watch->balanced_since_ns == 0)
        watch->balanced_since_ns = watch->asked_ns;
    watch->asked_before_ns = watch->asked_ns;
    watch->has_state = true;
    watch->moved->watch_problem[0] = 0;
    watch->moved->is_balanced_at_end = state->is_balanced;
}

static void problem_note(struct cluster_watch *watch, const struct http_answer *answer, const char *reason) {
    /* A refusal tells more than the silence of a node that is away. */
    if (watch->has_state || (answer->status == 0 && watch->moved->watch_problem[0] != 0))
        return;
    if (answer->status == 0)
        reason = answer->error;
    snprintf(watch->moved->watch_problem, sizeof watch->moved->watch_problem,
             "GET /admin/cluster was answered with %ld: %s", answer->status, reason);
}

static void on_state(void *context, const struct http_answer *answer) {
    struct cluster_watch *watch = context;
    struct cluster_state state;
    const char *reason = "not what was asked for";
    int rc = STATUS_NOT_FOUND;
    if (answer->status == 200)
        rc = cluster_state_parse(&watch->arena, answer->body, &state, &reason);
    if (rc == STATUS_OK) {
        state_take(watch, &state);
    } else {
        problem_note(watch, answer, reason);
        watch->node = (watch->node + 1) % watch->options->nodes_count;
    }
    arena_reset(&watch->arena);
    int64_t next_ns = watch->asked_ns + STATE_STEP_NS, now_ns = loop_now_ns();
    watch->state_timer.at_ns = next_ns > now_ns ? next_ns : now_ns + 1;
}

static void on_state_time(void *context, int64_t now_ns) {
    struct cluster_watch *watch = context;
    watch->asked_ns = now_ns;
    ask(watch, &watch->options->nodes[watch->node], "/admin/cluster", on_state, watch);
}

bool cluster_watch_is_balanced_since(const struct cluster_watch *watch, int64_t since_ns) {
    if (watch->balanced_since_ns == 0)
        return false;
    int64_t from_ns = watch->balanced_since_ns > since_ns ? watch->balanced_since_ns : since_ns;
    return loop_now_ns() - from_ns >= BALANCED_NS;
}

/* Counters */

static void counter_take(struct watch_target *target, struct bytes metrics, size_t kind) {
    const struct cluster_watch *watch = target->watch;
    double bytes;
    if (!counter_read(metrics, transfer_counters[kind], &bytes))
        return;
    /* What was gained since the last look belongs to the second before this one. */
    if (target->has_bytes[kind])
        transfers_add(&watch->moved->transfers[kind], seconds_of(watch, loop_now_ns()) - 1,
                      counter_gain(target->bytes[kind], bytes));
    watch->moved->transfers[kind].is_known = true;
    target->has_bytes[kind] = true;
    target->bytes[kind] = bytes;
}

/* What one that came later counts, it has counted during the run. */
static bool was_there_at_start(const struct watch_target *target) {
    return (size_t)(target - target->watch->targets) < target->watch->nodes_at_start;
}

static void hold_take(struct watch_target *target, struct bytes metrics, size_t kind) {
    struct hold *hold = &target->watch->moved->holds[kind];
    struct counter_histogram now;
    double longest_s;
    if (!counter_histogram_read(metrics, hold_counters[kind].histogram, &now) ||
        !counter_read(metrics, hold_counters[kind].longest, &longest_s))
        return;
    if (target->has_holds || !was_there_at_start(target))
        counter_histogram_gain(&hold->seconds, &target->holds[kind], &now);
    if (longest_s > hold->longest_s)
        hold->longest_s = longest_s;
    target->holds[kind] = now;
}

static void on_counters(void *context, const struct http_answer *answer) {
    struct watch_target *target = context;
    target->is_asked = false;
    for (size_t kind = 0; kind < TRANSFERS && answer->status == 200; kind++)
        counter_take(target, answer->body, kind);
    for (size_t kind = 0; kind < HOLDS && answer->status == 200; kind++)
        hold_take(target, answer->body, kind);
    target->has_holds = target->has_holds || answer->status == 200;
}

static void on_counters_time(void *context, int64_t now_ns) {
    struct cluster_watch *watch = context;
    for (size_t i = 0; i < watch->options->nodes_count; i++) {
        struct watch_target *target = &watch->targets[i];
        if (target->is_asked)
            continue;
        target->watch = watch;
        target->is_asked = true;
        ask(watch, &watch->options->nodes[i], "/metrics", on_counters, target);
    }
    watch->counters_timer.at_ns = now_ns + COUNTERS_STEP_NS;
}

void cluster_watch_start(struct cluster_watch *watch, const struct options *options, struct loop *loop,
                         struct http *http, struct moved *moved, const int64_t *start_ns) {
    *watch = (struct cluster_watch){
        .options = options, .http = http, .moved = moved, .start_ns = start_ns, .nodes_at_start = options->nodes_count};
    arena_init(&watch->arena);
    loop_timer_add(loop, &watch->state_timer, on_state_time, watch);
    loop_timer_add(loop, &watch->counters_timer, on_counters_time, watch);
    if (options->admin_token == NULL) {
        snprintf(moved->watch_problem, sizeof moved->watch_problem, "no admin token: give --admin-token");
        return;
    }
    snprintf(watch->authorization, sizeof watch->authorization, "Authorization: Bearer %s", options->admin_token);
    watch->state_timer.at_ns = loop_now_ns();
    watch->counters_timer.at_ns = loop_now_ns() + COUNTERS_STEP_NS / 4;
}

void cluster_watch_close(struct cluster_watch *watch) {
    watch->state_timer.at_ns = 0;
    watch->counters_timer.at_ns = 0;
    arena_close(&watch->arena);
}
