/* Where the rows of a thread lie, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "storage/event_store.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static struct store_transaction *transaction;
static struct thread_store store;
static const struct id_hash THREAD = {{5}};
static const struct id_hash NEIGHBOUR = {{6}};

static struct thread_store store_make(const struct id_hash *thread) {
    struct thread_store made;
    assert_int_equal(thread_store_open_new(&made, transaction, &fixture.arena, &fixture.master, thread,
                                           fixture_key(&fixture, thread)),
                     0);
    return made;
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    store = store_make(&THREAD);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_abort(transaction);
    fixture_close(&fixture);
    return 0;
}

static struct id_hash user(uint8_t number) {
    return (struct id_hash){{0xaa, number}};
}

static void a_thread_without_data_key_is_not_found(void **state) {
    struct thread_store other;
    (void)state;
    assert_int_equal(thread_store_open(&other, transaction, &fixture.arena, &fixture.master, &NEIGHBOUR),
                     STATUS_THREAD_NOT_FOUND);
    assert_int_equal(thread_store_open(&other, transaction, &fixture.arena, &fixture.master, &THREAD), 0);
    assert_memory_equal(other.key.bytes, store.key.bytes, SEAL_KEY_BYTES);
}

static void properties_and_counters_come_back(void **state) {
    struct thread_properties properties = {.id = BYTES_LITERAL("19:t@thread.v2"), .topic = BYTES_LITERAL("topic")};
    struct thread_counters counters = {.offset = 3, .participants = 2};
    (void)state;
    assert_int_equal(thread_properties_get(&store, &properties), STATUS_STORE_MISSING);
    assert_int_equal(thread_counters_get(&store, &counters), STATUS_STORE_MISSING);
    properties = (struct thread_properties){.id = BYTES_LITERAL("19:t@thread.v2"), .topic = BYTES_LITERAL("topic")};
    counters = (struct thread_counters){.offset = 3, .participants = 2};
    assert_int_equal(thread_properties_put(&store, &properties), 0);
    assert_int_equal(thread_counters_put(&store, &counters), 0);
    properties = (struct thread_properties){0};
    counters = (struct thread_counters){0};
    assert_int_equal(thread_properties_get(&store, &properties), 0);
    assert_int_equal(thread_counters_get(&store, &counters), 0);
    assert_true(bytes_equal_text(properties.topic, "topic"));
    assert_int_equal(counters.offset, 3);
    assert_int_equal(counters.participants, 2);
}

static void participant_put(uint8_t number, uint64_t join_number, uint64_t removed_offset) {
    struct participant_row row = {.participant = {.user_id = arena_printf(&fixture.arena, "8:acs:r_%u", number)},
                                  .join_number = join_number,
                                  .removed_offset = removed_offset};
    struct id_hash hash = user(number);
    assert_int_equal(thread_participant_put(&store, &hash, &row), 0);
}

static void participants_are_listed_active_ones_first_in_join_order(void **state) {
    static const uint8_t expected[] = {3, 1, 5, 2, 4};
    struct participant_list list;
    struct participant_row row;
    struct id_hash nobody = user(9);
    (void)state;
    assert_int_equal(thread_participants_list(&store, &list), 0);
    assert_int_equal(list.count, 0);
    participant_put(1, 20, 0);
    participant_put(2, 5, 9);
    participant_put(3, 10, 0);
    participant_put(4, 7, 8);
    participant_put(5, 30, 0);
    assert_int_equal(thread_participants_list(&store, &list), 0);
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < list.count; i++) {
        struct id_hash hash = user(expected[i]);
        assert_true(id_hash_equal(&list.users[i], &hash));
        assert_int_equal(list.rows[i].participant.user_id.data[8], '0' + expected[i]);
    }
    assert_int_equal(thread_participant_get(&store, &list.users[3], &row), 0);
    assert_int_equal(row.removed_offset, 9);
    assert_int_equal(thread_participant_get(&store, &nobody, &row), STATUS_STORE_MISSING);
}

static void the_list_holds_a_full_thread(void **state) {
    struct participant_list list;
    (void)state;
    for (unsigned i = 0; i < LIMIT_PARTICIPANTS_MAX; i++)
        participant_put((uint8_t)i, LIMIT_PARTICIPANTS_MAX - i, 0);
    assert_int_equal(thread_participants_list(&store, &list), 0);
    assert_int_equal(list.count, LIMIT_PARTICIPANTS_MAX);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.rows[i].join_number, i + 1);
}

static void message_put(struct thread_store *to, uint64_t id, uint64_t offset) {
    struct message message = {
        .id = id, .offset = offset, .created_offset = offset, .type = MESSAGE_TEXT, .content = BYTES_LITERAL("x")};
    assert_int_equal(thread_message_put(to, &message), 0);
}

static void a_message_is_found_where_it_lies_now(void **state) {
    struct message message;
    struct change_row row;
    (void)state;
    message_put(&store, 1000, 3);
    assert_int_equal(thread_message_find(&store, 1000, &message), 0);
    assert_int_equal(message.offset, 3);
    assert_int_equal(thread_message_find(&store, 1001, &message), STATUS_STORE_MISSING);
    assert_int_equal(thread_change_remove(&store, 3), 0);
    message_put(&store, 1000, 7);
    assert_int_equal(thread_message_find(&store, 1000, &message), 0);
    assert_int_equal(message.offset, 7);
    assert_int_equal(thread_change_get(&store, 3, &row), STATUS_STORE_MISSING);
    assert_int_equal(thread_change_get(&store, 7, &row), 0);
    assert_int_equal(row.message.id, 1000);
}

static void an_index_that_names_no_message_or_another_one_is_corrupt(void **state) {
    struct message message;
    (void)state;
    message_put(&store, 1000, 3);
    assert_int_equal(thread_change_remove(&store, 3), 0);
    assert_int_equal(thread_message_find(&store, 1000, &message), STATUS_RECORD_CORRUPT);
    message_put(&store, 2000, 3);
    assert_int_equal(thread_message_find(&store, 1000, &message), STATUS_RECORD_CORRUPT);
    assert_int_equal(thread_message_find(&store, 2000, &message), 0);
}

struct walked {
    uint64_t offsets[16];
    size_t count;
    size_t max;
};

static bool walk_visit(void *context, uint64_t offset, const struct change_row *row) {
    struct walked *walked = context;
    assert_true(row->is_properties_change || row->message.offset == offset);
    walked->offsets[walked->count++] = offset;
    return walked->count < walked->max;
}

/* A walk from each place, with the neighbouring threads' rows and the rows around in the way. */
static void walks_go_both_ways_from_any_offset_and_stay_in_their_thread(void **state) {
    static const struct {
        bool is_descending;
        uint64_t from;
        size_t max;
        size_t count;
        uint64_t offsets[4];
    } walks[] = {
        {true, UINT64_MAX, 9, 4, {260, 8, 5, 2}},
        {true, 8, 9, 3, {8, 5, 2}},
        {true, 7, 9, 2, {5, 2}},
        {true, 2, 9, 1, {2}},
        {true, 1, 9, 0, {0}},
        {true, UINT64_MAX, 2, 2, {260, 8}},
        {false, 0, 9, 4, {2, 5, 8, 260}},
        {false, 3, 9, 3, {5, 8, 260}},
        {false, 5, 1, 1, {5}},
        {false, 260, 9, 1, {260}},
        {false, 261, 9, 0, {0}},
        {false, UINT64_MAX, 9, 0, {0}},
    };
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
            struct walked walked = {.max = walks[i].max};
            assert_int_equal((walks[i].is_descending ? thread_changes_descend : thread_changes_ascend)(
                                 &store, walks[i].from, walk_visit, &walked),
                             0);
            assert_int_equal(walked.count, round == 0 ? 0 : walks[i].count);
            for (size_t j = 0; j < walked.count; j++)
                assert_int_equal(walked.offsets[j], walks[i].offsets[j]);
        }
        /* The first round walks an empty thread. */
        struct thread_store before = store_make(&(struct id_hash){{4}});
        struct thread_store after = store_make(&NEIGHBOUR);
        message_put(&before, 1, 5);
        message_put(&after, 1, 5);
        message_put(&store, 102, 2);
        message_put(&store, 105, 5);
        assert_int_equal(thread_properties_change_put(&store, 8, 108, BYTES_LITERAL("8:acs:r_1")), 0);
        message_put(&store, 360, 260);
    }
}

