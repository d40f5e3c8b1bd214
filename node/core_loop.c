#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "node/cluster.h"
#include "node/events/feed.h"
#include "node/gateway/fanout.h"
#include "node/log.h"
#include "node/ops/metrics.h"
#include "node/server_parts.h"
#include "node/trace_points.h"
#include "proto/check.h"
#include "proto/limits.h"

#define BATCH_SMALL 8 /* entries */

static void on_answer_delivered(void *receiver, struct parcel *parcel) {
    struct worker *worker = receiver;
    struct reply *reply = (struct reply *)parcel;
    reply->on_answer(gateway_worker_of(worker), reply);
}

static void answer_perform(struct server *server, const struct action *action) {
    struct reply *reply = action->reply_to;
    if (action->result.rc == STATUS_OK)
        latencies_add(&server->commits, (uint64_t)(trace_now_us() - reply->proposed_us));
    reply->result = action->result;
    reply->copies = action->copies;
    reply->parcel.deliver = on_answer_delivered;
    if (worker_post(&server->workers[action->worker], &reply->parcel) != STATUS_OK)
        free(reply); /* its worker has stopped, and answered its client already */
}

static void fan_out_perform(struct server *server, const struct action *action) {
    size_t count = server->gateway.workers_count;
    trace_fanned_out(trace_ring(server->gateway.trace, TRACE_RING_CORE), action->change);
    struct broadcast *broadcast = broadcast_new(action->change, action->copies, count);
    if (action->from_offset != 0)
        broadcast_covers_from(broadcast, action->from_offset);
    for (size_t i = 0; i < count; i++)
        if (worker_post(&server->workers[i], broadcast_parcel(broadcast, i)) != STATUS_OK)
            broadcast_release(broadcast);
}

static void actions_perform(struct server *server) {
    for (size_t i = 0; i < server->actions.count; i++) {
        const struct action *action = &server->actions.items[i];
        switch (action->kind) {
        case ACTION_WRITE:
            trace_batch_lent(trace_ring(server->gateway.trace, TRACE_RING_CORE), action->batch);
            disk_write(server->disk, action->batch);
            break;
        case ACTION_ANSWER:
            answer_perform(server, action);
            break;
        case ACTION_FAN_OUT:
            fan_out_perform(server, action);
            break;
        case ACTION_SERVE:
            routing_serve(server, action);
            break;
        case ACTION_REPLY:
            routing_reply(server, action);
            break;
        case ACTION_LOOK_AGAIN:
            routing_look_again(server, &action->subject);
            break;
        case ACTION_EVENTS:
            own_events_take(server, action);
            break;
        case ACTION_LISTENING:
            routing_listening(server, &action->subject);
            break;
        case ACTION_REPEAT:
        case ACTION_SEND:
        case ACTION_SWAP:
        case ACTION_READ_OUTBOX:
        case ACTION_READ_CHUNK:
            check(server->cluster != NULL); /* a node alone has nobody to ask */
            cluster_perform(server->cluster, action);
            break;
        }
    }
    server->actions.count = 0;
    node_core_done(server->core);
}

