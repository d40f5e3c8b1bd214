#include "bench/load.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/native.h"
#include "bench/progress.h"
#include "bench/sdk.h"
#include "proto/check.h"
#include "proto/status.h"

#define LEAD_NS 100000000LL         /* from the start of the clock to the first message */
#define LATE_NS 1000000000LL        /* what is older and not there counts as lost in the live line */
#define LISTEN_AFTER_NS 300000000LL /* after the last arrival, for duplicates */
#define SECOND_NS 1000000000LL
#define CLIENT_ID_BYTES 64

/* Sending */

/* The threads take turns, so a rate of R on N threads is one message every 1/(R N) seconds. */
static int64_t intended_time(const struct load *load, uint64_t sequence) {
    double per_second = load->options->rate * (double)options_threads(load->options);
    return load->measure.start_ns + (int64_t)((double)sequence / per_second * 1e9);
}

struct session *load_author(struct load *load, uint32_t thread, uint32_t number) {
    const struct options *options = load->options;
    size_t user = options_first_user(options, thread) + number % options_participants(options, thread);
    return &load->rig.population.sessions[user * options->connections_per_user];
}

static void transmit(struct load *load, struct session *author, uint32_t thread, uint32_t number) {
    struct payload payload = {load->run, thread, number, load->tallies[thread].messages[number].intended_ns};
    char id[CLIENT_ID_BYTES];
    int id_size = snprintf(id, sizeof id, "wb-%08" PRIx32 "-%06" PRIx32 "-%08" PRIx32, load->run, thread, number);
    load->content.size = 0;
    payload_encode(&payload, load->options->payload_bytes, &load->content);
    struct bytes content = buffer_bytes(&load->content);
    if (load->options->wire == WIRE_SDK)
        sdk_send(author, bytes_of(id, (size_t)id_size), author->thread_id, content);
    else
        native_send(author, bytes_of(id, (size_t)id_size), author->thread_id, content);
}

static void send_one(struct load *load, uint64_t sequence, int64_t intended_ns, int64_t now_ns) {
    uint32_t threads = options_threads(load->options);
    uint32_t thread = (uint32_t)(sequence % threads), number = (uint32_t)(sequence / threads);
    struct session *author = load_author(load, thread, number);
    tally_sent(&load->tallies[thread], number, intended_ns, now_ns);
    if (author->state == SESSION_READY) {
        transmit(load, author, thread, number);
    } else if (!load->is_patient) {
        tally_failed(&load->tallies[thread], number);
        name_counts_add(&load->result->errors, BYTES_LITERAL("AuthorDisconnected"));
    }
}

static void on_send_time(void *context, int64_t now_ns) {
    struct load *load = context;
    int64_t intended_ns = 0;
    while (load->sent < load->planned && (intended_ns = intended_time(load, load->sent)) <= now_ns) {
        int64_t started_ns = loop_now_ns();
        double late_ms = (double)(started_ns - intended_ns) / 1e6;
        if (measure_is_in_window(&load->measure, intended_ns) && late_ms > load->result->latest_send_ms)
            load->result->latest_send_ms = late_ms;
        send_one(load, load->sent++, intended_ns, started_ns);
    }
    if (load->sent < load->planned)
        load->send_timer.at_ns = intended_ns;
}

/* Calls for each unanswered message of the author, until `call` says that it is enough. */
static void each_unanswered(struct load *load, const struct session *author,
                            bool (*call)(struct load *load, uint32_t number, void *context), void *context) {
    struct tally *tally = &load->tallies[author->thread];
    for (uint32_t number = tally_next_unanswered(tally, 0); number < tally->messages_count;
         number = tally_next_unanswered(tally, number + 1))
        if (load_author(load, author->thread, number) == author && !call(load, number, context))
            return;
}

struct repetition {
    struct session *author;
    uint32_t count;
};

static bool repeat_one(struct load *load, uint32_t number, void *context) {
    struct repetition *repetition = context;
    load->tallies[repetition->author->thread].messages[number].is_repeated = true;
    transmit(load, repetition->author, repetition->author->thread, number);
    repetition->count++;
    return repetition->author->state == SESSION_READY;
}

uint32_t load_repeat(struct load *load, struct session *author) {
    struct repetition repetition = {author, 0};
    each_unanswered(load, author, repeat_one, &repetition);
    return repetition.count;
}

