/* The rows of a thread's events, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/event_store.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static struct event_store events;
static struct id_hash THREAD = {{0x10}};
static struct id_hash BEFORE = {{0x0f}};
static struct id_hash BEHIND = {{0x11}};

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    events = (struct event_store){.arena = &fixture.arena, .master = &fixture.master, .thread = THREAD};
    check(store_begin_write(fixture.store, &events.transaction) == STATUS_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_abort(events.transaction);
    fixture_close(&fixture);
    return 0;
}

static struct event_store events_of(struct id_hash thread) {
    struct event_store other = events;
    other.thread = thread;
    return other;
}

static void put(const struct event_store *of, uint64_t offset) {
    struct event_row row = {.time_ms = (int64_t)offset * 10, .change = BYTES_LITERAL("change")};
    assert_int_equal(event_put(of, offset, &row), STATUS_OK);
}

/* Other kinds of rows and other threads lie before and behind. */
static void neighbours_put(void) {
    struct event_store before = events_of(BEFORE), behind = events_of(BEHIND);
    struct event_cursor cursor = {.consumer = BEFORE, .offset = 1};
    struct event_cursors_row cursors = {&cursor, 1};
    put(&before, 7);
    put(&behind, 1);
    assert_int_equal(event_cursors_put(&events, &cursors), STATUS_OK);
}

struct visited {
    uint64_t offsets[8];
    size_t count, max;
};

static bool visit(void *context, uint64_t offset, const struct event_row *row) {
    struct visited *visited = context;
    assert_int_equal(row->time_ms, offset * 10);
    assert_true(bytes_equal_text(row->change, "change"));
    visited->offsets[visited->count++] = offset;
    return visited->count < visited->max;
}

static void events_come_in_order_from_where_one_asks(void **state) {
    struct visited visited = {.max = 8};
    (void)state;
    neighbours_put();
    put(&events, 300);
    put(&events, 2);
    put(&events, 40);
    assert_int_equal(events_visit(&events, 0, visit, &visited), STATUS_OK);
    assert_int_equal(visited.count, 3);
    assert_int_equal(visited.offsets[0], 2);
    assert_int_equal(visited.offsets[2], 300);
    visited = (struct visited){.max = 1};
    assert_int_equal(events_visit(&events, 3, visit, &visited), STATUS_OK);
    assert_int_equal(visited.count, 1);
    assert_int_equal(visited.offsets[0], 40);
    assert_int_equal(events_visit(&events, 301, visit, &visited), STATUS_OK);
    assert_int_equal(visited.count, 1);
}

static void assert_ends(uint64_t oldest, uint64_t newest) {
    uint64_t found[2] = {0};
    int expected = oldest == 0 ? STATUS_STORE_MISSING : STATUS_OK;
    assert_int_equal(event_oldest(&events, &found[0]), expected);
    assert_int_equal(event_newest(&events, &found[1]), expected);
    assert_int_equal(found[0], oldest);
    assert_int_equal(found[1], newest);
}

static void the_oldest_and_the_newest_are_those_of_the_thread(void **state) {
    (void)state;
    assert_ends(0, 0);
    put(&events, 5);
    assert_ends(5, 5);
    put(&events, 9);
    assert_ends(5, 9); /* nothing lies behind it */
    neighbours_put();
    assert_ends(5, 9);
    events.thread = (struct id_hash){{0x12}};
    assert_ends(0, 0);
}

static void the_newest_event_before_a_time_is_found_whatever_lies_between(void **state) {
    static const uint64_t offsets[] = {2, 3, 7, 20, 21, 22, 500};
    uint64_t found = 0;
    (void)state;
    assert_int_equal(event_newest_before(&events, INT64_MAX, &found), STATUS_STORE_MISSING);
    neighbours_put();
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        put(&events, offsets[i]);
    assert_int_equal(event_newest_before(&events, 20, &found), STATUS_STORE_MISSING); /* times are ten-fold offsets */
    for (int64_t time_ms = 21; time_ms < 5020; time_ms++) {
        uint64_t expected = 0;
        for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
            expected = (int64_t)offsets[i] * 10 < time_ms ? offsets[i] : expected;
        assert_int_equal(event_newest_before(&events, time_ms, &found), STATUS_OK);
        assert_int_equal(found, expected);
    }
}

static void old_events_are_removed_some_at_a_time(void **state) {
    (void)state;
    neighbours_put();
    for (uint64_t i = 1; i <= 200; i++)
        put(&events, i);
    assert_int_equal(events_remove(&events, 150, 100), STATUS_OK);
    assert_ends(101, 200);
    assert_int_equal(events_remove(&events, 150, 100), STATUS_OK);
    assert_ends(151, 200);
    assert_int_equal(events_remove(&events, UINT64_MAX, 100), STATUS_OK);
    assert_ends(0, 0);
    struct event_store before = events_of(BEFORE);
    uint64_t offset;
    assert_int_equal(event_newest(&before, &offset), STATUS_OK);
}

