#include "bench/connector.h"

#include <stdio.h>

#include "bench/progress.h"
#include "proto/check.h"
#include "proto/status.h"

#define PAUSE_NS 500000000LL
#define PATIENCE_NS 30000000000LL /* without any success */
#define TURN_NS_MAX 100000000LL

void connector_on_ready(struct connector *connector) {
    connector->ready++;
    connector->under_way--;
    connector->progress_ns = loop_now_ns();
}

static void give_up(struct connector *connector, const char *reason) {
    connector->rc = STATUS_SERVICE_UNAVAILABLE;
    snprintf(connector->reason, sizeof connector->reason, "connection %zu of %zu: %s", connector->ready + 1,
             connector->count, reason);
}

void connector_on_failed(struct connector *connector, struct session *session, bool is_temporary, const char *reason) {
    int64_t now_ns = loop_now_ns();
    if (connector->rc != STATUS_OK)
        return;
    if (!is_temporary || now_ns - connector->progress_ns > PATIENCE_NS) {
        give_up(connector, reason);
        return;
    }
    /* A waiting session keeps its place among those under way, so there is always room for it here. */
    check(connector->repeats_count < CONNECTOR_PARALLEL);
    connector->repeats[connector->repeats_count++] = (struct connector_repeat){session, now_ns + PAUSE_NS};
    connector->repeats_total++;
}

static void repeat_due(struct connector *connector, int64_t now_ns) {
    struct connector_repeat due[CONNECTOR_PARALLEL];
    size_t due_count = 0, kept = 0;
    for (size_t i = 0; i < connector->repeats_count; i++) {
        if (connector->repeats[i].at_ns <= now_ns)
            due[due_count++] = connector->repeats[i];
        else
            connector->repeats[kept++] = connector->repeats[i];
    }
    connector->repeats_count = kept;
    for (size_t i = 0; i < due_count; i++)
        session_open(due[i].session);
}

static void start_more(struct connector *connector) {
    while (connector->rc == STATUS_OK && connector->started < connector->count &&
           connector->under_way < CONNECTOR_PARALLEL) {
        connector->under_way++;
        session_open(&connector->sessions[connector->started++]);
    }
}

int connector_run(struct connector *connector, struct session *sessions, size_t count) {
    *connector = (struct connector){.sessions = sessions, .count = count, .progress_ns = loop_now_ns()};
    struct progress progress = {0};
    while (connector->rc == STATUS_OK && connector->ready < count) {
        int64_t now_ns = loop_now_ns();
        repeat_due(connector, now_ns);
        start_more(connector);
        loop_turn(sessions[0].host->loop, now_ns + TURN_NS_MAX);
        progress_bar(&progress, "connecting", connector->ready, count);
        if (now_ns - connector->progress_ns > PATIENCE_NS && connector->rc == STATUS_OK)
            give_up(connector, "no answer for 30 seconds");
    }
    progress_clear();
    return connector->rc;
}
