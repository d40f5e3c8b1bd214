#include "bench/fanout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/native.h"
#include "bench/progress.h"
#include "bench/rig.h"
#include "bench/sdk.h"
#include "proto/check.h"
#include "proto/status.h"

#define LEAD_NS 100000000LL         /* from the start of the clock to the first message */
#define LATE_NS 1000000000LL        /* what is older and not there counts as lost in the live line */
#define LISTEN_AFTER_NS 300000000LL /* after the last arrival, for duplicates */
#define SECOND_NS 1000000000LL
#define CLIENT_ID_BYTES 64

struct fanout {
    struct options *options;
    struct result *result;
    struct rig rig;
    struct tally *tallies; /* by thread */
    uint32_t run;          /* number that marks this run's payloads */
    uint64_t planned;      /* messages of all threads */
    uint64_t sent;
    int64_t start_ns; /* the first message's intended time */
    int64_t window_start_ns;
    int64_t window_end_ns;
    bool is_over; /* what is closed now is closed by us */
    struct loop_timer send_timer;
    struct loop_timer second_timer;
    struct loop_timer window_start_timer;
    struct loop_timer window_end_timer;
    struct buffer content;
    uint64_t arrivals; /* of this run, everything */
    uint64_t second_arrivals;
    struct histogram second;
    size_t seconds_capacity;
    struct process_usage second_usage;
    /* as they were when the window began */
    uint64_t window_arrivals;
    int64_t window_own_cpu_ns;
    struct process_usage window_usage;
};

/* Sending */

/* The threads take turns, so a rate of R on N threads is one message every 1/(R N) seconds. */
static int64_t intended_time(const struct fanout *fanout, uint64_t sequence) {
    double per_second = fanout->options->rate * (double)fanout->options->threads;
    return fanout->start_ns + (int64_t)((double)sequence / per_second * 1e9);
}

static struct session *author_of(struct fanout *fanout, uint32_t thread, uint32_t number) {
    const struct options *options = fanout->options;
    size_t user = (size_t)thread * options->participants + number % options->participants;
    return &fanout->rig.population.sessions[user * options->connections_per_user];
}

static bool is_in_window(const struct fanout *fanout, int64_t time_ns) {
    return time_ns >= fanout->window_start_ns && time_ns < fanout->window_end_ns;
}

static void send_one(struct fanout *fanout, uint64_t sequence, int64_t intended_ns) {
    uint32_t thread = (uint32_t)(sequence % fanout->options->threads);
    uint32_t number = (uint32_t)(sequence / fanout->options->threads);
    struct session *author = author_of(fanout, thread, number);
    struct payload payload = {fanout->run, thread, number, intended_ns};
    char id[CLIENT_ID_BYTES];
    int id_size = snprintf(id, sizeof id, "wb-%08" PRIx32 "-%06" PRIx32 "-%08" PRIx32, fanout->run, thread, number);
    tally_sent(&fanout->tallies[thread], number, intended_ns);
    if (author->state != SESSION_READY) {
        tally_failed(&fanout->tallies[thread], number);
        name_counts_add(&fanout->result->errors, BYTES_LITERAL("AuthorDisconnected"));
        return;
    }
    fanout->content.size = 0;
    payload_encode(&payload, fanout->options->payload_bytes, &fanout->content);
    struct bytes thread_id = bytes_of_text(fanout->rig.population.thread_ids[thread]);
    struct bytes content = buffer_bytes(&fanout->content);
    if (fanout->options->wire == WIRE_SDK)
        sdk_send(author, bytes_of(id, (size_t)id_size), thread_id, content);
    else
        native_send(author, bytes_of(id, (size_t)id_size), thread_id, content);
}

static void on_send_time(void *context, int64_t now_ns) {
    struct fanout *fanout = context;
    int64_t intended_ns = 0;
    while (fanout->sent < fanout->planned && (intended_ns = intended_time(fanout, fanout->sent)) <= now_ns) {
        double late_ms = (double)(loop_now_ns() - intended_ns) / 1e6;
        if (is_in_window(fanout, intended_ns) && late_ms > fanout->result->latest_send_ms)
            fanout->result->latest_send_ms = late_ms;
        send_one(fanout, fanout->sent++, intended_ns);
    }
    if (fanout->sent < fanout->planned)
        fanout->send_timer.at_ns = intended_ns;
}

/* Arrivals and answers */

