/* Errands with a coordinator that answers when the test lets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <unistd.h>

#include "node/errands.h"
#include "tests/lib/store_fixture.h"

#define ASKED_MAX 16
#define RANGES 8

static struct fixture fixture;
static uv_loop_t loop;
static struct mailbox mailbox;
static struct errands *errands;
static size_t swaps_done, reads_done; /* outcomes */
static uint64_t gone_snapshot, gone_chunk;

/* ---- the coordinator ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static bool is_silent;
static size_t under_way;
static uint64_t asked[ASKED_MAX]; /* versions, in order */
static size_t asked_count;
static uint32_t other_told;  /* the range that the last swap has made; 0: none */
static size_t swapped_count; /* names in the last swap */

static int swap_all(struct coordinator *coordinator, const struct coordinator_swap *swaps, size_t count,
                    uint64_t *new_version) {
    uint64_t version = swaps[0].version;
    (void)coordinator;
    swapped_count = count;
    pthread_mutex_lock(&mutex);
    check(asked_count < ASKED_MAX);
    asked[asked_count++] = version;
    under_way++;
    pthread_cond_broadcast(&turned);
    while (is_silent)
        pthread_cond_wait(&turned, &mutex);
    under_way--;
    pthread_mutex_unlock(&mutex);
    *new_version = version + 1;
    return STATUS_OK;
}

static void silent_set(bool is_silent_now) {
    pthread_mutex_lock(&mutex);
    is_silent = is_silent_now;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&mutex);
}