static void a_mark_of_changed_properties_keeps_who_and_when(void **state) {
    struct change_row row;
    (void)state;
    assert_int_equal(thread_properties_change_put(&store, 8, 108, BYTES_LITERAL("8:acs:r_1")), 0);
    assert_int_equal(thread_change_get(&store, 8, &row), 0);
    assert_true(row.is_properties_change);
    assert_int_equal(row.version, 108);
    assert_true(bytes_equal_text(row.actor_id, "8:acs:r_1"));
}

static void receipts_are_listed_newest_first_one_for_each_user(void **state) {
    struct receipt *receipts;
    struct receipt receipt;
    size_t count;
    (void)state;
    assert_int_equal(thread_receipts_list(&store, &receipts, &count), 0);
    assert_int_equal(count, 0);
    for (unsigned i = 0; i < 100; i++) {
        struct id_hash hash = user((uint8_t)(i % 50));
        receipt = (struct receipt){.user_id = BYTES_LITERAL("u"), .message_id = i, .read_ms = i * 7 % 100};
        assert_int_equal(thread_receipt_put(&store, &hash, &receipt), 0);
    }
    assert_int_equal(thread_receipts_list(&store, &receipts, &count), 0);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++) {
        assert_true(receipts[i].message_id >= 50);
        assert_true(i == 0 || receipts[i].read_ms <= receipts[i - 1].read_ms);
    }
    struct id_hash hash = user(3);
    assert_int_equal(thread_receipt_get(&store, &hash, &receipt), 0);
    assert_int_equal(receipt.message_id, 53);
}