static void cursors_are_kept_and_no_cursors_are_no_row(void **state) {
    struct event_cursor given[] = {{THREAD, 3, 4}, {BEHIND, 5, 6}};
    struct event_cursors_row row = {given, 2};
    (void)state;
    assert_int_equal(event_cursors_put(&events, &row), STATUS_OK);
    assert_int_equal(event_cursors_get(&events, &row), STATUS_OK);
    assert_int_equal(row.cursors_count, 2);
    assert_memory_equal(row.cursors, given, sizeof(given));
    for (int i = 0; i < 2; i++) {
        row = (struct event_cursors_row){0};
        assert_int_equal(event_cursors_put(&events, &row), STATUS_OK);
        assert_int_equal(event_cursors_get(&events, &row), STATUS_OK);
        assert_int_equal(row.cursors_count, 0);
    }
}

static void a_mark_stands_until_it_is_removed(void **state) {
    bool is_marked = true;
    (void)state;
    assert_int_equal(event_mark_get(&events, &is_marked), STATUS_OK);
    assert_false(is_marked);
    assert_int_equal(event_mark_put(&events, 5), STATUS_OK);
    assert_int_equal(event_mark_get(&events, &is_marked), STATUS_OK);
    assert_true(is_marked);
    for (int i = 0; i < 2; i++)
        assert_int_equal(event_mark_remove(&events), STATUS_OK);
    assert_int_equal(event_mark_get(&events, &is_marked), STATUS_OK);
    assert_false(is_marked);
}

static void member_put(struct thread_store *thread, unsigned number, uint64_t joined, uint64_t removed) {
    struct id_hash user = {{(uint8_t)number}};
    struct participant_row row = {.participant.user_id = arena_printf(&fixture.arena, "8:acs:r_%u", number),
                                  .joined_offset = joined,
                                  .removed_offset = removed};
    int rc = thread == NULL ? event_member_put(&events, &user, &row) : thread_participant_put(thread, &user, &row);
    assert_int_equal(rc, STATUS_OK);
}

static void who_was_in_a_thread_is_known_while_it_is_there_and_when_it_is_deleted(void **state) {
    struct thread_store thread;
    struct participants members;
    (void)state;
    assert_int_equal(thread_store_open_new(&thread, events.transaction, &fixture.arena, &fixture.master, &THREAD,
                                           fixture_key(&fixture, &THREAD)),
                     STATUS_OK);
    for (unsigned is_deleted = 0; is_deleted < 2; is_deleted++) {
        for (unsigned i = 0; i < 40; i++)
            member_put(is_deleted ? NULL : &thread, i, i + 1, i == 3 ? 30 : 0);
        assert_int_equal(event_members_at(&events, 2, &members), STATUS_OK);
        assert_int_equal(members.count, 2);
        assert_true(bytes_equal_text(members.items[0].user_id, "8:acs:r_0"));
        assert_int_equal(event_members_at(&events, 30, &members), STATUS_OK);
        assert_int_equal(members.count, 30);
        assert_int_equal(event_members_at(&events, 40, &members), STATUS_OK);
        assert_int_equal(members.count, 39);
        assert_int_equal(subject_key_remove(events.transaction, &THREAD), STATUS_OK);
    }
}

static void who_is_removed_was_not_in_it(void **state) {
    struct participants members;
    struct id_hash user = {{1}};
    (void)state;
    member_put(NULL, 1, 1, 0);
    member_put(NULL, 2, 1, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(event_member_remove(&events, &user), STATUS_OK);
    assert_int_equal(event_members_at(&events, 5, &members), STATUS_OK);
    assert_int_equal(members.count, 1);
    assert_true(bytes_equal_text(members.items[0].user_id, "8:acs:r_2"));
}

static void a_row_that_does_not_open_is_never_given_out(void **state) {
    struct key event = key_of_row_number(&THREAD, ROW_EVENT, 5);
    struct key cursors = key_of_row(&THREAD, ROW_EVENT_CURSORS);
    struct id_hash user = {{1}};
    struct key member = key_of_row_hash(&THREAD, ROW_EVENT_MEMBER, &user);
    const struct key *keys[] = {&event, &cursors, &member};
    struct visited visited = {.max = 8};
    struct event_cursors_row row;
    struct participants members;
    (void)state;
    put(&events, 4);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(store_put(events.transaction, STORE_STATE, key_bytes(keys[i]), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(events_visit(&events, 0, visit, &visited), STATUS_RECORD_CORRUPT);
    assert_int_equal(visited.count, 1);
    assert_int_equal(event_cursors_get(&events, &row), STATUS_RECORD_CORRUPT);
    assert_int_equal(event_members_at(&events, 5, &members), STATUS_RECORD_CORRUPT);
}

int main(void) {
#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORED(events_come_in_order_from_where_one_asks),
        STORED(the_oldest_and_the_newest_are_those_of_the_thread),
        STORED(the_newest_event_before_a_time_is_found_whatever_lies_between),
        STORED(old_events_are_removed_some_at_a_time),
        STORED(cursors_are_kept_and_no_cursors_are_no_row),
        STORED(a_mark_stands_until_it_is_removed),
        STORED(who_was_in_a_thread_is_known_while_it_is_there_and_when_it_is_deleted),
        STORED(who_is_removed_was_not_in_it),
        STORED(a_row_that_does_not_open_is_never_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