static void wait_until_under_way(size_t count) {
    pthread_mutex_lock(&mutex);
    while (under_way != count)
        pthread_cond_wait(&turned, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* ---- the store ---- */

/* One that begins to read while the test holds it waits. */
struct gate {
    struct store store;
    bool is_closed;
};

static int gate_begin(struct store *store, enum store_access access, struct store_transaction **transaction) {
    struct gate *gate = (struct gate *)store;
    (void)access;
    pthread_mutex_lock(&mutex);
    bool waits = gate->is_closed;
    gate->is_closed = false; /* only the first */
    under_way += waits;
    pthread_cond_broadcast(&turned);
    while (waits && is_silent)
        pthread_cond_wait(&turned, &mutex);
    under_way -= waits;
    pthread_mutex_unlock(&mutex);
    return store_begin_read(fixture.store, transaction);
}

static const struct store_methods gate_methods = {.begin = gate_begin};
static struct gate gate = {.store = {&gate_methods}};

static const struct coordinator_methods methods = {.swap_all = swap_all};
static struct coordinator coordinator = {.methods = &methods};

/* ---- the core ---- */

static void on_event(void *context, struct event *event) {
    (void)context;
    if (event->kind == EVENT_SWAPPED) {
        swaps_done++;
        other_told = event->other == NULL ? 0 : event->other->range;
    }
    if (event->kind == EVENT_CHUNK_GONE) {
        gone_snapshot = event->chunk->snapshot;
        gone_chunk = event->chunk->chunk;
    }
    if (event->kind == EVENT_OUTBOX || event->kind == EVENT_CHUNK_READ || event->kind == EVENT_CHUNK_GONE ||
        event->kind == EVENT_REPEATED)
        reads_done++;
}

static void swap_ask(uint32_t range, uint64_t version) {
    struct action action = {.kind = ACTION_SWAP, .version = version};
    action.record =
        (struct range_record){.range = range, .epoch = version, .primary = 1, .in_sync = {1}, .in_sync_count = 1};
    errands_run(errands, &action);
}

static void outcomes_await(size_t swaps, size_t reads) {
    while (swaps_done < swaps || reads_done < reads)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(swaps_done, swaps);
    assert_int_equal(reads_done, reads);
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    check(uv_loop_init(&loop) == 0);
    check(mailbox_init(&mailbox, &loop, NULL) == STATUS_OK);
    struct errands_options options = {.coordinator = &coordinator,
                                      .store = &gate.store,
                                      .master = &fixture.master,
                                      .hash_key = fixture.hash_key,
                                      .folder = fixture.folder,
                                      .snapshot_kept_ms = 1,
                                      .mailbox = &mailbox,
                                      .on_event = on_event};
    swaps_done = 0;
    reads_done = 0;
    asked_count = 0;
    is_silent = false;
    gate.is_closed = false;
    check(errands_start(&options, &errands) == STATUS_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    errands_stop(errands);
    mailbox_close(&mailbox, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    mailbox_dispose(&mailbox);
    check(uv_loop_close(&loop) == 0);
    fixture_close(&fixture);
    return 0;
}

static void reading_does_not_wait_for_a_coordinator_that_is_silent(void **state) {
    (void)state;
    silent_set(true);
    for (uint32_t range = 0; range < RANGES; range++)
        swap_ask(range, 1);
    errands_run(errands, &(struct action){.kind = ACTION_READ_OUTBOX, .bounds = bounds_of_all()});
    outcomes_await(0, 1);
    silent_set(false);
    outcomes_await(RANGES, 1);
}

static void who_waits_for_rows_does_not_wait_for_a_whole_range(void **state) {
    (void)state;
    silent_set(true);
    gate.is_closed = true;
    errands_run(errands,
                &(struct action){.kind = ACTION_READ_CHUNK, .bounds = bounds_of_all(), .to = 2, .snapshot = 1});
    wait_until_under_way(1);
    errands_run(errands, &(struct action){.kind = ACTION_READ_OUTBOX, .bounds = bounds_of_all()});
    errands_run(errands, &(struct action){.kind = ACTION_REPEAT});
    outcomes_await(0, 2);
    silent_set(false);
    outcomes_await(0, 3);
}

static void a_swap_that_is_asked_for_again_meanwhile_is_done_once(void **state) {
    (void)state;
    silent_set(true);
    swap_ask(1, 7);
    wait_until_under_way(1);
    for (size_t i = 0; i < 3; i++)
        swap_ask(1, 7);
    silent_set(false);
    outcomes_await(1, 0);
    swap_ask(1, 8);
    outcomes_await(2, 0);
    assert_int_equal(asked_count, 2);
}

static void a_newer_swap_takes_the_place_of_one_that_waits(void **state) {
    (void)state;
    silent_set(true);
    swap_ask(1, 7);
    wait_until_under_way(1);
    swap_ask(1, 8);
    swap_ask(1, 9);
    swap_ask(1, 9);
    silent_set(false);
    outcomes_await(2, 0);
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[1], 9);
}

static void both_records_of_a_split_are_swapped_together(void **state) {
    struct action action = {.kind = ACTION_SWAP, .version = 7};
    (void)state;
    action.record = (struct range_record){.range = 1, .epoch = 2, .primary = 1, .in_sync = {1}, .in_sync_count = 1};
    errands_run(errands, &action);
    outcomes_await(1, 0);
    assert_int_equal(swapped_count, 1);
    assert_int_equal(other_told, 0);
    action.version = 8; /* or it may pass for the first one, asked for again */
    action.other = action.record;
    action.other.range = 5;
    errands_run(errands, &action);
    outcomes_await(2, 0);
    assert_int_equal(swapped_count, 2);
    assert_int_equal(other_told, 5);
}

static size_t files_open(void) {
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    check(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void a_snapshot_that_nobody_asks_for_any_more_takes_no_room(void **state) {
    (void)state;
    errands_run(errands, &(struct action){.kind = ACTION_READ_OUTBOX,
                                          .bounds = bounds_of_all()}); /* the store has its files open */
    outcomes_await(0, 1);
    size_t before = files_open();
    errands_run(errands,
                &(struct action){.kind = ACTION_READ_CHUNK, .bounds = bounds_of_all(), .to = 2, .snapshot = 1});
    outcomes_await(0, 2);
    for (int i = 0; files_open() > before && i < 3000; i++)
        usleep(10000);
    assert_int_equal(files_open(), before);
}

/* From chunk 0 on; no other reading has the rest of it. */
static void who_asks_for_more_of_a_snapshot_that_is_not_kept_is_told(void **state) {
    (void)state;
    errands_run(
        errands,
        &(struct action){
            .kind = ACTION_READ_CHUNK, .bounds = bounds_of_all(), .range = 3, .to = 2, .snapshot = 5, .chunk = 7});
    outcomes_await(0, 1);
    assert_int_equal(gone_snapshot, 5);
    assert_int_equal(gone_chunk, 7);
}

static void what_waits_when_they_stop_is_forgotten(void **state) {
    (void)state;
    silent_set(true);
    for (uint32_t range = 0; range < RANGES; range++)
        for (uint64_t version = 1; version < 3; version++)
            swap_ask(range, version);
    silent_set(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reading_does_not_wait_for_a_coordinator_that_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_rows_does_not_wait_for_a_whole_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_swap_that_is_asked_for_again_meanwhile_is_done_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_records_of_a_split_are_swapped_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_swap_takes_the_place_of_one_that_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_snapshot_that_nobody_asks_for_any_more_takes_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_for_more_of_a_snapshot_that_is_not_kept_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_when_they_stop_is_forgotten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