/* It goes on while the machine sleeps, as the others' patience does: a lease must not outlive it. */
int64_t core_loop_monotonic_ms(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Of a node in a cluster, where others may do what this one cannot. */
static void disk_note(struct server *server) {
    struct node_core_statistics core = node_core_statistics(server->core);
    int rc = core.disk == NODE_CORE_DISK_REFUSES ? core.disk_rc : STATUS_OK;
    atomic_store_explicit(&server->disk_refuses_rc, rc, memory_order_relaxed);
    if (core.disk == server->disk_state)
        return;
    server->disk_state = core.disk;
    if (core.disk == NODE_CORE_DISK_REFUSES)
        log_error("the disk of this node refuses writes, so others lead its ranges as far as they can: %s",
                  status_sentence(rc));
    else if (core.disk == NODE_CORE_DISK_IS_FULL)
        log_error("the store of this node is full: until there is room, changes of the ranges that it holds are "
                  "refused at every node, but for those that remove something");
    else
        log_info("there is room on the disk of this node, and it takes writes");
}

/* The times are taken here, where the order of the steps is. */
static void step_locked(struct server *server, struct event *event) {
    event->now_ms = worker_wall_ms();
    event->mono_ms = core_loop_monotonic_ms();
    node_core_step(server->core, event, &server->actions);
    if (server->leads != NULL)
        routing_update(server);
    if (server->cluster != NULL)
        disk_note(server);
    actions_perform(server);
}

void core_loop_step(struct server *server, struct event *event) {
    pthread_mutex_lock(&server->core_mutex);
    step_locked(server, event);
    pthread_mutex_unlock(&server->core_mutex);
}

struct proposal_parcel {
    struct parcel parcel;
    struct entry *entry;
};

static void on_proposal(void *receiver, struct parcel *parcel) {
    struct server *server = receiver;
    struct proposal_parcel *proposal = (struct proposal_parcel *)parcel;
    struct event event = {.kind = EVENT_PROPOSE, .entry = proposal->entry};
    free(proposal);
    core_loop_step(server, &event);
    atomic_fetch_sub(&server->posted, 1);
}

/* True: done. Waking the loop costs more than a step, so while nobody else steps the core the proposer does it by
 * itself; but the links to other nodes are the loop's. Not before what was posted earlier, because what a client sends
 * keeps its order: "is typing" does not come behind the message that was typed. */
static bool propose_directly(struct server *server, struct entry *entry) {
    if (server->cluster != NULL || atomic_load(&server->posted) > 0 || pthread_mutex_trylock(&server->core_mutex) != 0)
        return false;
    struct event event = {.kind = EVENT_PROPOSE, .entry = entry};
    step_locked(server, &event);
    pthread_mutex_unlock(&server->core_mutex);
    return true;
}

static struct node_core_statistics statistics_get(struct server *server) {
    pthread_mutex_lock(&server->core_mutex);
    struct node_core_statistics statistics = node_core_statistics(server->core);
    pthread_mutex_unlock(&server->core_mutex);
    return statistics;
}

/* STATUS_SHUTTING_DOWN: the entry is still the caller's. */
static int entry_propose(struct server *server, struct entry *entry) {
    if (atomic_load(&server->is_watched))
        entry->command.is_watched = command_changes_thread(entry->command.kind);
    if (propose_directly(server, entry))
        return STATUS_OK;
    struct proposal_parcel *proposal = calloc(1, sizeof(*proposal));
    check(proposal != NULL);
    proposal->parcel.deliver = on_proposal;
    proposal->entry = entry;
    atomic_fetch_add(&server->posted, 1);
    int rc = mailbox_post(&server->mailbox, &proposal->parcel);
    if (rc != STATUS_OK) {
        atomic_fetch_sub(&server->posted, 1);
        free(proposal);
    }
    return rc;
}

int core_loop_propose(void *context, struct entry *entry) {
    ((struct reply *)entry->reply_to)->proposed_us = trace_now_us();
    return entry_propose(context, entry);
}

/* Clients and what they have begun come first. */
static bool has_room_for_own(struct server *server) {
    struct node_core_statistics core = statistics_get(server);
    return atomic_load(&server->posted) + core.waiting + core.on_disk + core.follow_ups < LIMIT_OWN_PROPOSALS_MAX;
}

int core_loop_propose_own(void *context, const struct command *command) {
    if (!has_room_for_own(context))
        return STATUS_OVERLOADED;
    struct entry *entry = entry_new_own(command);
    int rc = entry_propose(context, entry);
    if (rc != STATUS_OK)
        entry_free(entry);
    return rc;
}

struct notice_parcel {
    struct parcel parcel;
    struct buffer encoded;
};

static void on_notice(void *receiver, struct parcel *parcel) {
    struct server *server = receiver;
    struct notice_parcel *notice = (struct notice_parcel *)parcel;
    struct change change;
    struct arena arena;
    arena_init(&arena);
    check(change_decode(buffer_bytes(&notice->encoded), &arena, &change) == STATUS_OK);
    struct event event = {.kind = EVENT_NOTICE, .notice = &change};
    core_loop_step(server, &event);
    atomic_fetch_sub(&server->posted, 1);
    arena_close(&arena);
    buffer_close(&notice->encoded);
    free(notice);
}

int core_loop_notice(void *context, const struct change *change) {
    struct server *server = context;
    struct notice_parcel *notice = calloc(1, sizeof(*notice));
    check(notice != NULL);
    notice->parcel.deliver = on_notice;
    buffer_init(&notice->encoded);
    change_encode(change, &notice->encoded);
    own_events_notice(server, change);
    atomic_fetch_add(&server->posted, 1);
    int rc = mailbox_post(&server->mailbox, &notice->parcel);
    if (rc != STATUS_OK) {
        atomic_fetch_sub(&server->posted, 1);
        buffer_close(&notice->encoded);
        free(notice);
    }
    return rc;
}

/* Said once, not with every batch: a log on a full disk would only make it fuller. */
static void storing_note(struct server *server, const struct batch *batch) {
    bool used_the_reserve = batch->is_removal && batch->rc == STATUS_OK; /* says nothing about the others */
    if (batch->rc == server->storing_rc || used_the_reserve)
        return;
    server->storing_rc = batch->rc;
    if (batch->rc == STATUS_OK)
        log_info("changes are stored again");
    else
        log_error("a batch of %zu entries was not stored: %s", batch->count, status_sentence(batch->rc));
}

static void batch_return(struct server *server, struct batch *batch) {
    struct event event = {.kind = EVENT_BATCH_DONE, .batch = batch};
    if (server->cluster == NULL)
        storing_note(server, batch);
    core_loop_step(server, &event);
}

static void on_batch_delivered(void *receiver, struct parcel *parcel) {
    struct server *server = receiver;
    (void)parcel;
    batch_return(server, server->batch_done);
}

/* On the disk's thread, which finishes a small batch by itself: waking the loop would cost more. A large one is the
 * loop's, and the disk goes on with the next. A copy of a range may still come or go while the loop ends, as nobody
 * waits for that: such a batch is done, and what is left of it is the core's to free. */
void core_loop_on_written(void *context, struct batch *batch) {
    struct server *server = context;
    trace_batch_written(trace_ring(server->gateway.trace, TRACE_RING_DISK), batch);
    if (batch->count <= BATCH_SMALL && server->cluster == NULL) {
        batch_return(server, batch);
        return;
    }
    server->batch_done = batch;
    if (mailbox_post(&server->mailbox, &server->batch_parcel) != STATUS_OK)
        log_debug("the last batch was written when the loop had ended");
}

bool core_loop_is_idle(struct server *server) {
    struct node_core_statistics statistics = statistics_get(server);
    return statistics.waiting == 0 && statistics.on_disk == 0 && atomic_load(&server->posted) == 0;
}

bool core_loop_may_leave(struct server *server) {
    pthread_mutex_lock(&server->core_mutex);
    bool may_leave = node_core_may_leave(server->core, core_loop_monotonic_ms());
    pthread_mutex_unlock(&server->core_mutex);
    return may_leave;
}

static void on_tick(uv_timer_t *timer) {
    struct server *server = timer->data;
    struct event event = {.kind = EVENT_TICK};
    core_loop_step(server, &event);
    struct node_core_statistics statistics = statistics_get(server);
    struct cluster_statistics links;
    if (server->cluster != NULL)
        cluster_statistics(server->cluster, &links);
    own_events_tick(server);
    metrics_core_update(&statistics, feed_count(server->feed), server->cluster == NULL ? NULL : &links);
}

int core_loop_open(struct server *server) {
    check(pthread_mutex_init(&server->core_mutex, NULL) == 0);
    check(uv_loop_init(&server->loop) == 0);
    int rc = mailbox_init(&server->mailbox, &server->loop, server);
    if (rc != STATUS_OK)
        return rc;
    server->batch_parcel.deliver = on_batch_delivered;
    uv_timer_init(&server->loop, &server->tick);
    server->tick.data = server;
    uv_timer_start(&server->tick, on_tick, CORE_TICK_MS, CORE_TICK_MS);
    return STATUS_OK;
}

static void close_once(uv_handle_t *handle, void *context) {
    struct server *server = context;
    bool is_ours = handle != (uv_handle_t *)&server->mailbox.poll;
    if (is_ours && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_cluster_closed(void *context) {
    struct server *server = context;
    server->is_cluster_closed = true;
}

/* True: the cluster's handles are gone from the loop. The shutdown timer asks again. */
static bool cluster_has_ended(struct server *server) {
    if (server->cluster == NULL || server->is_cluster_closed)
        return true;
    if (!server->is_cluster_closing)
        cluster_close(server->cluster, on_cluster_closed, server);
    server->is_cluster_closing = true;
    return server->is_cluster_closed;
}

void core_loop_end(struct server *server) {
    if (!cluster_has_ended(server) || uv_is_closing((uv_handle_t *)&server->tick))
        return;
    uv_walk(&server->loop, close_once, server);
    /* The loop no longer catches them; one that comes so late must not make an orderly end look like a crash. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    mailbox_close(&server->mailbox, NULL);
}