static int request_find(int64_t now_ms, uint64_t *message_id) {
    struct id_hash who = user(1);
    struct sent_row row = {0};
    int rc = thread_request_id_get(&store, &who, now_ms, &row);
    *message_id = row.message_id;
    return rc;
}

static void a_request_id_is_known_for_its_window_at_least_and_a_bucket_longer_at_most(void **state) {
    struct id_hash who = user(1);
    struct sent_row row = {.message_id = 42};
    uint64_t found;
    int64_t start = 1000 * LIMIT_REQUEST_ID_BUCKET_MS + 17;
    (void)state;
    assert_int_equal(thread_request_id_put(&store, &who, start, &row), 0);
    assert_int_equal(request_find(start, &found), 0);
    assert_int_equal(found, 42);
    assert_int_equal(request_find(start + LIMIT_REQUEST_ID_WINDOW_MS, &found), 0);
    assert_int_equal(request_find(start + LIMIT_REQUEST_ID_WINDOW_MS + LIMIT_REQUEST_ID_BUCKET_MS, &found),
                     STATUS_STORE_MISSING);
    assert_int_equal(request_find(start - LIMIT_REQUEST_ID_BUCKET_MS, &found), STATUS_STORE_MISSING);
    assert_int_equal(request_find(-5, &found), STATUS_STORE_MISSING);
    /* The newest of two buckets counts. */
    row.message_id = 43;
    assert_int_equal(thread_request_id_put(&store, &who, start + LIMIT_REQUEST_ID_BUCKET_MS, &row), 0);
    assert_int_equal(request_find(start + LIMIT_REQUEST_ID_BUCKET_MS, &found), 0);
    assert_int_equal(found, 43);
}

static size_t state_rows(void) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    size_t count = 0;
    assert_int_equal(store_cursor_open(transaction, STORE_STATE, &cursor), 0);
    for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value))
        count++;
    store_cursor_close(cursor);
    return count;
}

