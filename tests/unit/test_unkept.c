/* What is not kept is told once to the consumers that want it, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/events/unkept.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define STEPS 3
#define UNDER_WAY_MAX 128

static struct fixture fixture;
static struct unkept *unkept;
static struct consumers consumers;
static struct attempt *under_way[UNDER_WAY_MAX + 1];
static size_t begun_count, cancelled_count, members_count;

static size_t three_steps(const struct consumer *consumer, const struct event_source *source) {
    (void)consumer;
    members_count = source->members_count;
    assert_int_equal(source->change->kind, CHANGE_TYPING);
    return STEPS;
}

static struct attempt *begin(const struct step *step) {
    assert_true(step->is_passing);
    if (step->number == 0)
        return NULL; /* it is not wanted */
    assert_true(begun_count <= UNDER_WAY_MAX);
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    under_way[begun_count++] = attempt;
    return attempt;
}

static void cancel(struct attempt *attempt) {
    cancelled_count++;
    free(attempt);
}

static const struct consumer_kind taking = {
    .steps = three_steps, .begin = begin, .cancel = cancel, .takes_passing = true};
static const struct consumer_kind leaving = {.steps = three_steps, .begin = begin, .cancel = cancel};

static int set_up(void **state) {
    struct participant bob = {.user_id = BOB};
    (void)state;
    fixture_open(&fixture);
    const struct unkept_options options = {
        .store = fixture.store, .master = &fixture.master, .hash_key = fixture.hash_key};
    unkept = unkept_new(&options);
    consumers_init(&consumers);
    begun_count = cancelled_count = members_count = 0;
    struct command create = {.kind = COMMAND_THREAD_CREATE,
                             .subject = fixture_hash(&fixture, THREAD),
                             .actor_id = ALICE,
                             .properties.id = THREAD,
                             .participants = {&bob, 1}};
    create.wrapped_key = fixture_key(&fixture, &create.subject);
    assert_int_equal(fixture_apply(&fixture, &create), STATUS_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unkept_close(unkept);
    unkept_free(unkept);
    consumers_close(&consumers);
    fixture_close(&fixture);
    return 0;
}

static struct consumer *consumer_add(const struct consumer_kind *kind, uint8_t number) {
    struct consumer consumer = {.kind = kind, .id = {{number}}, .is_active = true};
    consumers_add(&consumers, &consumer);
    return consumers_find(&consumers, &consumer.id);
}

static void type(void) {
    struct typing_notice notice = {.user_id = ALICE, .time_ms = fixture.now_ms};
    struct change change = {.kind = CHANGE_TYPING,
                            .subject = fixture_hash(&fixture, THREAD),
                            .thread_id = THREAD,
                            .typing = &notice,
                            .typing_count = 1};
    unkept_offer(unkept, &change);
}

static void end(size_t number, enum attempt_result result) {
    struct attempt *attempt = under_way[number];
    attempt_end(attempt, result, 0);
    free(attempt);
}

static void who_wants_it_is_told_once(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&taking, 1);
    type();
    unkept_turn(unkept, &consumers);
    assert_int_equal(begun_count, STEPS - 1);
    assert_int_equal(members_count, 2);
    unkept_turn(unkept, &consumers);
    assert_int_equal(begun_count, STEPS - 1);
    end(0, ATTEMPT_DELIVERED);
    end(1, ATTEMPT_GIVEN_UP);
    assert_int_equal(consumer->counts.delivered, 1);
    assert_int_equal(consumer->counts.failed, 1);
    assert_int_equal(consumer->counts.given_up, 0);
}

static void who_fails_is_not_active_or_takes_only_what_is_kept_is_not_told(void **state) {
    (void)state;
    consumer_add(&leaving, 1);
    consumer_add(&taking, 2)->failures = 1;
    consumer_add(&taking, 3)->is_active = false;
    type();
    unkept_turn(unkept, &consumers);
    assert_int_equal(begun_count, 0);
}

static void too_much_is_lost(void **state) {
    (void)state;
    consumer_add(&taking, 1);
    for (size_t i = 0; i < 2 * UNDER_WAY_MAX; i++) {
        type();
        if (i % 32 == 0)
            unkept_turn(unkept, &consumers);
    }
    unkept_turn(unkept, &consumers);
    assert_int_equal(begun_count, UNDER_WAY_MAX);
    unkept_close(unkept);
    assert_int_equal(cancelled_count, UNDER_WAY_MAX);
}

static void who_is_none_any_more_is_broken_off(void **state) {
    struct consumers others;
    (void)state;
    consumer_add(&taking, 1);
    type();
    unkept_turn(unkept, &consumers);
    unkept_follow(unkept, &consumers);
    assert_int_equal(cancelled_count, 0);
    consumers_init(&others);
    unkept_follow(unkept, &others);
    assert_int_equal(cancelled_count, STEPS - 1);
}

int main(void) {
#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OF(who_wants_it_is_told_once),
        OF(who_fails_is_not_active_or_takes_only_what_is_kept_is_not_told),
        OF(too_much_is_lost),
        OF(who_is_none_any_more_is_broken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
