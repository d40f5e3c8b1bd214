#include "node/gateway/endpoint_claim.h"

#include <stdlib.h>

#include "node/gateway/endpoint_message.h"
#include "node/gateway/trouter_session.h"
#include "node/log.h"
#include "proto/check.h"

/* The client waits for its welcome meanwhile; long enough for another node to take the user's range over. */
#define CLAIM_DEADLINE_MS 5000

struct claim_ask {
    struct gateway_ask ask;
    struct endpoint_holder holder;
    struct endpoint_holder previous_here;
};

static struct endpoint_holder previous_find(const struct claim_ask *claim) {
    struct endpoint_holder previous = claim->previous_here;
    struct endpoint_message message;
    struct arena arena;
    arena_init(&arena);
    if (claim->ask.rc != STATUS_OK)
        log_warning("nobody says which node held an endpoint: %s", status_sentence(claim->ask.rc));
    if (claim->ask.rc == STATUS_OK &&
        endpoint_message_decode(buffer_bytes(&claim->ask.reply), &arena, &message) == STATUS_OK)
        previous = message.giver;
    arena_close(&arena);
    return previous;
}

static void on_claimed(struct gateway_worker *worker, struct gateway_ask *ask) {
    const struct claim_ask *claim = (const struct claim_ask *)ask;
    struct endpoint_holder previous = previous_find(claim);
    trouter_claimed(worker, &ask->subject, &claim->holder, &previous);
    gateway_ask_free(ask);
}

static void on_renewed(struct gateway_worker *worker, struct gateway_ask *ask) {
    (void)worker;
    gateway_ask_free(ask);
}

static struct claim_ask *claim_new(const struct id_hash *user, const struct id_hash *endpoint,
                                   const struct endpoint_holder *holder, bool is_renewal) {
    struct claim_ask *claim = calloc(1, sizeof(*claim));
    struct endpoint_message message = {.endpoint = *endpoint, .taker = *holder, .is_renewal = is_renewal};
    struct question_subject subject = {.hash = *user};
    struct buffer encoded;
    check(claim != NULL);
    claim->holder = *holder;
    claim->ask.subject = *user;
    claim->ask.deadline_ms = CLAIM_DEADLINE_MS;
    claim->ask.worker = holder->worker;
    claim->ask.on_answer = is_renewal ? on_renewed : on_claimed;
    buffer_init(&claim->ask.body);
    buffer_init(&claim->ask.reply);
    buffer_init(&encoded);
    endpoint_message_encode(&message, &encoded);
    struct question question = {.kind = QUESTION_ENDPOINT,
                                .left_ms = CLAIM_DEADLINE_MS,
                                .call = buffer_bytes(&encoded),
                                .subjects = &subject,
                                .subjects_count = 1};
    question_encode(&question, &claim->ask.body);
    buffer_close(&encoded);
    return claim;
}

/* A node that is about to end answers nothing, and its sessions end too. */
static void claim_send(struct gateway *gateway, struct claim_ask *claim) {
    if (gateway->ask(gateway->core, &claim->ask) != STATUS_OK)
        gateway_ask_free(&claim->ask);
}

void endpoint_claim_ask(struct gateway_worker *worker, const struct id_hash *user, const struct id_hash *endpoint,
                        const struct endpoint_holder *holder, const struct endpoint_holder *previous_here) {
    struct claim_ask *claim = claim_new(user, endpoint, holder, false);
    claim->previous_here = *previous_here;
    claim_send(worker->gateway, claim);
}

void endpoint_claim_renew(struct gateway_worker *worker, const struct id_hash *user, const struct id_hash *endpoint,
                          const struct endpoint_holder *holder) {
    claim_send(worker->gateway, claim_new(user, endpoint, holder, true));
}

int endpoint_claim_serve(struct gateway *gateway, const struct question *question, struct buffer *answer) {
    struct endpoint_message message;
    struct endpoint_message found = {.is_found = true};
    struct arena arena;
    arena_init(&arena);
    int rc = endpoint_message_decode(question->call, &arena, &message);
    if (rc == STATUS_OK && message.taker.session == 0)
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK) {
        found.giver = endpoint_place_claim(gateway->endpoints, &message.endpoint, &message.taker, message.is_renewal);
        endpoint_message_encode(&found, answer);
    }
    arena_close(&arena);
    return rc;
}