static void on_delivery(struct session *session, bool is_whole, const struct payload *payload, uint64_t position,
                        int64_t now_ns) {
    struct fanout *fanout = session->host->context;
    if (!is_whole || payload->run != fanout->run || payload->thread != session->thread) {
        fanout->result->strange++;
        return;
    }
    struct tally *tally = &fanout->tallies[session->thread];
    bool is_contiguous = fanout->options->wire != WIRE_SDK;
    enum tally_verdict verdict =
        tally_arrived(tally, &session->reader, payload->number, position, is_contiguous, now_ns);
    if (verdict == TALLY_STRANGE)
        fanout->result->strange++;
    if (verdict != TALLY_COUNTED && verdict != TALLY_COMPLETE)
        return;
    int64_t latency_ns = now_ns - payload->intended_ns;
    fanout->arrivals++;
    histogram_add(&fanout->second, latency_ns);
    if (!is_in_window(fanout, payload->intended_ns))
        return;
    histogram_add(&fanout->result->delivery, latency_ns);
    if (verdict == TALLY_COMPLETE)
        histogram_add(&fanout->result->last, latency_ns);
}

static bool client_id_parse(const struct fanout *fanout, struct bytes id, uint32_t *thread, uint32_t *number) {
    char text[CLIENT_ID_BYTES];
    uint32_t run;
    if (id.size >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", BYTES_ARG(id));
    return sscanf(text, "wb-%8" SCNx32 "-%6" SCNx32 "-%8" SCNx32, &run, thread, number) == 3 && run == fanout->run &&
           *thread < fanout->options->threads;
}

static void refusal_take(struct fanout *fanout, const struct session_answer *answer) {
    if (fanout->result->errors.count == 0 && answer->message.size > 0) {
        progress_clear();
        fprintf(stderr, "weft-bench: first error: %.*s: %.*s\n", BYTES_ARG(answer->code), BYTES_ARG(answer->message));
    }
    name_counts_add(&fanout->result->errors, bytes_is_present(answer->code) ? answer->code : BYTES_LITERAL("Unnamed"));
}

static void on_answer(struct session *session, const struct session_answer *answer, int64_t now_ns) {
    struct fanout *fanout = session->host->context;
    uint32_t thread, number;
    bool is_ours = bytes_is_present(answer->id) && client_id_parse(fanout, answer->id, &thread, &number);
    if (!answer->is_accepted) {
        refusal_take(fanout, answer);
        if (is_ours)
            tally_failed(&fanout->tallies[thread], number);
        return;
    }
    /* Every id is sent once, so an answer that is repeated or names an older message is wrong. */
    if (!is_ours || answer->is_duplicate || !tally_acknowledged(&fanout->tallies[thread], number)) {
        name_counts_add(&fanout->result->errors, BYTES_LITERAL("UnexpectedAcknowledgement"));
        return;
    }
    if (bytes_is_present(answer->durability))
        name_counts_add(&fanout->result->durabilities, answer->durability);
    int64_t intended_ns = fanout->tallies[thread].messages[number].intended_ns;
    if (is_in_window(fanout, intended_ns))
        histogram_add(&fanout->result->acknowledgement, now_ns - intended_ns);
}

static void on_ready(struct session *session) {
    struct fanout *fanout = session->host->context;
    connector_on_ready(&fanout->rig.connector);
}

static void on_failed(struct session *session, bool is_temporary, const char *reason) {
    struct fanout *fanout = session->host->context;
    connector_on_failed(&fanout->rig.connector, session, is_temporary, reason);
}

static void on_closed(struct session *session, const char *reason) {
    struct fanout *fanout = session->host->context;
    if (fanout->is_over)
        return;
    fanout->result->closed++;
    name_counts_add(&fanout->result->errors, bytes_of_text(reason));
}

static const struct session_events fanout_events = {on_ready, on_failed, on_closed, on_delivery, on_answer};

/* Measuring */

static bool server_usage(const struct fanout *fanout, struct process_usage *usage) {
    return process_usage_read(fanout->options->server_pids, fanout->options->server_pids_count, usage);
}

static uint64_t overdue(struct fanout *fanout, int64_t now_ns) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fanout->options->threads; i++)
        sum += tally_overdue(&fanout->tallies[i], now_ns - LATE_NS);
    return sum;
}

