/* What happened in a thread is given to a consumer of a kind that a test plays, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/events/dispatch.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define STEPS_MAX 64

static struct fixture fixture;
static struct feed *feed;
static struct dispatch dispatch;
static struct id_hash thread;

/* What the kind was asked for. */
static struct attempt *under_way;
static uint64_t steps_taken[STEPS_MAX]; /* offsets, of the attempt that is under way */
static size_t steps_count, steps_room, go_count, expired_count, cancelled_count;
static struct command proposed;
static struct event_cursor proposed_cursors[4];
static size_t proposed_count;
static int propose_rc;

static size_t one_step(const struct consumer *consumer, const struct event_source *source) {
    (void)consumer;
    return source->change->kind == CHANGE_MESSAGE_RECEIVED ? 1 : 0;
}

static struct attempt *begin(const struct step *step) {
    assert_null(under_way);
    under_way = calloc(1, sizeof(*under_way));
    steps_taken[0] = step->source->change->offset;
    steps_count = 1;
    return under_way;
}

static enum join join(struct attempt *attempt, const struct step *step) {
    assert_ptr_equal(attempt, under_way);
    if (steps_count == steps_room)
        return JOIN_FULL;
    steps_taken[steps_count++] = step->source->change->offset;
    return JOIN_TAKEN;
}

static void go(struct attempt *attempt) {
    assert_ptr_equal(attempt, under_way);
    go_count++;
}

static bool expire(const struct step *step) {
    (void)step;
    expired_count++;
    return true;
}

static void cancel(struct attempt *attempt) {
    assert_ptr_equal(attempt, under_way);
    under_way = NULL;
    cancelled_count++;
    free(attempt);
}

static const struct consumer_kind batching = {
    .steps = one_step, .begin = begin, .join = join, .go = go, .expire = expire, .cancel = cancel};
static const struct consumer_kind plain = {.steps = one_step, .begin = begin, .cancel = cancel};

static int propose(void *context, const struct command *command) {
    (void)context;
    if (propose_rc != STATUS_OK)
        return propose_rc;
    proposed = *command;
    assert_true(command->cursors_count <= 4);
    memcpy(proposed_cursors, command->cursors, command->cursors_count * sizeof(*proposed_cursors));
    proposed.cursors = proposed_cursors;
    proposed_count++;
    return STATUS_OK;
}

static void send_messages(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct command command = {.kind = COMMAND_MESSAGE_SEND,
                                  .subject = thread,
                                  .actor_id = ALICE,
                                  .message_type = MESSAGE_TEXT,
                                  .content = BYTES_LITERAL("hello"),
                                  .is_watched = true};
        assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    }
    feed_add(feed, &thread, 1);
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    feed = feed_new();
    thread = fixture_hash(&fixture, THREAD);
    dispatch = (struct dispatch){.feed = feed,
                                 .store = fixture.store,
                                 .master = &fixture.master,
                                 .hash_key = fixture.hash_key,
                                 .propose = propose};
    consumers_init(&dispatch.consumers);
    under_way = NULL;
    steps_count = go_count = expired_count = cancelled_count = proposed_count = 0;
    steps_room = STEPS_MAX;
    propose_rc = STATUS_OK;
    struct command create = {
        .kind = COMMAND_THREAD_CREATE, .subject = thread, .actor_id = ALICE, .properties.id = THREAD};
    create.wrapped_key = fixture_key(&fixture, &thread);
    assert_int_equal(fixture_apply(&fixture, &create), STATUS_OK); /* offsets 1 and 2, which nobody watches */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    places_close(&dispatch.places);
    consumers_close(&dispatch.consumers);
    feed_free(feed);
    fixture_close(&fixture);
    return 0;
}

static struct consumer *consumer_add(const struct consumer_kind *kind, int64_t lives_ms) {
    struct consumer consumer = {
        .kind = kind, .id = {{1}}, .serial = 1, .since_ms = 1, .lives_ms = lives_ms, .is_active = true};
    consumers_add(&dispatch.consumers, &consumer);
    return consumers_find(&dispatch.consumers, &consumer.id);
}

