#include "node/gateway/trace_asking.h"

#include <stdlib.h>

#include "node/cluster_view.h"
#include "node/gateway/trace_reading.h"
#include "proto/check.h"

#define SUBJECT_DEADLINE_MS 8000 /* a takeover may have to be waited for */
#define MEMORY_DEADLINE_MS 3000

struct trace_asked {
    struct gateway_ask ask;
    struct tracing *tracing;
    struct traced_node *node; /* NULL: who leads the thread */
    int64_t sent_us;
};

static void question_fill(struct tracing *tracing, enum question_kind kind, const struct trace_request *request,
                          struct question_subject *subject, struct question *question) {
    struct buffer encoded;
    buffer_init(&encoded);
    trace_request_encode(request, &encoded);
    *subject = (struct question_subject){.hash = tracing->thread};
    *question = (struct question){.kind = kind,
                                  .call = arena_copy(&tracing->call->arena, buffer_bytes(&encoded)),
                                  .subjects = subject,
                                  .subjects_count = 1};
    buffer_close(&encoded);
}

static int ask(struct tracing *tracing, struct traced_node *node, struct question *question, uint32_t deadline_ms,
               void (*on_answer)(struct gateway_worker *worker, struct gateway_ask *ask)) {
    struct gateway *gateway = tracing->worker->gateway;
    struct trace_asked *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    *asked = (struct trace_asked){.ask = {.subject = tracing->thread,
                                          .node = node == NULL ? 0 : node->node->id,
                                          .deadline_ms = deadline_ms,
                                          .worker = tracing->worker->worker->index,
                                          .on_answer = on_answer},
                                  .tracing = tracing,
                                  .node = node,
                                  .sent_us = trace_now_us()};
    buffer_init(&asked->ask.body);
    buffer_init(&asked->ask.reply);
    question->left_ms = deadline_ms;
    question_encode(question, &asked->ask.body);
    int rc = gateway->ask(gateway->core, &asked->ask);
    if (rc != STATUS_OK)
        gateway_ask_free(&asked->ask);
    return rc;
}

/* ---- second: what each node remembers ---- */

static void done_by_one(struct tracing *tracing) {
    if (--tracing->waiting == 0)
        tracing->on_done(tracing, STATUS_OK);
}

/* The answer was made somewhere between our question and now: in the middle, for all we know. */
static void clock_compare(struct traced_node *node, int64_t sent_us) {
    int64_t took_us = trace_now_us() - sent_us;
    node->ahead_us = node->memory.now_us - (trace_unix_us() - took_us / 2);
    node->uncertain_us = took_us / 2 + 1;
}

static void on_memory(struct gateway_worker *worker, struct gateway_ask *answered) {
    struct trace_asked *asked = (struct trace_asked *)answered;
    struct tracing *tracing = asked->tracing;
    struct traced_node *node = asked->node;
    struct arena *arena = &tracing->call->arena;
    (void)worker;
    if (answered->rc == STATUS_OK &&
        trace_memory_decode(arena_copy(arena, buffer_bytes(&answered->reply)), arena, &node->memory) == STATUS_OK) {
        node->answer = TRACED_REMEMBERS;
        clock_compare(node, asked->sent_us);
    }
    gateway_ask_free(answered);
    done_by_one(tracing);
}

static bool is_here(const struct tracing *tracing, const struct traced_node *node) {
    return tracing->worker->gateway->ask == NULL || node->node->id == tracing->facts.self;
}

static void memory_ask(struct tracing *tracing, struct traced_node *node) {
    struct trace_request request = {.changes = tracing->subject.changes,
                                    .changes_count = tracing->subject.changes_count};
    struct question_subject subject;
    struct question question;
    question_fill(tracing, QUESTION_TRACE_MEMORY, &request, &subject, &question);
    if (is_here(tracing, node)) {
        bool is_read = trace_memory_read(tracing->worker, &tracing->call->arena, &question, &node->memory) == STATUS_OK;
        node->answer = is_read ? TRACED_REMEMBERS : TRACED_NONE;
        done_by_one(tracing);
    } else if (ask(tracing, node, &question, MEMORY_DEADLINE_MS, on_memory) != STATUS_OK) {
        done_by_one(tracing);
    }
}

/* One more is waited for than is asked, so that it is not over before all are. */
static void memories_ask(struct tracing *tracing) {
    tracing->waiting = 1;
    for (size_t i = 0; i < tracing->facts.nodes_count && tracing->subject.changes_count > 0; i++) {
        struct traced_node *node = &tracing->nodes[i];
        if (node->answer == TRACED_SILENT)
            continue;
        tracing->waiting++;
        memory_ask(tracing, node);
    }
    done_by_one(tracing);
}

/* ---- first: which changes, of whom ---- */

static void subject_taken(struct tracing *tracing, int rc) {
    if (rc == STATUS_OK)
        memories_ask(tracing);
    else
        tracing->on_done(tracing, rc);
}

static void on_subject(struct gateway_worker *worker, struct gateway_ask *answered) {
    struct tracing *tracing = ((struct trace_asked *)answered)->tracing;
    struct arena *arena = &tracing->call->arena;
    int rc = answered->rc;
    (void)worker;
    if (rc == STATUS_OK)
        rc = trace_subject_decode(arena_copy(arena, buffer_bytes(&answered->reply)), arena, &tracing->subject);
    gateway_ask_free(answered);
    subject_taken(tracing, rc);
}

static void nodes_look(struct tracing *tracing) {
    const struct gateway_admin *admin = &tracing->worker->gateway->admin;
    struct arena *arena = &tracing->call->arena;
    cluster_view_facts(admin->view, arena, cluster_view_clock_ms(), &tracing->facts);
    tracing->nodes = ARENA_NEW_ARRAY(arena, struct traced_node, tracing->facts.nodes_count + 1);
    for (size_t i = 0; i < tracing->facts.nodes_count; i++) {
        const struct cluster_node *node = &tracing->facts.nodes[i];
        tracing->nodes[i] = (struct traced_node){.node = node, .answer = node->is_alive ? TRACED_NONE : TRACED_SILENT};
    }
}

void trace_ask(struct tracing *tracing) {
    struct question_subject subject;
    struct question question;
    nodes_look(tracing);
    question_fill(tracing, QUESTION_TRACE_SUBJECT, &tracing->request, &subject, &question);
    if (tracing->worker->gateway->ask == NULL) {
        subject_taken(tracing,
                      trace_subject_read(tracing->worker, &tracing->call->arena, &question, &tracing->subject));
        return;
    }
    int rc = ask(tracing, NULL, &question, SUBJECT_DEADLINE_MS, on_subject);
    if (rc != STATUS_OK)
        tracing->on_done(tracing, rc);
}
