#include "bench/fanout.h"
#include "bench/rig.h"
#include "proto/status.h"

/* Nothing is sent: what little comes, comes from the server by itself. */

struct idle {
    struct rig rig;
    struct result *result;
};

static void on_ready(struct session *session) {
    struct idle *idle = session->host->context;
    connector_on_ready(&idle->rig.connector);
}

static void on_failed(struct session *session, bool is_temporary, const char *reason) {
    struct idle *idle = session->host->context;
    connector_on_failed(&idle->rig.connector, session, is_temporary, reason);
}

static void on_closed(struct session *session, const char *reason) {
    struct idle *idle = session->host->context;
    idle->result->closed++;
    name_counts_add(&idle->result->errors, bytes_of_text(reason));
}

static void on_delivery(struct session *session, bool is_whole, const struct payload *payload, uint64_t position,
                        int64_t now_ns) {
    struct idle *idle = session->host->context;
    (void)is_whole, (void)payload, (void)position, (void)now_ns;
    idle->result->strange++;
}

static void on_answer(struct session *session, const struct session_answer *answer, int64_t now_ns) {
    struct idle *idle = session->host->context;
    (void)now_ns;
    if (!answer->is_accepted)
        name_counts_add(&idle->result->errors, answer->code);
}

static const struct session_events idle_events = {
    .on_ready = on_ready,
    .on_failed = on_failed,
    .on_closed = on_closed,
    .on_delivery = on_delivery,
    .on_answer = on_answer,
};

int idle_run(struct options *options, struct result *result, char *reason, size_t reason_size) {
    struct idle idle = {.result = result};
    int rc = rig_open(&idle.rig, options, &idle_events, &idle, reason, reason_size);
    if (rc != STATUS_OK)
        return rc;
    rc = rig_connect(&idle.rig, result, reason, reason_size);
    rig_close(&idle.rig);
    return rc;
}
