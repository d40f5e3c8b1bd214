#include "node/gateway/endpoint_claim.h"

#include <stdlib.h>

#include "node/gateway/endpoint_message.h"
#include "node/gateway/trouter_session.h"
#include "node/log.h"
#include "proto/check.h"

/* The client waits for its welcome meanwhile; long enough for another node to take the user's range over. */
#define CLAIM_DEADLINE_MS 5000

/* A node that leads a user for so long has heard from every holder that can be heard from. */
#define PLACES_SETTLED_MS 10000

struct claim_ask {
    struct gateway_ask ask;
    struct endpoint_place place;
    struct endpoint_holder previous_here;
};

static int answer_read(const struct claim_ask *claim, struct arena *arena, struct endpoint_message *answer) {
    int rc = claim->ask.rc;
    if (rc == STATUS_OK)
        rc = endpoint_message_decode(buffer_bytes(&claim->ask.reply), arena, answer);
    if (rc != STATUS_OK)
        log_warning("nobody says which node held an endpoint: %s", status_sentence(rc));
    return rc;
}

static void on_claimed(struct gateway_worker *worker, struct gateway_ask *ask) {
    const struct claim_ask *claim = (const struct claim_ask *)ask;
    struct endpoint_claimed claimed = {.previous = claim->previous_here};
    struct endpoint_message answer;
    struct arena arena;
    arena_init(&arena);
    if (answer_read(claim, &arena, &answer) == STATUS_OK) {
        claimed.turn = answer.turn;
        claimed.is_unsure = answer.is_unsure;
        claimed.previous = answer.is_unsure ? claim->previous_here : answer.giver;
    }
    arena_close(&arena);
    trouter_claimed(worker, &ask->subject, &claim->place.holder, &claimed);
    gateway_ask_free(ask);
}

static void on_renewed(struct gateway_worker *worker, struct gateway_ask *ask) {
    const struct claim_ask *claim = (const struct claim_ask *)ask;
    struct endpoint_message answer;
    struct arena arena;
    arena_init(&arena);
    if (answer_read(claim, &arena, &answer) == STATUS_OK && answer.turn > claim->place.turn) {
        struct endpoint_place newest = {.holder = answer.giver, .turn = answer.turn};
        trouter_outdated(worker, &ask->subject, &claim->place.holder, &newest);
    }
    arena_close(&arena);
    gateway_ask_free(ask);
}

static struct claim_ask *claim_new(const struct id_hash *user, const struct id_hash *endpoint,
                                   const struct endpoint_place *place, bool is_renewal) {
    struct claim_ask *claim = calloc(1, sizeof(*claim));
    struct endpoint_message message = {
        .endpoint = *endpoint, .taker = place->holder, .turn = place->turn, .is_renewal = is_renewal};
    struct question_subject subject = {.hash = *user};
    struct buffer encoded;
    check(claim != NULL);
    claim->place = *place;
    claim->ask.subject = *user;
    claim->ask.deadline_ms = CLAIM_DEADLINE_MS;
    claim->ask.worker = place->holder.worker;
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
    struct claim_ask *claim = claim_new(user, endpoint, &(struct endpoint_place){.holder = *holder}, false);
    claim->previous_here = *previous_here;
    claim_send(worker->gateway, claim);
}

void endpoint_claim_renew(struct gateway_worker *worker, const struct id_hash *user, const struct id_hash *endpoint,
                          const struct endpoint_place *place) {
    claim_send(worker->gateway, claim_new(user, endpoint, place, true));
}

static void serve(struct gateway *gateway, const struct gateway_reign *reign, const struct endpoint_message *asked,
                  struct buffer *answer) {
    struct endpoint_message found = {.is_found = true};
    if (asked->is_renewal) {
        struct endpoint_place place = {.holder = asked->taker, .turn = asked->turn};
        place = endpoint_place_renew(gateway->endpoints, &asked->endpoint, &place, reign->epoch);
        found.giver = place.holder;
        found.turn = place.turn;
    } else {
        found.turn =
            endpoint_place_claim(gateway->endpoints, &asked->endpoint, &asked->taker, reign->epoch, &found.giver);
        found.is_unsure = found.giver.session == 0 && reign->lasts_ms < PLACES_SETTLED_MS;
    }
    endpoint_message_encode(&found, answer);
}

int endpoint_claim_serve(struct gateway *gateway, const struct question *question, struct buffer *answer) {
    struct endpoint_message asked;
    struct gateway_reign reign;
    struct arena arena;
    if (!gateway->reign(gateway->core, &question->subjects[0].hash, &reign))
        return STATUS_NOT_PRIMARY;
    arena_init(&arena);
    int rc = endpoint_message_decode(question->call, &arena, &asked);
    if (rc == STATUS_OK && asked.taker.session == 0)
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK)
        serve(gateway, &reign, &asked, answer);
    arena_close(&arena);
    return rc;
}
