#include "node/gateway/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/gateway/http_server.h"
#include "node/gateway/websocket.h"
#include "proto/check.h"

#define CONNECTIONS_MAX_DEFAULT 100000
#define STOP_MS_DEFAULT 5000
#define CUT_MS 1000 /* after the cut: connections only have to notice */

/*
 *   RUNNING ──worker_drain──▶ DRAINING ──worker_stop──▶ STOPPING ──▶ CUTTING ──▶ CLOSED
 *                 (RUNNING goes to STOPPING too)      no websocket   no connection left,
 *                                                     left, or       or out of time
 *                                                     out of time
 */
enum worker_state { WORKER_RUNNING, WORKER_DRAINING, WORKER_STOPPING, WORKER_CUTTING, WORKER_CLOSED };

struct worker_machine {
    struct worker_options options;
    struct mailbox mailbox;
    pthread_t thread;
    bool is_started;
    enum worker_state state;
    struct http_server *http;
    struct connection_set *connections;
    struct websocket_group *websockets;
    struct listener *listeners[WORKER_PORTS_MAX];
    size_t listeners_count;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t keep_turning;
    uv_timer_t wheel_timer;
    uv_timer_t stop_timer;
    pthread_mutex_t mutex; /* guards what follows */
    struct worker_totals totals;
    struct parcel drain;
    struct parcel stop;
    bool is_drain_posted;
    bool is_stop_posted;
};

uint64_t worker_now_ms(const struct worker *worker) {
    return uv_now(&worker->loop);
}

