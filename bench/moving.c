#include "bench/moving.h"

#include <stdlib.h>

#include "bench/cluster_watch.h"
#include "bench/endpoints_file.h"
#include "bench/fill.h"
#include "bench/happenings.h"
#include "bench/load.h"
#include "bench/positions.h"
#include "bench/returning.h"
#include "proto/check.h"
#include "proto/status.h"

#define COMMANDS_END_NS 60000000000LL /* for commands that still run when the load is over */

struct moving {
    struct load load; /* first: the events' context */
    struct returning returning;
    struct happenings happenings;
    struct cluster_watch watch;
    struct endpoints_file endpoints;
    uint64_t *positions; /* of the threads, or NULL */
};

static struct moving *moving_of(const struct session *session) {
    return session->host->context;
}

static void on_ready(struct session *session) {
    struct moving *moving = moving_of(session);
    if (!returning_on_ready(&moving->returning, session))
        connector_on_ready(&moving->load.rig.connector);
}

static void on_failed(struct session *session, bool is_temporary, const char *reason) {
    struct moving *moving = moving_of(session);
    if (!returning_on_failed(&moving->returning, session, reason))
        connector_on_failed(&moving->load.rig.connector, session, is_temporary, reason);
}

static void on_closed(struct session *session, const char *reason) {
    returning_on_closed(&moving_of(session)->returning, session, reason);
}

static void on_delivery(struct session *session, bool is_whole, const struct payload *payload, uint64_t position,
                        int64_t now_ns) {
    struct moving *moving = moving_of(session);
    if (!is_whole || returning_wants(&moving->returning, session, payload, position))
        load_take_delivery(&moving->load, session, is_whole, payload, position, now_ns);
}

static void on_answer(struct session *session, const struct session_answer *answer, int64_t now_ns) {
    load_take_answer(&moving_of(session)->load, answer, now_ns);
}

static void on_goaway(struct session *session, int64_t after_ms) {
    returning_on_goaway(&moving_of(session)->returning, session, after_ms);
}

static void on_resumed(struct session *session, uint64_t offset, bool is_gap) {
    returning_on_resumed(&moving_of(session)->returning, session, offset, is_gap);
}

static const struct session_events moving_events = {
    .on_ready = on_ready,
    .on_failed = on_failed,
    .on_closed = on_closed,
    .on_delivery = on_delivery,
    .on_answer = on_answer,
    .on_goaway = on_goaway,
    .on_resumed = on_resumed,
};

static bool is_balanced_since(void *context, int64_t since_ns) {
    const struct moving *moving = context;
    return cluster_watch_is_balanced_since(&moving->watch, since_ns);
}

static void on_second(struct load *load) {
    struct moving *moving = (struct moving *)load;
    returning_lose_patience(&moving->returning);
    endpoints_file_follow(&moving->endpoints, load->options);
    if (load->options->is_until_balanced && happenings_are_over(&moving->happenings) &&
        cluster_watch_is_balanced_since(&moving->watch, moving->happenings.ended_ns))
        load_end_early(load);
}

static void commands_await(struct moving *moving) {
    struct loop *loop = &moving->load.rig.loop;
    int64_t deadline_ns = loop_now_ns() + COMMANDS_END_NS;
    moving->happenings.timer.at_ns = 0;
    while (moving->happenings.running > 0 && loop_now_ns() < deadline_ns)
        loop_turn(loop, deadline_ns);
    happenings_close(&moving->happenings);
    if (moving->load.options->mode == MODE_REBALANCE)
        moving->load.result->moved->never_begun = moving->load.options->planned_count - moving->happenings.begun;
}

static void run_through(struct moving *moving) {
    struct load *load = &moving->load;
    struct moved *moved = load->result->moved;
    load_start(load);
    cluster_watch_start(&moving->watch, load->options, &load->rig.loop, &load->rig.http, moved,
                        &load->measure.start_ns);
    happenings_start(&moving->happenings, load->options, &load->rig.loop, moved, load->measure.start_ns,
                     load->measure.window_end_ns, is_balanced_since, moving);
    load_run(load);
    commands_await(moving);
    load_sum(load);
    stalls_find(&moved->stalls, load->tallies, load->options, load->measure.start_ns, &moved->movements,
                moving->positions);
    moved->are_hand_overs_told_apart = moving->positions != NULL;
}

int moving_run(struct options *options, struct result *result, char *reason, size_t reason_size) {
    struct moving *moving = calloc(1, sizeof *moving);
    check(moving != NULL);
    struct load *load = &moving->load;
    load->on_second = on_second;
    load->is_patient = true;
    int rc = load_open(load, options, result, &moving_events, reason, reason_size);
    if (rc != STATUS_OK)
        goto free_moving;
    returning_init(&moving->returning, load, result->moved);
    rc = fill_run(options, &load->rig.http, result->moved, reason, reason_size);
    if (rc == STATUS_OK)
        rc = rig_connect(&load->rig, result, reason, reason_size);
    bool has_run = rc == STATUS_OK;
    if (has_run) {
        moving->positions = positions_ask(options, &load->rig.population, &load->rig.http);
        run_through(moving);
    }
    load_close(load);
    /* Only now are calls ended that it has under way. */
    if (has_run)
        cluster_watch_close(&moving->watch);
    returning_close(&moving->returning);
    free(moving->positions);
free_moving:
    free(moving);
    return rc;
}