static void look(enum look_kind kind) {
    struct id_hash next;
    uint64_t serial;
    assert_true(feed_next(feed, &next, &serial));
    dispatch_thread(&dispatch, &next, serial, kind);
}

static void end(enum attempt_result result, int64_t wait_ms) {
    struct attempt *ended = under_way;
    assert_non_null(ended);
    under_way = NULL;
    attempt_end(ended, result, wait_ms);
    free(ended);
}

static void assert_under_way(uint64_t first, size_t count) {
    assert_non_null(under_way);
    assert_int_equal(steps_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(steps_taken[i], first + i);
}

static void assert_done_up_to(uint64_t offset) {
    assert_int_equal(proposed.kind, COMMAND_EVENTS_DONE);
    assert_int_equal(proposed.cursors_count, 1);
    assert_int_equal(proposed_cursors[0].offset, offset);
}

static void what_happened_comes_in_order_and_together_as_far_as_there_is_room(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    send_messages(5); /* 3 to 7 */
    steps_room = 3;
    look(LOOK_FRESH);
    assert_under_way(3, 3);
    assert_int_equal(go_count, 1);
    look(LOOK_FRESH); /* while it is under way */
    assert_int_equal(go_count, 1);
    end(ATTEMPT_DELIVERED, 0);
    assert_under_way(6, 2);
    assert_int_equal(proposed_count, 0);
    end(ATTEMPT_DELIVERED, 0);
    assert_null(under_way);
    assert_int_equal(consumer->counts.delivered, 5);
    look(LOOK_FRESH);
    assert_done_up_to(7);
}

static void a_kind_that_takes_one_gets_one_after_the_other(void **state) {
    (void)state;
    consumer_add(&plain, 0);
    send_messages(2);
    look(LOOK_FRESH);
    assert_under_way(3, 1);
    end(ATTEMPT_GIVEN_UP, 0);
    assert_under_way(4, 1);
    end(ATTEMPT_DELIVERED, 0);
    assert_null(under_way);
}

static void what_failed_is_made_again_as_it_was(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    send_messages(2); /* 3 and 4 */
    look(LOOK_FRESH);
    assert_under_way(3, 2);
    send_messages(2);
    end(ATTEMPT_AGAIN, 0);
    assert_under_way(3, 2);
    end(ATTEMPT_AGAIN, 1000000);
    assert_null(under_way);
    look(LOOK_FRESH); /* its time has not come */
    assert_null(under_way);
    assert_int_equal(consumer->counts.failed, 2);
    assert_int_equal(consumer->counts.delivered, 0);
}

static void who_refuses_for_good_is_not_left_alone(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&plain, 0);
    send_messages(8);
    look(LOOK_FRESH);
    for (unsigned i = 0; i < 4; i++)
        end(ATTEMPT_REFUSED, 0);
    assert_non_null(under_way);
    assert_int_equal(consumer->counts.given_up, 4);
    for (unsigned i = 0; i < 3; i++)
        end(ATTEMPT_GIVEN_UP, 0);
    assert_null(under_way);
    assert_int_equal(consumer->counts.given_up, 7);
}

static void who_is_not_to_blame_is_not_left_alone(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    send_messages(2); /* 3 and 4 */
    look(LOOK_FRESH);
    for (unsigned i = 0; i < 10; i++) {
        end(ATTEMPT_LATER, 0);
        assert_under_way(3, 2);
    }
    assert_int_equal(consumer->failures, 0);
    assert_int_equal(consumer->counts.failed, 0);
    end(ATTEMPT_DELIVERED, 0);
    assert_int_equal(consumer->counts.delivered, 2);
}

static void failed_places_are_few_also_of_who_does_not_fail(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    for (uint8_t i = 0; i < 64; i++)
        places_add(&dispatch.places, &(struct id_hash){{9, i}}, consumer, 0)->attempts_made = 1;
    send_messages(1);
    look(LOOK_FRESH);
    assert_null(under_way);
    dispatch.places.first->attempts_made = 0;
    look(LOOK_FRESH);
    assert_under_way(3, 1);
    end(ATTEMPT_DELIVERED, 0);
}

static bool is_thread(void *context, const struct id_hash *other) {
    (void)context;
    return id_hash_equal(other, &thread);
}

