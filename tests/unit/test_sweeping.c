/* The thread that looks for what is due, again and again, until it is stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>

#include "node/sweeping.h"
#include "tests/lib/store_fixture.h"

#define DEADLINE_MS 60000
#define REFUSALS 3

static struct fixture fixture;
static atomic_size_t asked, taken;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    atomic_store(&asked, 0);
    atomic_store(&taken, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static bool is_ours(void *context, const struct id_hash *subject) {
    (void)context;
    (void)subject;
    return true;
}

/* Too much is under way at first. */
static int propose(void *context, const struct command *command) {
    (void)context;
    assert_int_equal(command->kind, COMMAND_THREAD_DELETE);
    if (atomic_fetch_add(&asked, 1) < REFUSALS)
        return STATUS_OVERLOADED;
    atomic_fetch_add(&taken, 1);
    return STATUS_OK;
}

/* The fixture's time is years ago. */
static void thread_make(void) {
    struct bytes id = BYTES_LITERAL("19:t@thread.v2");
    struct command command = {.kind = COMMAND_THREAD_CREATE,
                              .subject = fixture_hash(&fixture, id),
                              .actor_id = BYTES_LITERAL("8:acs:r_alice")};
    command.properties = (struct thread_properties){
        .id = id, .topic = BYTES_LITERAL("topic"), .retention = {RETENTION_THREAD_CREATION_DATE, 30}};
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static struct sweeping *start(int64_t interval_ms) {
    const struct sweeping_options options = {
        .store = fixture.store,
        .sweep = {.master = &fixture.master, .is_ours = is_ours, .propose = propose, .deleted_keep_ms = 1},
        .interval_ms = interval_ms};
    struct sweeping *sweeping = sweeping_start(&options);
    assert_non_null(sweeping);
    return sweeping;
}

static void wait_for(size_t count) {
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < DEADLINE_MS && atomic_load(&taken) < count; i++)
        nanosleep(&moment, NULL);
    assert_true(atomic_load(&taken) >= count);
}

static void what_is_due_is_proposed_with_each_walk_and_after_refusals(void **state) {
    (void)state;
    thread_make();
    struct sweeping *sweeping = start(1);
    wait_for(3);
    sweeping_stop(sweeping);
}

static void it_ends_at_once_while_it_rests(void **state) {
    (void)state;
    thread_make();
    struct sweeping *sweeping = start(INT64_MAX / 2);
    wait_for(1);
    sweeping_stop(sweeping);
    assert_int_equal(atomic_load(&taken), 1);
}

static void a_walk_that_somebody_waits_for_begins_at_once(void **state) {
    (void)state;
    thread_make();
    struct sweeping *sweeping = start(INT64_MAX / 2);
    wait_for(1);
    sweeping_wake(sweeping);
    wait_for(2);
    sweeping_stop(sweeping);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OF(what_is_due_is_proposed_with_each_walk_and_after_refusals),
        OF(it_ends_at_once_while_it_rests),
        OF(a_walk_that_somebody_waits_for_begins_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