int64_t worker_wall_ms(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Calls that come by another way than a connection ---- */

struct http_call *worker_call_new(struct worker *worker) {
    struct http_server *http = worker->machine->http;
    return http->is_stopping ? NULL : http_call_new(http);
}

void worker_call_run(struct worker *worker, struct http_call *call) {
    worker->machine->http->handler(worker, call);
}

/* ---- The turn of the loop ---- */

static void on_wheel_timer(uv_timer_t *timer) {
    struct worker *worker = timer->data;
    timer_wheel_turn(&worker->wheel, uv_now(&worker->loop), worker);
}

/* An idle worker sleeps: the wheel turns only while it holds a timer. */
static void run_wheel(struct worker *worker) {
    uv_timer_t *timer = &worker->machine->wheel_timer;
    bool is_active = uv_is_active((uv_handle_t *)timer);
    if (worker->wheel.running > 0 && !is_active)
        uv_timer_start(timer, on_wheel_timer, TIMER_WHEEL_TICK_MS, TIMER_WHEEL_TICK_MS);
    else if (worker->wheel.running == 0 && is_active)
        uv_timer_stop(timer);
}

/* In every turn: a worker that sleeps must not be believed to have no clients. */
static void gather_totals(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    struct websocket_totals websockets = websocket_group_totals(machine->websockets);
    pthread_mutex_lock(&machine->mutex);
    machine->totals = (struct worker_totals){
        .connections = connection_set_count(machine->connections),
        .websockets = websocket_group_count(machine->websockets),
        .refused_connections = connection_set_refused(machine->connections),
        .requests = machine->http->requests,
        .websocket_messages_in = websockets.messages_in,
        .websocket_bytes_out = websockets.bytes_out,
        .websocket_writes = websockets.writes,
        .websocket_dropped = websockets.dropped,
        .websocket_overloaded = websockets.overloaded,
    };
    pthread_mutex_unlock(&machine->mutex);
}

struct worker_totals worker_totals(const struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    pthread_mutex_lock(&machine->mutex);
    struct worker_totals totals = machine->totals;
    pthread_mutex_unlock(&machine->mutex);
    return totals;
}

static void on_keep_turning(uv_idle_t *idle) {
    (void)idle;
}

static void flush(struct worker *worker) {
    uv_idle_t *keep_turning = &worker->machine->keep_turning;
    /* An idle handle keeps the poll from sleeping while something is left to write. */
    if (websocket_group_flush(worker->machine->websockets))
        uv_idle_start(keep_turning, on_keep_turning);
    else
        uv_idle_stop(keep_turning);
}

static void go_on_stopping(struct worker *worker);

static void on_before_poll(uv_prepare_t *prepare) {
    struct worker *worker = prepare->data;
    flush(worker);
    run_wheel(worker);
    gather_totals(worker);
    go_on_stopping(worker);
}

static void on_after_poll(uv_check_t *check_handle) {
    flush(check_handle->data);
}

/* ---- Stopping ---- */

void worker_end_keep_alive(struct worker *worker) {
    http_server_end_keep_alive(worker->machine->http);
}

static void stop_listening(struct worker_machine *machine) {
    for (size_t i = 0; i < machine->listeners_count; i++)
        listener_close(machine->listeners[i]);
    machine->listeners_count = 0;
}

static void on_drain(void *receiver, struct parcel *parcel) {
    (void)parcel;
    struct worker_machine *machine = ((struct worker *)receiver)->machine;
    if (machine->state != WORKER_RUNNING)
        return;
    machine->state = WORKER_DRAINING;
    stop_listening(machine);
    http_server_end_keep_alive(machine->http);
}

static void on_stop_timer(uv_timer_t *timer);

static void on_stop(void *receiver, struct parcel *parcel) {
    (void)parcel;
    struct worker *worker = receiver;
    struct worker_machine *machine = worker->machine;
    stop_listening(machine);
    machine->state = WORKER_STOPPING;
    http_server_stop(machine->http);
    websocket_group_close_all(machine->websockets, "The server is shutting down.");
    uv_timer_start(&machine->stop_timer, on_stop_timer, machine->options.stop_ms, 0);
}

static void close_handles(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    machine->state = WORKER_CLOSED;
    /* What is delivered now still needs what on_stop frees. */
    mailbox_close(&machine->mailbox, NULL);
    if (machine->options.on_stop != NULL && machine->is_started)
        machine->options.on_stop(worker);
    uv_close((uv_handle_t *)&machine->before_poll, NULL);
    uv_close((uv_handle_t *)&machine->after_poll, NULL);
    uv_close((uv_handle_t *)&machine->keep_turning, NULL);
    uv_close((uv_handle_t *)&machine->wheel_timer, NULL);
    uv_close((uv_handle_t *)&machine->stop_timer, NULL);
    if (connection_set_count(machine->connections) == 0)
        http_server_close(machine->http);
    else
        uv_stop(&worker->loop); /* a connection that does not end must not keep the process from ending */
}

static void start_cutting(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    machine->state = WORKER_CUTTING;
    connection_set_stop_reading(machine->connections);
}

/* Called once per turn. */
static void go_on_stopping(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    if (machine->state == WORKER_STOPPING && websocket_group_count(machine->websockets) == 0)
        start_cutting(worker);
    if (machine->state == WORKER_CUTTING && connection_set_count(machine->connections) == 0)
        close_handles(worker);
}

static void on_last_timer(uv_timer_t *timer) {
    struct worker *worker = timer->data;
    if (worker->machine->state != WORKER_CLOSED)
        close_handles(worker);
}

static void on_stop_timer(uv_timer_t *timer) {
    struct worker *worker = timer->data;
    start_cutting(worker);
    connection_set_cut(worker->machine->connections);
    uv_timer_start(timer, on_last_timer, CUT_MS, 0);
}

/* ---- From other threads ---- */

int worker_post(struct worker *worker, struct parcel *parcel) {
    return mailbox_post(&worker->machine->mailbox, parcel);
}

static void post_once(struct worker *worker, struct parcel *parcel, bool *is_posted) {
    struct worker_machine *machine = worker->machine;
    pthread_mutex_lock(&machine->mutex);
    bool was_posted = *is_posted;
    *is_posted = true;
    pthread_mutex_unlock(&machine->mutex);
    /* Refused only when the worker has stopped already, and then there is nothing to do. */
    if (!was_posted)
        (void)mailbox_post(&machine->mailbox, parcel);
}

void worker_drain(struct worker *worker) {
    post_once(worker, &worker->machine->drain, &worker->machine->is_drain_posted);
}

void worker_stop(struct worker *worker) {
    post_once(worker, &worker->machine->stop, &worker->machine->is_stop_posted);
}

/* ---- Beginning and end ---- */

static void init_handles(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    check(uv_prepare_init(&worker->loop, &machine->before_poll) == 0);
    check(uv_check_init(&worker->loop, &machine->after_poll) == 0);
    check(uv_idle_init(&worker->loop, &machine->keep_turning) == 0);
    check(uv_timer_init(&worker->loop, &machine->wheel_timer) == 0);
    check(uv_timer_init(&worker->loop, &machine->stop_timer) == 0);
    machine->before_poll.data = worker;
    machine->after_poll.data = worker;
    machine->wheel_timer.data = worker;
    machine->stop_timer.data = worker;
    uv_prepare_start(&machine->before_poll, on_before_poll);
    uv_check_start(&machine->after_poll, on_after_poll);
    machine->drain.deliver = on_drain;
    machine->stop.deliver = on_stop;
}

static int listen_all(struct worker *worker, const struct worker_options *options, char *error, size_t error_size) {
    struct worker_machine *machine = worker->machine;
    check(options->addresses_count <= WORKER_PORTS_MAX);
    for (size_t i = 0; i < options->addresses_count; i++) {
        check(!options->addresses[i].is_tls || options->tls != NULL);
        int rc = listener_open(&machine->listeners[i], &worker->loop, machine->connections, &options->addresses[i],
                               error, error_size);
        if (rc != 0)
            return rc;
        machine->listeners_count++;
        worker->ports[i] = listener_port(machine->listeners[i]);
    }
    return 0;
}

static struct worker_machine *machine_new(const struct worker_options *options) {
    struct worker_machine *machine = calloc(1, sizeof(*machine));
    check(machine != NULL);
    machine->options = *options;
    machine->options.addresses = NULL;
    if (machine->options.stop_ms == 0)
        machine->options.stop_ms = STOP_MS_DEFAULT;
    check(pthread_mutex_init(&machine->mutex, NULL) == 0);
    return machine;
}

int worker_init(struct worker *worker, const struct worker_options *options, char *error, size_t error_size) {
    memset(worker, 0, sizeof(*worker));
    worker->index = options->index;
    worker->context = options->context;
    struct worker_machine *machine = machine_new(options);
    worker->machine = machine;
    if (uv_loop_init(&worker->loop) != 0 || mailbox_init(&machine->mailbox, &worker->loop, worker) != 0) {
        snprintf(error, error_size, "cannot make an event loop: no file descriptors left");
        pthread_mutex_destroy(&machine->mutex);
        free(machine);
        worker->machine = NULL;
        return STATUS_INTERNAL_ERROR;
    }
    timer_wheel_init(&worker->wheel, uv_now(&worker->loop));
    init_handles(worker);
    machine->http = http_server_new(worker, &worker->loop, options->handler, &options->http, options->tls);
    machine->websockets = websocket_group_new(worker, &worker->wheel, &worker->loop, options->may_use_io_uring);
    machine->http->websockets = machine->websockets;
    size_t connections_max = options->connections_max == 0 ? CONNECTIONS_MAX_DEFAULT : options->connections_max;
    machine->connections =
        connection_set_new(&worker->loop, machine->http, connections_max, options->connections_total);
    int rc = listen_all(worker, options, error, error_size);
    if (rc != 0)
        worker_close(worker);
    return rc;
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct worker_machine *machine = worker->machine;
    uv_update_time(&worker->loop);
    if (machine->options.on_start != NULL)
        machine->options.on_start(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    http_server_gather_caches(machine->http);
    return NULL;
}

int worker_start(struct worker *worker) {
    /* Signals are for the main thread; a broken pipe is an error code here. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->machine->is_started = true;
    int rc = pthread_create(&worker->machine->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        worker->machine->is_started = false;
    return rc == 0 ? 0 : STATUS_INTERNAL_ERROR;
}

void worker_join(struct worker *worker) {
    check(worker->machine->is_started);
    check(pthread_join(worker->machine->thread, NULL) == 0);
}

void worker_close(struct worker *worker) {
    struct worker_machine *machine = worker->machine;
    if (!machine->is_started) {
        stop_listening(machine);
        close_handles(worker);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
    }
    check(machine->state == WORKER_CLOSED);
    mailbox_dispose(&machine->mailbox);
    /* Still busy: a connection did not end in time. Its memory is left alone; the process is about to end. */
    if (uv_loop_close(&worker->loop) != 0)
        return;
    http_server_free(machine->http);
    websocket_group_free(machine->websockets);
    connection_set_free(machine->connections);
    pthread_mutex_destroy(&machine->mutex);
    free(machine);
    worker->machine = NULL;
}