static void places_go_with_the_lead_of_their_thread(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    places_add(&dispatch.places, &(struct id_hash){{9}}, consumer, 0)->attempts_made = 1;
    places_add(&dispatch.places, &thread, consumer, 0)->attempts_made = 1;
    places_keep_led(&dispatch.places, is_thread, NULL);
    assert_int_equal(places_failed(&dispatch.places, &consumer->id), 1);
    assert_non_null(places_find(&dispatch.places, &thread, &consumer->id));
}

/* The fixture's time is years ago. */
static void what_is_too_old_is_given_up_also_while_the_consumer_rests(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 1000);
    send_messages(5);
    consumer->rests_until_ms = INT64_MAX;
    look(LOOK_FRESH);
    assert_null(under_way);
    assert_int_equal(expired_count, 5);
    assert_int_equal(consumer->counts.given_up, 5);
    assert_done_up_to(7);
}

static void who_rests_loses_nothing_that_is_young_enough(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, INT64_MAX);
    send_messages(3);
    consumer->rests_until_ms = INT64_MAX;
    look(LOOK_IN_ROUND);
    assert_null(under_way);
    assert_int_equal(expired_count, 0);
    assert_int_equal(proposed_count, 0);
    consumer_round_end(consumer);
    assert_int_equal(consumer->counts.pending, 5); /* at most: offsets from the beginning on */
    assert_int_equal(consumer->counts.oldest_ms, 1700000000002);
}

static void a_thread_stays_until_its_mark_is_gone(void **state) {
    (void)state;
    consumer_add(&batching, 0);
    send_messages(1);
    look(LOOK_FRESH);
    propose_rc = STATUS_OVERLOADED;
    end(ATTEMPT_DELIVERED, 0);
    look(LOOK_FRESH);
    assert_int_equal(feed_count(feed), 1);
    propose_rc = STATUS_OK;
    look(LOOK_FRESH);
    look(LOOK_FRESH); /* it rests, as it was told */
    assert_int_equal(proposed_count, 1);
    assert_int_equal(feed_count(feed), 1);
    feed_add(feed, &thread, 1); /* what was proposed is lost */
    look(LOOK_FRESH);
    assert_int_equal(proposed_count, 2);
    assert_int_equal(fixture_apply(&fixture, &proposed), STATUS_OK);
    feed_add(feed, &thread, 1);
    look(LOOK_FRESH);
    assert_int_equal(feed_count(feed), 0);
    assert_int_equal(dispatch.places.count, 0);
}

static void what_was_before_a_consumer_does_not_concern_it(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    send_messages(2);
    consumer->since_ms = fixture.now_ms + 1;
    send_messages(1); /* 5 */
    look(LOOK_FRESH);
    assert_under_way(5, 1);
    end(ATTEMPT_DELIVERED, 0);
}

static void who_is_none_any_more_is_broken_off(void **state) {
    (void)state;
    struct consumer *consumer = consumer_add(&batching, 0);
    send_messages(1);
    look(LOOK_FRESH);
    assert_non_null(under_way);
    consumer->serial = 2; /* it wants everything again */
    places_follow(&dispatch.places, &dispatch.consumers);
    assert_int_equal(cancelled_count, 1);
    assert_int_equal(consumer->attempts, 0);
    look(LOOK_FRESH);
    assert_under_way(3, 1);
    end(ATTEMPT_DELIVERED, 0);
}

int main(void) {
#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OF(what_happened_comes_in_order_and_together_as_far_as_there_is_room),
        OF(a_kind_that_takes_one_gets_one_after_the_other),
        OF(what_failed_is_made_again_as_it_was),
        OF(who_refuses_for_good_is_not_left_alone),
        OF(who_is_not_to_blame_is_not_left_alone),
        OF(failed_places_are_few_also_of_who_does_not_fail),
        OF(places_go_with_the_lead_of_their_thread),
        OF(what_is_too_old_is_given_up_also_while_the_consumer_rests),
        OF(who_rests_loses_nothing_that_is_young_enough),
        OF(a_thread_stays_until_its_mark_is_gone),
        OF(what_was_before_a_consumer_does_not_concern_it),
        OF(who_is_none_any_more_is_broken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
