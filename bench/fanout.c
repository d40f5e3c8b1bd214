#include "bench/fanout.h"

#include <stdlib.h>

#include "bench/load.h"
#include "proto/check.h"
#include "proto/status.h"

/* Every connection is to stay: one that ends is a fault. */

static void on_ready(struct session *session) {
    struct load *load = session->host->context;
    connector_on_ready(&load->rig.connector);
}

static void on_failed(struct session *session, bool is_temporary, const char *reason) {
    struct load *load = session->host->context;
    connector_on_failed(&load->rig.connector, session, is_temporary, reason);
}

static void on_closed(struct session *session, const char *reason) {
    struct load *load = session->host->context;
    if (load->is_over)
        return;
    load->result->closed++;
    name_counts_add(&load->result->errors, bytes_of_text(reason));
}

static void on_delivery(struct session *session, bool is_whole, const struct payload *payload, uint64_t position,
                        int64_t now_ns) {
    load_take_delivery(session->host->context, session, is_whole, payload, position, now_ns);
}

static void on_answer(struct session *session, const struct session_answer *answer, int64_t now_ns) {
    load_take_answer(session->host->context, answer, now_ns);
}

static const struct session_events fanout_events = {
    .on_ready = on_ready,
    .on_failed = on_failed,
    .on_closed = on_closed,
    .on_delivery = on_delivery,
    .on_answer = on_answer,
};

int fanout_run(struct options *options, struct result *result, char *reason, size_t reason_size) {
    struct load *load = calloc(1, sizeof *load);
    check(load != NULL);
    int rc = load_open(load, options, result, &fanout_events, reason, reason_size);
    if (rc != STATUS_OK)
        goto free_load;
    rc = rig_connect(&load->rig, result, reason, reason_size);
    if (rc == STATUS_OK) {
        load_start(load);
        load_run(load);
        load_sum(load);
    }
    load_close(load);
free_load:
    free(load);
    return rc;
}
