#include <signal.h>
#include <stdlib.h>

#include "node/gateway/session.h"
#include "node/log.h"
#include "node/server_parts.h"
#include "proto/check.h"

/* Clients are told to move over this time, so that they do not arrive elsewhere at once. */
#define DRAIN_SPREAD_MS 2000
#define DRAIN_MS 10000     /* a drain is over when nobody has left for so long, */
#define DRAIN_MS_MAX 25000 /* and at last; who supervises nodes often waits for 30 s */
/* The shortest while anybody is connected: balancers see that the node is not ready, and who uses a connection again is
 * told that it ends. */
#define DRAIN_NOTICE_MS 1000
#define DRAIN_LOOK_MS 200
#define HAND_OVER_SILENT_MS 2000 /* so long ranges wait to be handed over by a coordinator that does not answer */
#define FINISH_MS 1000 /* how long the core may take to answer what it has before the workers are stopped anyway */
#define FINISH_LOOK_MS 10

static int64_t phase_lasts_ms(const struct server *server) {
    return core_loop_monotonic_ms() - server->phase_began_ms;
}

static void phase_begin(struct server *server, enum server_phase phase, uv_timer_cb look, uint64_t look_ms) {
    server->phase = phase;
    server->phase_began_ms = core_loop_monotonic_ms();
    uv_timer_start(&server->shutdown_timer, look, look_ms, look_ms);
}

/* The workers end before the loop: only then nobody proposes any more, and the loop may end once the core is idle. */
static void on_stopping_look(uv_timer_t *timer) {
    struct server *server = timer->data;
    bool is_time = core_loop_is_idle(server) || phase_lasts_ms(server) >= FINISH_MS;
    if (!server->are_workers_joined && is_time) {
        for (size_t i = 0; i < server->workers_started; i++)
            worker_stop(&server->workers[i]);
        gateway_join(server);
        return; /* what they proposed last is in the mailbox */
    }
    if (server->are_workers_joined && core_loop_is_idle(server))
        core_loop_end(server);
}

void shutdown_now(struct server *server) {
    if (server->phase == SERVER_STOPPING)
        return;
    phase_begin(server, SERVER_STOPPING, on_stopping_look, FINISH_LOOK_MS);
    coordinator_hurry(server->folder.coordinator);
    for (size_t i = 0; i < server->workers_started; i++)
        worker_drain(&server->workers[i]);
}

static struct worker_totals totals_left(const struct server *server) {
    struct worker_totals left = {0};
    for (size_t i = 0; i < server->workers_started; i++) {
        struct worker_totals totals = worker_totals(&server->workers[i]);
        left.connections += totals.connections;
        left.websockets += totals.websockets;
    }
    return left;
}

static bool are_clients_gone(const struct server *server) {
    struct worker_totals left = totals_left(server);
    return left.connections == 0 || (left.websockets == 0 && phase_lasts_ms(server) >= DRAIN_NOTICE_MS);
}

/* Others take over what cannot be handed over, if the coordinator answers them. */
static bool are_ranges_gone(struct server *server) {
    if (core_loop_may_leave(server))
        return true;
    bool is_in_vain =
        coordinator_is_silent(server->folder.coordinator) && phase_lasts_ms(server) >= HAND_OVER_SILENT_MS;
    if (is_in_vain)
        log_warning("the coordinator does not answer, so this node ends without having handed over what it leads");
    return is_in_vain;
}

/* Whoever is cut off is told nothing until she is back, so a slow machine gets more time as long as it gets on. */
static bool is_patience_over(struct server *server) {
    size_t websockets = totals_left(server).websockets;
    if (websockets < server->websockets_left)
        server->left_ms = core_loop_monotonic_ms();
    server->websockets_left = websockets;
    return core_loop_monotonic_ms() - server->left_ms >= DRAIN_MS || phase_lasts_ms(server) >= DRAIN_MS_MAX;
}

static void on_draining_look(uv_timer_t *timer) {
    struct server *server = timer->data;
    bool is_over = are_clients_gone(server) && core_loop_is_idle(server) && are_ranges_gone(server);
    if (is_over || is_patience_over(server))
        shutdown_now(server);
}

static void on_drain_delivered(void *receiver, struct parcel *parcel) {
    struct worker *worker = receiver;
    free(parcel);
    worker_end_keep_alive(worker);
    session_table_drain(gateway_worker_of(worker), DRAIN_SPREAD_MS);
}

static void drain(struct server *server) {
    struct event event = {.kind = EVENT_LEAVE};
    log_info("draining: %zu websockets", totals_left(server).websockets);
    atomic_store(&server->gateway.is_draining, true);
    core_loop_step(server, &event);
    for (size_t i = 0; i < server->workers_started; i++) {
        struct parcel *parcel = calloc(1, sizeof(*parcel));
        check(parcel != NULL);
        parcel->deliver = on_drain_delivered;
        if (worker_post(&server->workers[i], parcel) != STATUS_OK)
            free(parcel);
    }
    phase_begin(server, SERVER_DRAINING, on_draining_look, DRAIN_LOOK_MS);
    server->websockets_left = totals_left(server).websockets;
    server->left_ms = server->phase_began_ms;
}

static void on_signal(uv_signal_t *signal, int number) {
    struct server *server = signal->data;
    (void)number;
    if (server->phase == SERVER_RUNNING)
        drain(server);
    else
        shutdown_now(server);
}

void shutdown_begin(struct server *server) {
    if (server->phase == SERVER_RUNNING)
        drain(server);
}

int shutdown_open(struct server *server) {
    static const int numbers[2] = {SIGTERM, SIGINT};
    uv_timer_init(&server->loop, &server->shutdown_timer);
    server->shutdown_timer.data = server;
    for (size_t i = 0; i < 2; i++) {
        if (uv_signal_init(&server->loop, &server->signals[i]) != 0)
            return STATUS_INTERNAL_ERROR;
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    return STATUS_OK;
}