static void request_ids_expire_a_few_at_a_time_and_nothing_else_goes(void **state) {
    int64_t start = 1000 * LIMIT_REQUEST_ID_BUCKET_MS;
    int64_t later = start + LIMIT_REQUEST_ID_WINDOW_MS + LIMIT_REQUEST_ID_BUCKET_MS;
    uint64_t found;
    (void)state;
    message_put(&store, 1000, 3);
    size_t kept = state_rows();
    for (unsigned i = 0; i < 150; i++) {
        struct id_hash who = user((uint8_t)i);
        struct sent_row row = {.message_id = i};
        assert_int_equal(thread_request_id_put(&store, &who, start, &row), 0);
    }
    struct id_hash who = user(1);
    struct sent_row row = {.message_id = 1};
    assert_int_equal(thread_request_id_put(&store, &who, later - 1, &row), 0);
    kept++;
    assert_int_equal(thread_request_ids_expire(&store, start + LIMIT_REQUEST_ID_WINDOW_MS), 0);
    assert_int_equal(state_rows(), kept + 150);
    size_t rounds = 0;
    for (size_t left = state_rows(); left > kept; left = state_rows(), rounds++)
        assert_int_equal(thread_request_ids_expire(&store, later), 0);
    assert_in_range(rounds, 2, 5);
    assert_int_equal(state_rows(), kept);
    assert_int_equal(request_find(later - 1, &found), 0);
}

static void client_ids_are_kept_apart_by_who_sent_them(void **state) {
    struct id_hash alice = user(1);
    struct id_hash bob = user(2);
    struct sent_row row = {.message_id = 42, .offset = 3};
    (void)state;
    assert_int_equal(thread_client_id_get(&store, &alice, &row), STATUS_STORE_MISSING);
    row = (struct sent_row){.message_id = 42, .offset = 3};
    assert_int_equal(thread_client_id_put(&store, &alice, &row), 0);
    row = (struct sent_row){0};
    assert_int_equal(thread_client_id_get(&store, &alice, &row), 0);
    assert_int_equal(row.message_id, 42);
    assert_int_equal(thread_client_id_get(&store, &bob, &row), STATUS_STORE_MISSING);
}

static void a_tombstone_is_read_without_the_threads_key(void **state) {
    struct tombstone_row row = {.deleted_ms = 5, .offset = 6};
    (void)state;
    assert_int_equal(subject_tombstone_get(transaction, &fixture.arena, &fixture.master, &THREAD, &row),
                     STATUS_STORE_MISSING);
    row = (struct tombstone_row){.deleted_ms = 5, .offset = 6};
    assert_int_equal(subject_tombstone_put(transaction, &fixture.master, &THREAD, &row), 0);
    assert_int_equal(subject_key_remove(transaction, &THREAD), 0);
    row = (struct tombstone_row){0};
    assert_int_equal(subject_tombstone_get(transaction, &fixture.arena, &fixture.master, &THREAD, &row), 0);
    assert_int_equal(row.deleted_ms, 5);
    assert_int_equal(row.offset, 6);
}

static void a_purge_takes_the_rows_on_both_sides_of_the_tombstone_piece_by_piece(void **state) {
    struct thread_store neighbour = store_make(&NEIGHBOUR);
    struct tombstone_row tombstone = {.deleted_ms = 5};
    bool is_done = false;
    size_t rounds = 0;
    (void)state;
    message_put(&neighbour, 1, 1);
    for (unsigned i = 0; i < 100; i++) {
        struct id_hash who = user((uint8_t)i);
        struct sent_row row = {.message_id = i};
        message_put(&store, 1000 + i, i);
        assert_int_equal(thread_client_id_put(&store, &who, &row), 0);
    }
    assert_int_equal(subject_tombstone_put(transaction, &fixture.master, &THREAD, &tombstone), 0);
    assert_int_equal(subject_key_remove(transaction, &THREAD), 0);
    while (!is_done) {
        size_t before = state_rows();
        assert_int_equal(subject_rows_purge(transaction, &THREAD, false, 70, &is_done), 0);
        assert_true(is_done || before - state_rows() == 70);
        rounds++;
    }
    assert_int_equal(rounds, 5);       /* 300 rows */
    assert_int_equal(state_rows(), 4); /* the tombstone, and the neighbour's key, message and index */
    assert_int_equal(subject_tombstone_get(transaction, &fixture.arena, &fixture.master, &THREAD, &tombstone), 0);
    assert_int_equal(subject_rows_purge(transaction, &THREAD, false, 70, &is_done), 0);
    assert_true(is_done);
}