static bool note_one(struct load *load, uint32_t number, void *context) {
    (void)load, (void)number;
    *(bool *)context = true;
    return false;
}

bool load_has_unanswered(struct load *load, const struct session *author) {
    bool has_any = false;
    each_unanswered(load, author, note_one, &has_any);
    return has_any;
}

/* Arrivals and answers */

void load_take_delivery(struct load *load, struct session *session, bool is_whole, const struct payload *payload,
                        uint64_t position, int64_t now_ns) {
    if (!is_whole || payload->run != load->run || payload->thread != session->thread) {
        load->result->strange++;
        return;
    }
    struct tally *tally = &load->tallies[session->thread];
    bool is_contiguous = load->options->wire != WIRE_SDK;
    enum tally_verdict verdict =
        tally_arrived(tally, &session->reader, payload->number, position, is_contiguous, now_ns);
    if (verdict == TALLY_STRANGE)
        load->result->strange++;
    if (verdict == TALLY_COUNTED || verdict == TALLY_COMPLETE)
        measure_delivery(&load->measure, payload->intended_ns, now_ns, verdict == TALLY_COMPLETE);
}

static bool client_id_parse(const struct load *load, struct bytes id, uint32_t *thread, uint32_t *number) {
    char text[CLIENT_ID_BYTES];
    uint32_t run;
    if (id.size >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", BYTES_ARG(id));
    return sscanf(text, "wb-%8" SCNx32 "-%6" SCNx32 "-%8" SCNx32, &run, thread, number) == 3 && run == load->run &&
           *thread < options_threads(load->options) && *number < load->tallies[*thread].messages_count;
}

static void refusal_take(struct load *load, const struct session_answer *answer) {
    if (load->result->errors.count == 0 && answer->message.size > 0) {
        progress_clear();
        fprintf(stderr, "weft-bench: first error: %.*s: %.*s\n", BYTES_ARG(answer->code), BYTES_ARG(answer->message));
    }
    name_counts_add(&load->result->errors, bytes_is_present(answer->code) ? answer->code : BYTES_LITERAL("Unnamed"));
}

void load_take_answer(struct load *load, const struct session_answer *answer, int64_t now_ns) {
    uint32_t thread, number;
    bool is_ours = bytes_is_present(answer->id) && client_id_parse(load, answer->id, &thread, &number);
    if (!answer->is_accepted) {
        refusal_take(load, answer);
        if (is_ours)
            tally_failed(&load->tallies[thread], number);
        return;
    }
    /* An id that was sent once is no duplicate, and no message is acknowledged twice. */
    bool is_wrong_duplicate = answer->is_duplicate && !load->is_patient;
    if (!is_ours || is_wrong_duplicate || !tally_acknowledged(&load->tallies[thread], number, now_ns)) {
        name_counts_add(&load->result->errors, BYTES_LITERAL("UnexpectedAcknowledgement"));
        return;
    }
    if (bytes_is_present(answer->durability))
        name_counts_add(&load->result->durabilities, answer->durability);
    measure_acknowledgement(&load->measure, load->tallies[thread].messages[number].intended_ns, now_ns);
}

/* Time */

static uint64_t overdue(struct load *load, int64_t now_ns) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < options_threads(load->options); i++)
        sum += tally_overdue(&load->tallies[i], now_ns - LATE_NS);
    return sum;
}

static void second_show(struct load *load, int64_t now_ns) {
    const struct result *result = load->result;
    const struct second *second = &result->seconds[result->seconds_count - 1];
    progress_line("%4zu/%u s  %10" PRIu64 " deliveries/s  p50 %7.2f ms  p99 %7.2f ms  lost %" PRIu64,
                  result->seconds_count, load->options->warmup_s + load->options->duration_s, second->deliveries,
                  (double)second->p50_ns / 1e6, (double)second->p99_ns / 1e6, overdue(load, now_ns));
}

static void on_second(void *context, int64_t now_ns) {
    struct load *load = context;
    if (now_ns < load->measure.window_end_ns + SECOND_NS / 2) {
        measure_second(&load->measure);
        second_show(load, now_ns);
    } else {
        progress_line("waiting for the last arrivals: %" PRIu64 " are missing", overdue(load, now_ns));
    }
    if (load->on_second != NULL)
        load->on_second(load);
    load->second_timer.at_ns = now_ns + SECOND_NS - (now_ns - load->measure.start_ns) % SECOND_NS;
}

