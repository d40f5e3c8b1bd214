/* Who steps the core, and in which order: at once in the proposer's thread, or in the loop's behind what is posted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "node/events/feed.h"
#include "node/gateway/session.h"
#include "node/server_parts.h"
#include "proto/limits.h"
#include "tests/lib/store_fixture.h"

#define RANGES 4
#define DEADLINE_S 120 /* far beyond what any step takes */
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define THREAD BYTES_LITERAL("19:t@thread.v2")

static struct fixture fixture;
static struct server server;
static struct worker worker; /* not started: what it is told waits in its mailbox */
static struct gateway_worker gateway_worker;
static size_t proposed_count;
static size_t answered_count;
static int answered[LIMIT_OWN_PROPOSALS_MAX]; /* the numbers of the proposals */

struct numbered_reply {
    struct reply reply;
    int number;
};

static void on_answer(struct gateway_worker *self, struct reply *reply) {
    (void)self;
    answered[answered_count++] = ((struct numbered_reply *)reply)->number;
    free(reply);
}

static void core_begin(void) {
    struct start_range ranges[RANGES] = {{.marks = {0}}};
    struct event event = {.kind = EVENT_START, .ranges = ranges};
    core_loop_step(&server, &event);
}

static int set_up(void **state) {
    char error[256];
    (void)state;
    fixture_open(&fixture);
    proposed_count = answered_count = 0;
    server = (struct server){.workers = &worker};
    gateway_worker =
        (struct gateway_worker){.gateway = &server.gateway, .worker = &worker, .sessions = session_table_new()};
    struct worker_options worker_options = {.context = &gateway_worker};
    check(worker_init(&worker, &worker_options, error, sizeof(error)) == 0);
    server.gateway.workers_count = 1;
    struct node_core_options core_options = {
        .range_count = RANGES, .self = 1, .is_alone = true, .min_in_sync = 1, .queue_max = 2 * LIMIT_OWN_PROPOSALS_MAX};
    server.core = node_core_new(&core_options);
    server.feed = feed_new();
    check(core_loop_open(&server) == STATUS_OK);
    struct disk_options disk_options = {.writer = {.store = fixture.store,
                                                   .master = &fixture.master,
                                                   .hash_key = fixture.hash_key,
                                                   .range_count = RANGES},
                                        .on_done = core_loop_on_written,
                                        .context = &server};
    check(disk_start(&disk_options, &server.disk) == STATUS_OK);
    core_begin();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    core_loop_end(&server);
    uv_run(&server.loop, UV_RUN_DEFAULT);
    disk_stop(server.disk);
    worker_close(&worker);
    session_table_free(gateway_worker.sessions);
    mailbox_dispose(&server.mailbox);
    pthread_mutex_destroy(&server.core_mutex);
    check(uv_loop_close(&server.loop) == 0);
    action_list_close(&server.actions);
    node_core_free(server.core);
    feed_free(server.feed);
    fixture_close(&fixture);
    return 0;
}

static void propose_command(int number, const struct command *command) {
    struct numbered_reply *reply = calloc(1, sizeof(*reply));
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    check(reply != NULL);
    reply->reply.on_answer = on_answer;
    reply->number = number;
    entry->reply_to = reply;
    entry->command = *command;
    entry->command.subject = fixture_hash(&fixture, THREAD);
    entry->command.actor_id = ALICE;
    assert_int_equal(core_loop_propose(&server, entry), STATUS_OK);
    proposed_count++;
}

static void propose(int number) {
    struct command command = {
        .kind = COMMAND_MESSAGE_SEND, .message_type = MESSAGE_TEXT, .content = BYTES_LITERAL("hello")};
    propose_command(number, &command);
}

static void type(void) {
    struct typing_notice notice = {.user_id = ALICE, .time_ms = fixture.now_ms};
    struct change change = {.kind = CHANGE_TYPING,
                            .subject = fixture_hash(&fixture, THREAD),
                            .thread_id = THREAD,
                            .actor_id = ALICE,
                            .typing = &notice,
                            .typing_count = 1};
    assert_int_equal(core_loop_notice(&server, &change), STATUS_OK);
}

static uint64_t proposals_in_core(void) {
    pthread_mutex_lock(&server.core_mutex);
    struct node_core_statistics statistics = node_core_statistics(server.core);
    pthread_mutex_unlock(&server.core_mutex);
    return statistics.waiting + statistics.on_disk + statistics.applied;
}

/* The loop's tick ends each wait. */
static void run_until_idle(void) {
    time_t deadline = time(NULL) + DEADLINE_S;
    while (!core_loop_is_idle(&server)) {
        check(time(NULL) < deadline);
        uv_run(&server.loop, UV_RUN_ONCE);
    }
}

static void a_proposal_is_stepped_at_once_when_nothing_is_before_it(void **state) {
    (void)state;
    propose(1);
    assert_int_equal(proposals_in_core(), 1);
    run_until_idle();
}

