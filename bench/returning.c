#include "bench/returning.h"

#include <stdlib.h>

#include "bench/native.h"
#include "proto/check.h"

#define STEP_NS 10000000LL
#define PAUSE_NS_MAX 50000000LL /* before the first try, so that not all come at once */
#define PAUSE_NS_MAX_LATER 2000000000LL
#define GOAWAY_NS_MAX 5000000000LL
#define PATIENCE_NS 10000000000LL /* for an answer */

static struct returning_client *client_of(struct returning *returning, const struct session *session) {
    return &returning->clients[session - returning->load->rig.population.sessions];
}

static int64_t chance_ns(struct returning *returning, int64_t below_ns) {
    return (int64_t)(session_host_chance(&returning->load->rig.host) % (uint64_t)(below_ns + 1));
}

static void wake(struct returning *returning) {
    if (returning->timer.at_ns == 0)
        returning->timer.at_ns = loop_now_ns() + STEP_NS;
}

/* Another node than the present one, unless there is no other. */
static void choose_node(struct returning *returning, struct session *session) {
    const struct options *options = returning->load->options;
    size_t present = (size_t)(session->node - options->nodes);
    size_t others = options->nodes_count - 1;
    if (others > 0)
        session->node = &options->nodes[(present + 1 + session_host_chance(session->host) % others) % (others + 1)];
}

/* The session is closed. */
static void go(struct returning *returning, struct session *session, int64_t pause_ns_max) {
    struct returning_client *client = client_of(returning, session);
    int64_t now_ns = loop_now_ns();
    choose_node(returning, session);
    *client = (struct returning_client){
        .state = CLIENT_AWAY, .due_ns = now_ns + chance_ns(returning, pause_ns_max), .away_ns = now_ns};
    session->is_resuming = true;
    wake(returning);
}

bool returning_on_ready(struct returning *returning, struct session *session) {
    struct returning_client *client = client_of(returning, session);
    if (client->state != CLIENT_CONNECTS)
        return false;
    int64_t now_ns = loop_now_ns();
    histogram_add(&returning->moved->away, now_ns - client->away_ns);
    returning->moved->reconnects++;
    *client = (struct returning_client){.state = CLIENT_STAYS, .is_catching_up = true, .ready_ns = now_ns};
    returning->moved->repeats += load_repeat(returning->load, session);
    return true;
}

bool returning_on_failed(struct returning *returning, struct session *session, const char *reason) {
    struct returning_client *client = client_of(returning, session);
    if (client->state != CLIENT_CONNECTS)
        return false;
    int64_t pause_ns = PAUSE_NS_MAX << (client->failures < 6 ? client->failures : 6);
    client->state = CLIENT_AWAY;
    client->failures++;
    client->due_ns =
        loop_now_ns() + chance_ns(returning, pause_ns < PAUSE_NS_MAX_LATER ? pause_ns : PAUSE_NS_MAX_LATER);
    name_counts_add(&returning->moved->refused_connections, bytes_of_text(reason));
    choose_node(returning, session);
    wake(returning);
    return true;
}

void returning_on_closed(struct returning *returning, struct session *session, const char *reason) {
    if (returning->load->is_over)
        return;
    name_counts_add(&returning->moved->breaks, bytes_of_text(reason));
    go(returning, session, PAUSE_NS_MAX);
}

void returning_on_goaway(struct returning *returning, struct session *session, int64_t after_ms) {
    struct returning_client *client = client_of(returning, session);
    if (client->state != CLIENT_STAYS)
        return;
    int64_t now_ns = loop_now_ns(), after_ns = after_ms * 1000000;
    if (after_ns > GOAWAY_NS_MAX)
        after_ns = GOAWAY_NS_MAX;
    returning->moved->goaways++;
    client->state = CLIENT_LEAVES;
    client->due_ns = now_ns + chance_ns(returning, after_ns / 2);
    client->deadline_ns = now_ns + after_ns;
    wake(returning);
}

void returning_on_resumed(struct returning *returning, struct session *session, uint64_t offset, bool is_gap) {
    client_of(returning, session)->is_catching_up = false;
    returning->moved->gaps += is_gap;
    if (offset > session->reader.last_position)
        session->reader.last_position = offset;
}

bool returning_wants(struct returning *returning, struct session *session, const struct payload *payload,
                     uint64_t position) {
    struct returning_client *client = client_of(returning, session);
    const struct load *load = returning->load;
    uint64_t last = session->reader.last_position;
    bool is_ours = payload->run == load->run && payload->thread == session->thread;
    if (!is_ours || last == 0 || position == last + 1)
        return true;
    if (position <= last) {
        bool is_known = tally_has_seen(&load->tallies[session->thread], &session->reader, payload->number);
        returning->moved->told_again += is_known;
        return !is_known;
    }
    if (!client->is_catching_up) {
        client->is_catching_up = true;
        returning->moved->jumps++;
        native_resume(session);
    }
    return false;
}

void returning_lose_patience(struct returning *returning) {
    struct load *load = returning->load;
    const struct options *options = load->options;
    int64_t before_ns = loop_now_ns() - PATIENCE_NS;
    for (uint32_t thread = 0; thread < options_threads(options); thread++) {
        struct tally *tally = &load->tallies[thread];
        uint32_t number = tally_next_unanswered(tally, 0);
        if (number == tally->messages_count || tally->messages[number].started_ns > before_ns)
            continue;
        struct session *author = load_author(load, thread, number);
        if (author->state == SESSION_READY && client_of(returning, author)->ready_ns < before_ns)
            session_fail(author, true, "no answer to a send");
    }
}

static void step(struct returning *returning, struct session *session, int64_t now_ns) {
    struct returning_client *client = client_of(returning, session);
    if (client->state == CLIENT_LEAVES && now_ns >= client->due_ns &&
        (now_ns >= client->deadline_ns || !load_has_unanswered(returning->load, session))) {
        /* Those that are told to go have been spread over time already. */
        session_close(session);
        go(returning, session, 0);
    }
    if (client->state == CLIENT_AWAY && now_ns >= client->due_ns) {
        client->state = CLIENT_CONNECTS;
        session_open(session);
    } else if (client->state == CLIENT_CONNECTS && now_ns - client->due_ns > PATIENCE_NS) {
        session_fail(session, true, "no answer to a connect");
    }
}

static void on_time(void *context, int64_t now_ns) {
    struct returning *returning = context;
    struct population *population = &returning->load->rig.population;
    bool has_more = false;
    for (size_t i = 0; i < population->sessions_count; i++) {
        if (returning->clients[i].state != CLIENT_STAYS)
            step(returning, &population->sessions[i], now_ns);
        has_more = has_more || returning->clients[i].state != CLIENT_STAYS;
    }
    if (has_more)
        wake(returning);
}

void returning_init(struct returning *returning, struct load *load, struct moved *moved) {
    *returning = (struct returning){.load = load, .moved = moved};
    returning->clients = calloc(load->rig.population.sessions_count, sizeof *returning->clients);
    check(returning->clients != NULL);
    loop_timer_add(&load->rig.loop, &returning->timer, on_time, returning);
}

void returning_close(struct returning *returning) {
    free(returning->clients);
}