static void on_window_start(void *context, int64_t now_ns) {
    struct load *load = context;
    (void)now_ns;
    measure_window_start(&load->measure);
}

static void on_window_end(void *context, int64_t now_ns) {
    struct load *load = context;
    measure_window_end(&load->measure, now_ns);
}

/* The run */

static void books_open(struct load *load) {
    const struct options *options = load->options;
    uint32_t messages = options_messages_per_thread(options), threads = options_threads(options);
    load->tallies = calloc(threads, sizeof *load->tallies);
    check(load->tallies != NULL);
    for (uint32_t i = 0; i < threads; i++)
        tally_init(&load->tallies[i], messages, options_readers(options, i));
    struct population *population = &load->rig.population;
    for (size_t i = 0; i < population->sessions_count; i++)
        tally_reader_init(&population->sessions[i].reader, &load->tallies[population->sessions[i].thread]);
    load->planned = (uint64_t)messages * threads;
}

int load_open(struct load *load, struct options *options, struct result *result, const struct session_events *events,
              char *reason, size_t reason_size) {
    load->options = options;
    load->result = result;
    int rc = rig_open(&load->rig, options, events, load, reason, reason_size);
    if (rc != STATUS_OK)
        return rc;
    buffer_init(&load->content);
    load->run = (uint32_t)session_host_chance(&load->rig.host);
    books_open(load);
    return STATUS_OK;
}

void load_close(struct load *load) {
    load->is_over = true;
    rig_close(&load->rig);
    for (uint32_t i = 0; i < options_threads(load->options); i++)
        tally_close(&load->tallies[i]);
    free(load->tallies);
    buffer_close(&load->content);
}

void load_start(struct load *load) {
    struct loop *loop = &load->rig.loop;
    struct measure *measure = &load->measure;
    measure_start(measure, load->result, loop_now_ns() + LEAD_NS);
    loop_timer_add(loop, &load->send_timer, on_send_time, load);
    loop_timer_add(loop, &load->second_timer, on_second, load);
    loop_timer_add(loop, &load->window_start_timer, on_window_start, load);
    loop_timer_add(loop, &load->window_end_timer, on_window_end, load);
    load->send_timer.at_ns = measure->start_ns;
    load->second_timer.at_ns = measure->start_ns + SECOND_NS;
    load->window_start_timer.at_ns = measure->window_start_ns;
    load->window_end_timer.at_ns = measure->window_end_ns;
}

void load_end_early(struct load *load) {
    int64_t now_ns = loop_now_ns();
    if (now_ns >= load->measure.window_end_ns || load->window_start_timer.at_ns != 0)
        return;
    load->planned = load->sent;
    load->measure.window_end_ns = now_ns;
    load->window_end_timer.at_ns = now_ns;
}

static bool is_complete(const struct load *load) {
    for (uint32_t i = 0; i < options_threads(load->options); i++)
        if (tally_missing(&load->tallies[i]) > 0 || tally_unanswered(&load->tallies[i]) > 0)
            return false;
    return true;
}

void load_run(struct load *load) {
    struct loop *loop = &load->rig.loop;
    while (loop_now_ns() < load->measure.window_end_ns)
        loop_turn(loop, load->measure.window_end_ns);
    int64_t deadline_ns = load->measure.window_end_ns + (int64_t)load->options->drain_s * SECOND_NS;
    while ((load->window_end_timer.at_ns != 0 || load->sent < load->planned || !is_complete(load)) &&
           loop_now_ns() < deadline_ns)
        loop_turn(loop, deadline_ns);
    int64_t until_ns = loop_now_ns() + LISTEN_AFTER_NS;
    while (loop_now_ns() < until_ns)
        loop_turn(loop, until_ns);
    progress_keep();
    load->is_over = true;
}

static void book_add(struct result *result, const struct tally *tally) {
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

void load_sum(struct load *load) {
    struct result *result = load->result;
    uint32_t threads = options_threads(load->options);
    for (uint32_t i = 0; i < threads; i++)
        book_add(result, &load->tallies[i]);
    uint64_t framed = result->arrived + result->unawaited + result->duplicates + result->strange;
    result->frame_bytes = framed == 0 ? 0 : (double)load->rig.host.delivery_bytes / (double)framed;
    result->has_server = result->has_server && measure_server(result, &result->server_after);
}