static void second_add(struct fanout *fanout, const struct second *second) {
    struct result *result = fanout->result;
    if (result->seconds_count == fanout->seconds_capacity) {
        fanout->seconds_capacity = fanout->seconds_capacity * 2 + 64;
        result->seconds = realloc(result->seconds, fanout->seconds_capacity * sizeof *result->seconds);
        check(result->seconds != NULL);
    }
    result->seconds[result->seconds_count++] = *second;
}

static void second_measure(struct fanout *fanout, int64_t now_ns) {
    struct second second = {
        .deliveries = fanout->arrivals - fanout->second_arrivals,
        .p50_ns = histogram_quantile(&fanout->second, 0.5),
        .p99_ns = histogram_quantile(&fanout->second, 0.99),
        .max_ns = fanout->second.max_ns,
        .server_cores = -1,
    };
    struct process_usage usage;
    if (fanout->result->has_server && server_usage(fanout, &usage)) {
        second.server_cores = (double)(usage.cpu_ns - fanout->second_usage.cpu_ns) / 1e9;
        fanout->second_usage = usage;
    }
    second_add(fanout, &second);
    progress_line("%4zu/%u s  %10" PRIu64 " deliveries/s  p50 %7.2f ms  p99 %7.2f ms  lost %" PRIu64,
                  fanout->result->seconds_count, fanout->options->warmup_s + fanout->options->duration_s,
                  second.deliveries, (double)second.p50_ns / 1e6, (double)second.p99_ns / 1e6, overdue(fanout, now_ns));
    fanout->second_arrivals = fanout->arrivals;
    histogram_clear(&fanout->second);
}

static void on_second(void *context, int64_t now_ns) {
    struct fanout *fanout = context;
    if (fanout->result->seconds_count < fanout->options->warmup_s + fanout->options->duration_s)
        second_measure(fanout, now_ns);
    else
        progress_line("waiting for the last arrivals: %" PRIu64 " are missing", overdue(fanout, now_ns));
    fanout->second_timer.at_ns = now_ns + SECOND_NS - (now_ns - fanout->start_ns) % SECOND_NS;
}

static void on_window_start(void *context, int64_t now_ns) {
    struct fanout *fanout = context;
    (void)now_ns;
    fanout->window_arrivals = fanout->arrivals;
    fanout->window_own_cpu_ns = process_own_cpu_ns();
    fanout->result->has_server = fanout->result->has_server && server_usage(fanout, &fanout->window_usage);
}

static void on_window_end(void *context, int64_t now_ns) {
    struct fanout *fanout = context;
    struct result *result = fanout->result;
    struct process_usage usage;
    result->window_s = (double)(now_ns - fanout->window_start_ns) / 1e9;
    result->window_deliveries = fanout->arrivals - fanout->window_arrivals;
    double deliveries = result->window_deliveries == 0 ? 1 : (double)result->window_deliveries;
    double own_ns = (double)(process_own_cpu_ns() - fanout->window_own_cpu_ns);
    result->generator_us_per_delivery = own_ns / 1e3 / deliveries;
    result->generator_cores = own_ns / 1e9 / result->window_s;
    result->has_server = result->has_server && server_usage(fanout, &usage);
    if (!result->has_server)
        return;
    double server_ns = (double)(usage.cpu_ns - fanout->window_usage.cpu_ns);
    result->server_us_per_delivery = server_ns / 1e3 / deliveries;
    result->server_cores = server_ns / 1e9 / result->window_s;
}

/* The run */

static void books_open(struct fanout *fanout) {
    const struct options *options = fanout->options;
    uint32_t messages = options_messages_per_thread(options);
    uint32_t readers = options->participants * options->connections_per_user;
    fanout->tallies = calloc(options->threads, sizeof *fanout->tallies);
    check(fanout->tallies != NULL);
    for (uint32_t i = 0; i < options->threads; i++)
        tally_init(&fanout->tallies[i], messages, readers);
    struct population *population = &fanout->rig.population;
    for (size_t i = 0; i < population->sessions_count; i++)
        tally_reader_init(&population->sessions[i].reader, &fanout->tallies[population->sessions[i].thread]);
    fanout->planned = (uint64_t)messages * options->threads;
}

static void books_close(struct fanout *fanout) {
    for (uint32_t i = 0; fanout->tallies != NULL && i < fanout->options->threads; i++)
        tally_close(&fanout->tallies[i]);
    free(fanout->tallies);
}

