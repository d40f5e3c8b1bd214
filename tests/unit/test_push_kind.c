/* A change is handed to those who lead its recipients; a cluster that a test plays answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/push/push_kind.h"
#include "proto/question.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define TTL_MS 60000
#define ASKS_MAX 8

static const uint8_t hash_key[ID_HASH_KEY_BYTES] = {7};
static const struct participant members[] = {{.user_id = BYTES_LITERAL("8:acs:r_alice")},
                                             {.user_id = BYTES_LITERAL("8:acs:r_bob")},
                                             {.user_id = BYTES_LITERAL("8:acs:r_carol")}};

static struct gateway gateway;
static struct gateway_ask *asks[ASKS_MAX];
static size_t asks_count, wakes;
static struct push_kind_options options;
static struct consumer_kind *kind;
static enum attempt_result ended;
static int64_t ended_wait_ms;
static unsigned ends;

static struct id_hash user(size_t i) {
    return id_hash_make(hash_key, members[i].user_id);
}

/* Each user is of a range of her own. */
static uint32_t range_of(void *core, const struct id_hash *subject) {
    (void)core;
    for (uint32_t i = 0; i < 3; i++) {
        struct id_hash hash = user(i);
        if (id_hash_equal(&hash, subject))
            return i;
    }
    return 9;
}

static int ask(void *core, struct gateway_ask *asked) {
    (void)core;
    assert_true(asks_count < ASKS_MAX);
    asks[asks_count++] = asked;
    return STATUS_OK;
}

static void wake(void *context) {
    (void)context;
    wakes++;
}

static void on_end(struct attempt *attempt, enum attempt_result result, int64_t wait_ms) {
    (void)attempt;
    ended = result;
    ended_wait_ms = wait_ms;
    ends++;
}

static int set_up(void **state) {
    open_arena(state);
    gateway = (struct gateway){.workers_count = 1, .range_of = range_of, .ask = ask};
    options = (struct push_kind_options){.gateway = &gateway, .ttl_ms = TTL_MS, .wake = wake};
    kind = push_kind_new(&options);
    asks_count = ends = 0;
    return 0;
}

static int tear_down(void **state) {
    kind->free(kind);
    return close_arena(state);
}

static struct attempt *begin(uint64_t offset, unsigned attempts_made) {
    struct consumer consumer = {.kind = kind};
    struct change change = {.kind = CHANGE_MESSAGE_RECEIVED,
                            .offset = offset,
                            .time_ms = 1000,
                            .subject = {{1}},
                            .thread_id = BYTES_LITERAL("19:x@thread.v2"),
                            .message = {.actor_id = members[0].user_id, .content = BYTES_LITERAL("hello")}};
    struct event_source source = {.change = &change, .members = members, .members_count = 3, .key = hash_key};
    struct step step = {
        .consumer = &consumer, .source = &source, .attempts_made = attempts_made, .now_ms = 2000, .arena = &test_arena};
    struct attempt *attempt = kind->begin(&step);
    assert_non_null(attempt);
    attempt->kind = kind;
    attempt->on_end = on_end;
    return attempt;
}

static void answer(size_t i, int rc) {
    asks[i]->rc = rc;
    asks[i]->on_answer(NULL, asks[i]);
    kind->turn(kind);
}

static void assert_asked(size_t i, size_t of) {
    struct id_hash hash = user(of);
    assert_true(id_hash_equal(&asks[i]->subject, &hash));
}

static void who_has_been_taken_over_is_not_asked_for_again(void **state) {
    static const int codes[] = {STATUS_NOT_PRIMARY, STATUS_OVERLOADED, STATUS_MALFORMED};
    (void)state;
    begin(5, 0);
    assert_int_equal(asks_count, 2); /* all but her who wrote */
    assert_asked(0, 1);
    assert_asked(1, 2);
    answer(1, STATUS_OK);
    answer(0, codes[0]);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(ends, i);
        assert_int_equal(ended, ATTEMPT_LATER);
        assert_true(ended_wait_ms == (int64_t)1000 << i);
        asks_count = 0;
        begin(5, i);
        assert_int_equal(asks_count, 1);
        assert_asked(0, 1);
        answer(0, i < 3 ? codes[i] : STATUS_OK);
    }
    assert_int_equal(ended, ATTEMPT_DELIVERED);
}

static void another_change_is_for_all(void **state) {
    (void)state;
    begin(5, 0);
    answer(0, STATUS_OK);
    answer(1, STATUS_OVERLOADED);
    asks_count = 0;
    struct attempt *attempt = begin(6, 0);
    assert_int_equal(asks_count, 2);
    kind->cancel(attempt);
    answer(0, STATUS_OK); /* nobody waits for it any more */
    answer(1, STATUS_OVERLOADED);
    assert_int_equal(ends, 1);
}

static void nodes_that_cannot_are_asked_for_a_while(void **state) {
    static const int codes[] = {STATUS_NOT_IMPLEMENTED, STATUS_MALFORMED, STATUS_NOT_PRIMARY};
    static const enum attempt_result at_last[] = {ATTEMPT_REFUSED, ATTEMPT_REFUSED, ATTEMPT_LATER};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (unsigned attempts = 0; attempts <= 7; attempts++) {
            asks_count = 0;
            begin(10 + i, attempts);
            for (size_t j = asks_count; j > 0; j--)
                answer(j - 1, asks_count == 2 && j == 2 ? STATUS_OK : codes[i]);
            assert_int_equal(ended, attempts < 7 ? ATTEMPT_LATER : at_last[i]);
        }
        assert_int_equal(asks_count, 1);
    }
}

int main(void) {
#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OF(who_has_been_taken_over_is_not_asked_for_again),
        OF(another_change_is_for_all),
        OF(nodes_that_cannot_are_asked_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