static void a_proposal_waits_for_those_that_are_posted(void **state) {
    (void)state;
    pthread_mutex_lock(&server.core_mutex); /* as somebody who steps the core */
    propose(1);
    pthread_mutex_unlock(&server.core_mutex);
    propose(2);
    assert_int_equal(proposals_in_core(), 0);
    run_until_idle();
    propose(3);
    assert_int_equal(proposals_in_core(), 3);
}

static void a_proposal_waits_for_a_notice_that_is_posted(void **state) {
    (void)state;
    type();
    propose(1);
    assert_int_equal(proposals_in_core(), 0);
    run_until_idle();
    propose(2);
    assert_int_equal(proposals_in_core(), 2);
}

static void a_watched_change_brings_its_thread_into_the_feed(void **state) {
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct command create = {
        .kind = COMMAND_THREAD_CREATE, .properties.id = THREAD, .wrapped_key = fixture_key(&fixture, &thread)};
    struct command update = {.kind = COMMAND_THREAD_UPDATE, .properties.topic = BYTES_LITERAL("new")};
    struct id_hash next;
    uint64_t serial;
    (void)state;
    propose_command(1, &create);
    run_until_idle();
    assert_int_equal(feed_count(server.feed), 0);
    update.is_watched = true;
    propose_command(2, &update);
    run_until_idle();
    assert_true(feed_next(server.feed, &next, &serial));
    assert_true(id_hash_equal(&next, &thread));
}

static void everything_that_changes_a_thread_is_watched_while_somebody_wants_events(void **state) {
    struct command create = {.kind = COMMAND_THREAD_CREATE, .properties.id = THREAD};
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct command deletion = {.kind = COMMAND_THREAD_DELETE, .keep_ms = 1000000};
    struct command undeletion = {.kind = COMMAND_THREAD_UNDELETE};
    (void)state;
    create.wrapped_key = fixture_key(&fixture, &thread);
    propose_command(1, &create);
    propose_command(2, &deletion);
    run_until_idle();
    atomic_store(&server.is_watched, true);
    propose_command(3, &undeletion);
    run_until_idle();
    assert_int_equal(feed_count(server.feed), 1);
    struct command own = {.kind = COMMAND_MESSAGE_SEND,
                          .subject = thread,
                          .actor_id = ALICE,
                          .message_type = MESSAGE_TEXT,
                          .content = BYTES_LITERAL("hello")};
    struct id_hash next;
    uint64_t serial, later;
    assert_true(feed_next(server.feed, &next, &serial));
    assert_int_equal(core_loop_propose_own(&server, &own), STATUS_OK);
    run_until_idle();
    assert_true(feed_next(server.feed, &next, &later));
    assert_true(later > serial);
}

static struct command own_command(void) {
    return (struct command){.kind = COMMAND_THREAD_DELETE,
                            .subject = fixture_hash(&fixture, THREAD),
                            .reason = BYTES_LITERAL("deletedByPolicy")};
}

/* That none of them is answered the tear-down sees: there would be nobody to free the answer. */
static void what_a_node_proposes_by_itself_is_applied_and_not_answered(void **state) {
    struct command command = own_command();
    (void)state;
    assert_int_equal(core_loop_propose_own(&server, &command), STATUS_OK);
    run_until_idle();
    assert_int_equal(proposals_in_core(), 1);
    propose(1);
    assert_int_equal(core_loop_propose_own(&server, &command), STATUS_OK);
    run_until_idle();
    assert_int_equal(proposals_in_core(), 3);
}

static void what_a_node_proposes_by_itself_is_refused_while_much_waits(void **state) {
    struct command command = own_command();
    (void)state;
    pthread_mutex_lock(&server.core_mutex); /* as somebody who steps the core: what is proposed is posted */
    for (int i = 1; i <= LIMIT_OWN_PROPOSALS_MAX; i++)
        propose(i);
    pthread_mutex_unlock(&server.core_mutex);
    assert_int_equal(core_loop_propose_own(&server, &command), STATUS_OVERLOADED);
    run_until_idle();
    assert_int_equal(core_loop_propose_own(&server, &command), STATUS_OK);
    run_until_idle();
}

/* After the tear-down, which delivers what waits in the worker's mailbox. */
static int all_is_answered_in_order(void **state) {
    tear_down(state);
    check(answered_count == proposed_count);
    for (size_t i = 0; i < answered_count; i++)
        check(answered[i] == (int)i + 1);
    return 0;
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, all_is_answered_in_order)
    const struct CMUnitTest tests[] = {
        TEST(a_proposal_is_stepped_at_once_when_nothing_is_before_it),
        TEST(a_proposal_waits_for_those_that_are_posted),
        TEST(a_proposal_waits_for_a_notice_that_is_posted),
        TEST(a_watched_change_brings_its_thread_into_the_feed),
        TEST(everything_that_changes_a_thread_is_watched_while_somebody_wants_events),
        TEST(what_a_node_proposes_by_itself_is_applied_and_not_answered),
        TEST(what_a_node_proposes_by_itself_is_refused_while_much_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