static void timers_start(struct fanout *fanout) {
    struct loop *loop = &fanout->rig.loop;
    fanout->start_ns = loop_now_ns() + LEAD_NS;
    fanout->window_start_ns = fanout->start_ns + (int64_t)fanout->options->warmup_s * SECOND_NS;
    fanout->window_end_ns = fanout->window_start_ns + (int64_t)fanout->options->duration_s * SECOND_NS;
    loop_timer_add(loop, &fanout->send_timer, on_send_time, fanout);
    loop_timer_add(loop, &fanout->second_timer, on_second, fanout);
    loop_timer_add(loop, &fanout->window_start_timer, on_window_start, fanout);
    loop_timer_add(loop, &fanout->window_end_timer, on_window_end, fanout);
    fanout->send_timer.at_ns = fanout->start_ns;
    fanout->second_timer.at_ns = fanout->start_ns + SECOND_NS;
    fanout->window_start_timer.at_ns = fanout->window_start_ns;
    fanout->window_end_timer.at_ns = fanout->window_end_ns;
    server_usage(fanout, &fanout->second_usage);
}

static bool is_complete(const struct fanout *fanout) {
    for (uint32_t i = 0; i < fanout->options->threads; i++)
        if (tally_missing(&fanout->tallies[i]) > 0 || tally_unanswered(&fanout->tallies[i]) > 0)
            return false;
    return true;
}

static void run_until(struct fanout *fanout, int64_t until_ns) {
    while (loop_now_ns() < until_ns)
        loop_turn(&fanout->rig.loop, until_ns);
}

static void run_through(struct fanout *fanout) {
    timers_start(fanout);
    run_until(fanout, fanout->window_end_ns);
    int64_t deadline_ns = fanout->window_end_ns + (int64_t)fanout->options->drain_s * SECOND_NS;
    while ((fanout->window_end_timer.at_ns != 0 || fanout->sent < fanout->planned || !is_complete(fanout)) &&
           loop_now_ns() < deadline_ns)
        loop_turn(&fanout->rig.loop, deadline_ns);
    run_until(fanout, loop_now_ns() + LISTEN_AFTER_NS);
    progress_keep();
    fanout->is_over = true;
}

static void books_sum(struct fanout *fanout) {
    struct result *result = fanout->result;
    for (uint32_t i = 0; i < fanout->options->threads; i++) {
        const struct tally *tally = &fanout->tallies[i];
        uint32_t unanswered = tally_unanswered(tally);
        for (uint32_t j = 0; j < unanswered; j++)
            name_counts_add(&result->errors, BYTES_LITERAL("NeverAnswered"));
        result->sent += tally->sent;
        result->acknowledged += tally->acknowledged;
        result->failed += tally->failed + unanswered;
        result->expected += (uint64_t)tally->acknowledged * tally->readers_count;
        uint64_t arrived_awaited = (uint64_t)tally->acknowledged * tally->readers_count - tally_missing(tally);
        result->arrived += arrived_awaited;
        result->unawaited += tally->arrivals - arrived_awaited;
        result->lost += tally_missing(tally);
        result->duplicates += tally->duplicates;
        result->disorders += tally->disorders;
    }
    uint64_t framed = result->arrived + result->unawaited + result->duplicates + result->strange;
    result->frame_bytes = framed == 0 ? 0 : (double)fanout->rig.host.delivery_bytes / (double)framed;
    result->window_sent =
        (uint64_t)llround(fanout->options->rate * fanout->options->duration_s) * fanout->options->threads;
}

int fanout_run(struct options *options, struct result *result, char *reason, size_t reason_size) {
    struct fanout *fanout = calloc(1, sizeof *fanout);
    check(fanout != NULL);
    fanout->options = options;
    fanout->result = result;
    buffer_init(&fanout->content);
    int rc = rig_open(&fanout->rig, options, &fanout_events, fanout, reason, reason_size);
    if (rc != STATUS_OK)
        goto free_fanout;
    fanout->run = (uint32_t)session_host_chance(&fanout->rig.host);
    books_open(fanout);
    rc = rig_connect(&fanout->rig, result, reason, reason_size);
    if (rc != STATUS_OK)
        goto close_rig;
    run_through(fanout);
    books_sum(fanout);
    result->has_server = result->has_server && server_usage(fanout, &result->server_after);
close_rig:
    fanout->is_over = true;
    rig_close(&fanout->rig);
    books_close(fanout);
free_fanout:
    buffer_close(&fanout->content);
    free(fanout);
    return rc;
}