static void a_purge_that_takes_exactly_what_it_may_is_not_done_yet(void **state) {
    bool is_done = true;
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        message_put(&store, 1000 + i, i);
    assert_int_equal(subject_key_remove(transaction, &THREAD), 0);
    assert_int_equal(subject_rows_purge(transaction, &THREAD, false, 10, &is_done), 0);
    assert_false(is_done);
    assert_int_equal(state_rows(), 0);
    assert_int_equal(subject_rows_purge(transaction, &THREAD, false, 10, &is_done), 0);
    assert_true(is_done);
}

static void a_purge_spares_events_where_it_is_told_to(void **state) {
    struct event_store events = {
        .transaction = transaction, .arena = &fixture.arena, .master = &fixture.master, .thread = THREAD};
    struct event_cursor cursor = {.consumer = NEIGHBOUR, .offset = 1};
    struct event_cursors_row cursors = {&cursor, 1};
    struct tombstone_row tombstone = {.deleted_ms = 5};
    struct participant_row member = {.joined_offset = 1};
    bool is_done = false;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct id_hash who = user((uint8_t)i);
        message_put(&store, 1000 + i, i);
        assert_int_equal(thread_participant_put(&store, &who, &member), 0);
        assert_int_equal(event_put(&events, i, &(struct event_row){.time_ms = 1}), 0);
        assert_int_equal(event_member_put(&events, &who, &member), 0);
    }
    assert_int_equal(event_cursors_put(&events, &cursors), 0);
    assert_int_equal(subject_tombstone_put(transaction, &fixture.master, &THREAD, &tombstone), 0);
    assert_int_equal(subject_key_remove(transaction, &THREAD), 0);
    assert_int_equal(subject_rows_purge(transaction, &THREAD, true, 70, &is_done), 0);
    assert_true(is_done);
    assert_int_equal(state_rows(), 1 + 3 + 1 + 3);
    assert_int_equal(subject_rows_purge(transaction, &THREAD, false, 70, &is_done), 0);
    assert_true(is_done);
    assert_int_equal(state_rows(), 1); /* the tombstone */
}

static void a_row_that_does_not_open_is_never_given_out(void **state) {
    struct key message = key_of_row_number(&THREAD, ROW_MESSAGE, 5);
    struct key participant = key_of_row_hash(&THREAD, ROW_PARTICIPANT, &NEIGHBOUR);
    struct walked walked = {.max = 9};
    struct participant_list list;
    struct change_row row;
    (void)state;
    message_put(&store, 1002, 2);
    message_put(&store, 1008, 8);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&message), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(thread_change_get(&store, 5, &row), STATUS_RECORD_CORRUPT);
    assert_int_equal(thread_changes_ascend(&store, 0, walk_visit, &walked), STATUS_RECORD_CORRUPT);
    assert_int_equal(walked.count, 1);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&participant), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(thread_participants_list(&store, &list), STATUS_RECORD_CORRUPT);
}

int main(void) {
#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORED(a_thread_without_data_key_is_not_found),
        STORED(properties_and_counters_come_back),
        STORED(participants_are_listed_active_ones_first_in_join_order),
        STORED(the_list_holds_a_full_thread),
        STORED(a_message_is_found_where_it_lies_now),
        STORED(an_index_that_names_no_message_or_another_one_is_corrupt),
        STORED(walks_go_both_ways_from_any_offset_and_stay_in_their_thread),
        STORED(a_mark_of_changed_properties_keeps_who_and_when),
        STORED(receipts_are_listed_newest_first_one_for_each_user),
        STORED(a_request_id_is_known_for_its_window_at_least_and_a_bucket_longer_at_most),
        STORED(request_ids_expire_a_few_at_a_time_and_nothing_else_goes),
        STORED(client_ids_are_kept_apart_by_who_sent_them),
        STORED(a_tombstone_is_read_without_the_threads_key),
        STORED(a_purge_takes_the_rows_on_both_sides_of_the_tombstone_piece_by_piece),
        STORED(a_purge_that_takes_exactly_what_it_may_is_not_done_yet),
        STORED(a_purge_spares_events_where_it_is_told_to),
        STORED(a_row_that_does_not_open_is_never_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
