/* Every kind of damage is found, and a sound store has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/event_store.h"
#include "storage/fsck.h"
#include "storage/keys.h"
#include "storage/sealed_row.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static struct fsck_report report;
static uint32_t range_count;
static struct buffer lines;
static struct id_hash THREAD = {{0x10}};
static struct id_hash OTHER = {{0x20}};
static struct id_hash USER = {{0x30}};

#define RANGES 8

static struct store_transaction *begin_write(void) {
    struct store_transaction *transaction = NULL;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    return transaction;
}

static void commit(struct store_transaction *transaction) {
    check(store_commit(transaction) == STATUS_OK);
}

static void thread_fill(struct store_transaction *transaction, const struct id_hash *thread) {
    struct thread_store store;
    struct thread_properties properties = {.id = BYTES_LITERAL("19:t@thread.v2"), .topic = BYTES_LITERAL("topic")};
    struct thread_counters counters = {.offset = 3, .participants = 1};
    struct participant_row participant = {.participant.user_id = BYTES_LITERAL("8:acs:r_1")};
    struct receipt receipt = {.user_id = BYTES_LITERAL("8:acs:r_1"), .message_id = 100};
    struct sent_row sent = {.message_id = 100};
    check(thread_store_open_new(&store, transaction, &fixture.arena, &fixture.master, thread,
                                fixture_key(&fixture, thread)) == STATUS_OK);
    check(thread_properties_put(&store, &properties) == STATUS_OK);
    check(thread_counters_put(&store, &counters) == STATUS_OK);
    check(thread_participant_put(&store, &USER, &participant) == STATUS_OK);
    check(thread_receipt_put(&store, &USER, &receipt) == STATUS_OK);
    check(thread_client_id_put(&store, &USER, &sent) == STATUS_OK);
    check(thread_request_id_put(&store, &USER, fixture.now_ms, &sent) == STATUS_OK);
    for (uint64_t i = 0; i < 2; i++) {
        struct message message = {.id = 100 + i, .offset = 1 + i, .type = MESSAGE_TEXT, .content = BYTES_LITERAL("x")};
        check(thread_message_put(&store, &message) == STATUS_OK);
    }
    check(thread_properties_change_put(&store, 3, 300, BYTES_LITERAL("8:acs:r_1")) == STATUS_OK);
}

static void user_fill(struct store_transaction *transaction) {
    struct user_store store;
    struct user_row row = {.user_id = BYTES_LITERAL("8:acs:r_1")};
    struct membership_row membership = {.thread_id = BYTES_LITERAL("19:t@thread.v2"), .membership = MEMBERSHIP_JOINED};
    struct push_registration device = {.id = BYTES_LITERAL("d"), .transport = PUSH_APNS};
    check(user_store_open_new(&store, transaction, &fixture.arena, &fixture.master, &USER,
                              fixture_key(&fixture, &USER)) == STATUS_OK);
    check(user_row_put(&store, &row) == STATUS_OK);
    check(user_membership_put(&store, &THREAD, &membership) == STATUS_OK);
    check(user_push_put(&store, &OTHER, &device) == STATUS_OK);
}

static void marks_append(struct store_transaction *transaction, uint64_t number, uint32_t range, uint64_t applied) {
    struct range_marks_of marks = {.range = range, .epoch = 1, .applied = applied};
    size_t bytes;
    check(range_log_append_marks(transaction, &fixture.master, &number, &marks, 1, &bytes) == STATUS_OK);
}

static void marks_row_put(struct store_transaction *transaction, uint32_t range, uint64_t applied) {
    struct range_marks marks = {.epoch = 1, .applied = applied};
    struct key key = key_of_range_marks(range);
    check(sealed_row_put(transaction, &fixture.master, STORE_META, &key, &RANGE_MARKS_TABLE, &marks) == STATUS_OK);
}

static void log_fill(struct store_transaction *transaction) {
    struct command command = {.kind = COMMAND_MESSAGE_SEND, .subject = THREAD, .content = BYTES_LITERAL("x")};
    struct buffer encoded;
    size_t bytes;
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    for (uint64_t number = 1; number <= 3; number++) {
        struct log_place place = {.range = 1, .epoch = 1, .index = number};
        check(range_log_append(transaction, &fixture.master, number, &place, number == 3 ? &OTHER : &THREAD,
                               BYTES_ABSENT, buffer_bytes(&encoded), &bytes) == STATUS_OK);
    }
    buffer_close(&encoded);
    marks_append(transaction, 4, 1, 3);
}

/* 12 rows of each thread, 4 of the user, 3 log entries and their marks, an outbox row, trimmed marks and the format. */
static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    buffer_init(&lines);
    range_count = RANGES;
    struct store_transaction *transaction = begin_write();
    struct outbox_row row = {.thread_id = BYTES_LITERAL("19:t@thread.v2")};
    thread_fill(transaction, &THREAD);
    thread_fill(transaction, &OTHER);
    user_fill(transaction);
    log_fill(transaction);
    check(outbox_put(transaction, &fixture.master, &THREAD, 1, &row) == STATUS_OK);
    marks_row_put(transaction, 1, 2);
    commit(transaction);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    buffer_close(&lines);
    fixture_close(&fixture);
    return 0;
}

static void run_fsck(void) {
    lines.size = 0;
    assert_int_equal(store_fsck(fixture.store, &fixture.master, range_count, range_count, &report, &lines), STATUS_OK);
}

static void expect(uint64_t corrupt, uint64_t misindexed) {
    run_fsck();
    assert_int_equal(report.corrupt, corrupt);
    assert_int_equal(report.misindexed, misindexed);
    size_t line_count = 0;
    for (size_t i = 0; i < lines.size; i++)
        line_count += lines.data[i] == '\n';
    assert_int_equal(line_count, corrupt + misindexed);
}

static bool lines_say(const char *what) {
    buffer_append(&lines, "", 1);
    lines.size--;
    return strstr((const char *)lines.data, what) != NULL;
}

static struct bytes stored_copy(enum store_table table, struct bytes key) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct bytes value;
    check(store_get(transaction, table, key, &value) == STATUS_OK);
    struct bytes copy = arena_copy(&fixture.arena, value);
    store_abort(transaction);
    return copy;
}

static void store(enum store_table table, struct bytes key, struct bytes value) {
    struct store_transaction *transaction = begin_write();
    check(store_put(transaction, table, key, value) == STATUS_OK);
    commit(transaction);
}

static void take_away(enum store_table table, struct bytes key) {
    struct store_transaction *transaction = begin_write();
    check(store_remove(transaction, table, key) == STATUS_OK);
    commit(transaction);
}

static void a_sound_store_has_no_damage(void **state) {
    (void)state;
    expect(0, 0);
    assert_int_equal(report.records[STORE_STATE], 28);
    assert_int_equal(report.records[STORE_LOG], 4);
    assert_int_equal(report.records[STORE_OUTBOX], 1);
    assert_int_equal(report.records[STORE_META], 2);
    assert_int_equal(report.leftovers, 0);
    assert_int_equal(report.shredded, 0);
}

struct record {
    enum store_table table;
    struct bytes key;
};

static size_t records_list(struct record *records, size_t max) {
    struct store_transaction *transaction = fixture_read(&fixture);
    size_t count = 0;
    for (int table = 0; table < STORE_TABLES; table++) {
        struct store_cursor *cursor = NULL;
        struct bytes key;
        struct bytes value;
        check(store_cursor_open(transaction, (enum store_table)table, &cursor) == STATUS_OK);
        for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK && count < max;
             rc = store_cursor_next(cursor, &key, &value))
            records[count++] = (struct record){(enum store_table)table, arena_copy(&fixture.arena, key)};
        store_cursor_close(cursor);
    }
    store_abort(transaction);
    return count;
}

static bool is_format(const struct record *record) {
    return record->table == STORE_META && bytes_equal_text(record->key, "format");
}

/* With a bad index or key row others may be concerned as well, so at least one complaint is asked for. */
static void a_flipped_byte_is_found_wherever_it_is(void **state) {
    struct record records[64];
    (void)state;
    size_t count = records_list(records, 64);
    assert_int_equal(count, 35);
    for (size_t i = 0; i < count; i++) {
        struct bytes sound = stored_copy(records[i].table, records[i].key);
        if (is_format(&records[i]))
            continue;
        for (size_t place = 0; place < sound.size; place += 13) {
            struct bytes damaged = arena_copy(&fixture.arena, sound);
            bool is_entry = records[i].table == STORE_LOG && sound.data[0] != 'M';
            bool is_log_subject = is_entry && place >= 25 && place < 41;
            ((uint8_t *)(uintptr_t)damaged.data)[place] ^= 0x40;
            store(records[i].table, records[i].key, damaged);
            run_fsck();
            /* An entry of a subject without key counts as shredded: users leave no tombstone to tell by. */
            assert_true(report.corrupt > 0 || (is_log_subject && report.shredded > 0));
        }
        store(records[i].table, records[i].key, sound);
    }
    expect(0, 0);
}

static void a_truncated_record_is_found_wherever_it_is(void **state) {
    struct record records[64];
    (void)state;
    size_t count = records_list(records, 64);
    for (size_t i = 0; i < count; i++) {
        struct bytes sound = stored_copy(records[i].table, records[i].key);
        if (is_format(&records[i]))
            continue;
        store(records[i].table, records[i].key, bytes_of(sound.data, sound.size - 1));
        run_fsck();
        assert_true(report.corrupt > 0);
        store(records[i].table, records[i].key, bytes_of(sound.data, 0));
        run_fsck();
        assert_true(report.corrupt > 0);
        store(records[i].table, records[i].key, sound);
    }
}

static void a_record_in_the_place_of_another_is_found(void **state) {
    struct key first = key_of_row_number(&THREAD, ROW_MESSAGE, 1);
    struct key second = key_of_row_number(&THREAD, ROW_MESSAGE, 2);
    struct key elsewhere = key_of_row_number(&OTHER, ROW_MESSAGE, 1);
    struct key log_first = key_of_log(1);
    struct key log_second = key_of_log(2);
    struct bytes sound = stored_copy(STORE_STATE, key_bytes(&second));
    (void)state;
    store(STORE_STATE, key_bytes(&second), stored_copy(STORE_STATE, key_bytes(&first)));
    expect(1, 1); /* and its index row names nothing that opens */
    assert_true(lines_say("does not open with its key"));
    store(STORE_STATE, key_bytes(&second), stored_copy(STORE_STATE, key_bytes(&elsewhere)));
    expect(1, 1);
    store(STORE_STATE, key_bytes(&second), sound);
    store(STORE_LOG, key_bytes(&log_second), stored_copy(STORE_LOG, key_bytes(&log_first)));
    expect(1, 0);
    assert_true(lines_say("(by its header range 1, epoch 1, index 1, subject "));
}

static void a_record_under_the_key_of_nobody_is_found(void **state) {
    struct id_hash nobody = {{0x77}};
    struct key key = key_of_row_number(&THREAD, ROW_MESSAGE, 1);
    struct key moved = key_of_row_number(&nobody, ROW_MESSAGE, 1);
    (void)state;
    store(STORE_STATE, key_bytes(&moved), stored_copy(STORE_STATE, key_bytes(&key)));
    store(STORE_STATE, BYTES_LITERAL("short"), BYTES_LITERAL("x"));
    store(STORE_STATE, bytes_of(THREAD.bytes, sizeof(THREAD.bytes)), BYTES_LITERAL("x"));
    store(STORE_LOG, BYTES_LITERAL("short"), BYTES_LITERAL("x"));
    store(STORE_OUTBOX, BYTES_LITERAL("short"), BYTES_LITERAL("x"));
    store(STORE_META, BYTES_LITERAL("range"), BYTES_LITERAL("x"));
    expect(6, 0);
    assert_true(lines_say("belongs to no thread or user"));
    assert_true(lines_say("73686f7274")); /* "short" */
}

static void sealed_store(const struct key *key, struct bytes plain) {
    struct store_transaction *transaction = begin_write();
    struct seal_key data_key;
    check(subject_key_get(transaction, &fixture.master, &THREAD, &data_key) == STATUS_OK);
    check(sealed_put(transaction, &data_key, STORE_STATE, key_bytes(key), plain) == STATUS_OK);
    commit(transaction);
}

static void index_rows_and_messages_must_name_each_other(void **state) {
    struct key index = key_of_row_number(&THREAD, ROW_MESSAGE_OFFSET, 100);
    struct bytes sound = stored_copy(STORE_STATE, key_bytes(&index));
    (void)state;
    sealed_store(&index, BYTES_LITERAL("\0\0\0\0\0\0\0\x02"));
    expect(0, 2); /* it names another message, and the message is named by none */
    sealed_store(&index, BYTES_LITERAL("\0\0\0\0\0\0\0\x09"));
    expect(0, 2);
    sealed_store(&index, BYTES_LITERAL("\0\0\0\x01"));
    expect(1, 1);
    take_away(STORE_STATE, key_bytes(&index));
    expect(0, 1);
    assert_true(lines_say("no index row names"));
    store(STORE_STATE, key_bytes(&index), sound);
    struct key message = key_of_row_number(&THREAD, ROW_MESSAGE, 1);
    take_away(STORE_STATE, key_bytes(&message));
    expect(0, 1);
    assert_true(lines_say("names a message that is not there"));
}

static void a_row_that_opens_but_makes_no_sense_is_found(void **state) {
    struct key unknown = key_of_row(&THREAD, (enum row_kind)'?');
    struct key counters = key_of_row(&THREAD, ROW_COUNTERS);
    (void)state;
    sealed_store(&unknown, BYTES_LITERAL("x"));
    expect(1, 0);
    assert_true(lines_say("does not know"));
    sealed_store(&counters, BYTES_LITERAL("not a map"));
    expect(2, 0);
    assert_true(lines_say("does not decode"));
}

static void a_damaged_data_key_makes_all_rows_of_its_subject_unreadable(void **state) {
    struct key key = key_of_row(&THREAD, ROW_KEY);
    (void)state;
    store(STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged"));
    expect(12 + 2, 0); /* and two entries of its log */
}

static void another_master_key_opens_nothing(void **state) {
    (void)state;
    fixture.master.bytes[0] ^= 1;
    expect(34, 0);
}

static void marks_that_are_right(void) {
    struct store_transaction *transaction = begin_write();
    marks_append(transaction, 5, RANGES - 1, 9);
    marks_append(transaction, 6, 1, 3); /* the same again is not backwards */
    marks_append(transaction, 7, 1, 4);
    commit(transaction);
    expect(0, 0);
    assert_int_equal(report.shredded, 0);
}

static void marks_of_a_range_that_does_not_exist_are_found(void **state) {
    (void)state;
    marks_that_are_right();
    struct store_transaction *transaction = begin_write();
    marks_append(transaction, 8, RANGES, 1);
    commit(transaction);
    expect(1, 0);
    assert_true(lines_say("a range that does not exist"));
    transaction = begin_write();
    marks_row_put(transaction, UINT32_MAX, 1);
    commit(transaction);
    expect(2, 0);
}

static void marks_are_only_opened_where_the_number_of_ranges_is_not_known(void **state) {
    struct key key = key_of_log(9);
    (void)state;
    range_count = 0;
    marks_that_are_right();
    struct store_transaction *transaction = begin_write();
    marks_append(transaction, 8, RANGES, 1);
    commit(transaction);
    expect(0, 0);
    store(STORE_LOG, key_bytes(&key), BYTES_LITERAL("M damaged"));
    expect(1, 0);
}

static void marks_that_go_backwards_are_found(void **state) {
    (void)state;
    marks_that_are_right();
    struct store_transaction *transaction = begin_write();
    marks_append(transaction, 8, 1, 3);
    marks_append(transaction, 9, RANGES - 1, 10);
    commit(transaction);
    expect(1, 0);
    assert_true(lines_say("behind older ones"));
    transaction = begin_write();
    marks_row_put(transaction, RANGES - 1, 10);
    commit(transaction);
    expect(2, 0);
}

/* Range 1 begins anew, with entries before that which no key opens. */
static void a_range_that_was_wiped_begins_anew(void **state) {
    struct store_transaction *transaction = begin_write();
    struct range_marks_of wiped = {.range = 1, .is_incomplete = true};
    uint64_t number = 5;
    size_t bytes;
    (void)state;
    check(subject_key_remove(transaction, &THREAD) == STATUS_OK);
    check(subject_key_put(transaction, &THREAD, fixture_key(&fixture, &THREAD)) == STATUS_OK);
    commit(transaction);
    run_fsck();
    uint64_t corrupt_before = report.corrupt;
    transaction = begin_write();
    check(range_log_append_marks(transaction, &fixture.master, &number, &wiped, 1, &bytes) == STATUS_OK);
    marks_append(transaction, 6, 1, 2);
    commit(transaction);
    run_fsck();
    assert_int_equal(report.corrupt, corrupt_before - 2);
    assert_int_equal(report.leftovers, 2);
    transaction = begin_write();
    marks_append(transaction, 7, 1, 1);
    commit(transaction);
    run_fsck();
    assert_int_equal(report.corrupt, corrupt_before - 1);
}

static void keys_that_wait_are_opened(void **state) {
    static const struct id_hash newcomer = {{0x77}};
    struct log_place place = {.range = 0, .epoch = 1, .index = 1};
    struct key key = key_of_waiting_key(&newcomer);
    struct key elsewhere = key_of_waiting_key(&USER);
    struct waiting_key_row row = {.index = 1, .wrapped = fixture_key(&fixture, &newcomer)};
    size_t bytes;
    (void)state;
    struct store_transaction *transaction = begin_write();
    check(range_log_append_waiting(transaction, &fixture.master, 5, &place, &newcomer, row.wrapped, BYTES_LITERAL(""),
                                   &bytes) == STATUS_OK);
    commit(transaction);
    expect(0, 0);
    transaction = begin_write();
    check(sealed_row_put(transaction, &fixture.master, STORE_META, &elsewhere, &WAITING_KEY_TABLE, &row) == STATUS_OK);
    commit(transaction);
    expect(1, 0);
    assert_true(lines_say("data key of this thread or user does not open"));
    store(STORE_META, key_bytes(&key), BYTES_LITERAL("damaged"));
    expect(3, 0); /* and the entry that it seals */
    transaction = begin_write();
    check(sealed_put(transaction, &fixture.master, STORE_META, BYTES_LITERAL("key"), BYTES_LITERAL("\x80")) ==
          STATUS_OK);
    check(sealed_put(transaction, &fixture.master, STORE_META, BYTES_LITERAL("keys"), BYTES_LITERAL("text")) ==
          STATUS_OK);
    commit(transaction);
    expect(5, 0);
}

static void marks_that_open_but_make_no_sense_are_found(void **state) {
    struct key key = key_of_log(5);
    struct key row = key_of_range_marks(2);
    struct key associated = key_of_log(5);
    struct bytes senseless[] = {BYTES_LITERAL("\x80"), BYTES_LITERAL("text")}; /* no marks at all; no map */
    struct buffer stored;
    (void)state;
    associated.data[associated.size++] = 'M';
    for (int i = 0; i < 2; i++) {
        buffer_init(&stored);
        buffer_append_text(&stored, "M");
        seal_record(&fixture.master, STORE_LOG, key_bytes(&associated), senseless[i], &stored);
        store(STORE_LOG, key_bytes(&key), buffer_bytes(&stored));
        expect(1, 0);
        buffer_close(&stored);
    }
    struct store_transaction *transaction = begin_write();
    check(sealed_put(transaction, &fixture.master, STORE_META, key_bytes(&row), BYTES_LITERAL("text")) == STATUS_OK);
    check(sealed_put(transaction, &fixture.master, STORE_META, BYTES_LITERAL("range"), BYTES_LITERAL("\x80")) ==
          STATUS_OK);
    commit(transaction);
    expect(3, 0);
}

/* A message is not there yet, or not any more, that an index row names. */
static void range_of_thread_begin(struct store_transaction *transaction) {
    struct key key = key_of_row_number(&THREAD, ROW_MESSAGE, 1);
    struct range_marks_of partial = {.range = bounds_part_of(id_hash_position(&THREAD), RANGES), .is_incomplete = true};
    uint64_t number = 5;
    size_t bytes;
    check(store_remove(transaction, STORE_STATE, key_bytes(&key)) == STATUS_OK);
    check(range_log_append_marks(transaction, &fixture.master, &number, &partial, 1, &bytes) == STATUS_OK);
}

/* The node ended in the middle of a snapshot or of a wipe: whatever is missing, it will not serve from it. */
static void rows_of_a_range_that_is_only_partly_here_are_leftovers(void **state) {
    struct store_transaction *transaction = begin_write();
    (void)state;
    range_of_thread_begin(transaction);
    commit(transaction);
    expect(0, 0);
    assert_int_equal(report.leftovers, 11);
    transaction = begin_write();
    marks_append(transaction, 6, bounds_part_of(id_hash_position(&THREAD), RANGES), 3);
    commit(transaction);
    expect(0, 1);
    assert_int_equal(report.leftovers, 0);
}

/* The range was split: what is left of it is on its way in, and what was split off is here. */
static void rows_beside_a_range_that_is_only_partly_here_are_checked(void **state) {
    struct bounds bounds = {.first = id_hash_position(&THREAD), .last = id_hash_position(&THREAD) + 1};
    struct store_transaction *transaction = begin_write();
    (void)state;
    range_of_thread_begin(transaction);
    check(range_bounds_put(transaction, &fixture.master, RANGES - 1, &bounds) == STATUS_OK);
    marks_append(transaction, 6, RANGES - 1, 5);
    commit(transaction);
    expect(0, 1);
}

static void rows_of_a_deleted_subject_are_leftovers_while_their_purge_is_due(void **state) {
    struct outbox_row purge = {.is_purge = true};
    struct tombstone_row tombstone = {.deleted_ms = 1};
    struct store_transaction *transaction = begin_write();
    (void)state;
    check(subject_tombstone_put(transaction, &fixture.master, &THREAD, &tombstone) == STATUS_OK);
    check(outbox_put(transaction, &fixture.master, &THREAD, OUTBOX_PURGE_NUMBER, &purge) == STATUS_OK);
    check(subject_key_remove(transaction, &THREAD) == STATUS_OK);
    commit(transaction);
    expect(0, 0);
    assert_int_equal(report.leftovers, 11);
    assert_int_equal(report.shredded, 2);
    struct key key = key_of_outbox(&THREAD, OUTBOX_PURGE_NUMBER);
    take_away(STORE_OUTBOX, key_bytes(&key));
    expect(11, 0);
}

static void events_fill(struct store_transaction *transaction, uint64_t offset) {
    struct event_store events = {
        .transaction = transaction, .arena = &fixture.arena, .master = &fixture.master, .thread = THREAD};
    struct event_cursor cursor = {.consumer = OTHER, .offset = 1};
    struct event_cursors_row cursors = {&cursor, 1};
    struct participant_row member = {.joined_offset = 1};
    struct change change = {.kind = CHANGE_MESSAGE_RECEIVED, .subject = THREAD, .offset = offset};
    struct buffer encoded;
    buffer_init(&encoded);
    change_encode(&change, &encoded);
    struct event_row row = {.time_ms = 1, .change = buffer_bytes(&encoded)};
    check(event_put(&events, 3, &row) == STATUS_OK && event_cursors_put(&events, &cursors) == STATUS_OK &&
          event_member_put(&events, &USER, &member) == STATUS_OK && event_mark_put(&events, 1) == STATUS_OK);
    buffer_close(&encoded);
}

static void events_are_sound_with_their_thread_and_after_it_while_they_are_marked(void **state) {
    struct store_transaction *transaction = begin_write();
    struct tombstone_row tombstone = {.deleted_ms = 1};
    (void)state;
    events_fill(transaction, 3);
    commit(transaction);
    expect(0, 0);
    transaction = begin_write();
    bool is_done = false;
    check(subject_tombstone_put(transaction, &fixture.master, &THREAD, &tombstone) == STATUS_OK);
    check(subject_key_remove(transaction, &THREAD) == STATUS_OK);
    check(subject_rows_purge(transaction, &THREAD, true, 100, &is_done) == STATUS_OK && is_done);
    commit(transaction);
    expect(0, 0);
    assert_int_equal(report.leftovers, 0);
    struct key mark = key_of_outbox(&THREAD, OUTBOX_EVENTS_NUMBER);
    take_away(STORE_OUTBOX, key_bytes(&mark));
    expect(3, 0); /* the event, the cursors, the member */
}

static void an_event_of_another_change_is_found(void **state) {
    struct store_transaction *transaction = begin_write();
    (void)state;
    events_fill(transaction, 4);
    commit(transaction);
    expect(1, 0);
}

static void only_the_first_lines_are_kept_and_all_are_counted(void **state) {
    struct store_transaction *transaction = begin_write();
    size_t line_count = 0;
    (void)state;
    for (uint64_t i = 0; i < FSCK_LINES_MAX + 50; i++) {
        struct key key = key_of_outbox(&OTHER, i);
        check(store_put(transaction, STORE_OUTBOX, key_bytes(&key), BYTES_LITERAL("damaged")) == STATUS_OK);
    }
    commit(transaction);
    run_fsck();
    for (size_t i = 0; i < lines.size; i++)
        line_count += lines.data[i] == '\n';
    assert_int_equal(report.corrupt, FSCK_LINES_MAX + 50);
    assert_int_equal(line_count, FSCK_LINES_MAX);
}

int main(void) {
#define CHECKED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CHECKED(a_sound_store_has_no_damage),
        CHECKED(a_flipped_byte_is_found_wherever_it_is),
        CHECKED(a_truncated_record_is_found_wherever_it_is),
        CHECKED(a_record_in_the_place_of_another_is_found),
        CHECKED(a_record_under_the_key_of_nobody_is_found),
        CHECKED(index_rows_and_messages_must_name_each_other),
        CHECKED(a_row_that_opens_but_makes_no_sense_is_found),
        CHECKED(a_damaged_data_key_makes_all_rows_of_its_subject_unreadable),
        CHECKED(another_master_key_opens_nothing),
        CHECKED(marks_of_a_range_that_does_not_exist_are_found),
        CHECKED(marks_are_only_opened_where_the_number_of_ranges_is_not_known),
        CHECKED(marks_that_go_backwards_are_found),
        CHECKED(marks_that_open_but_make_no_sense_are_found),
        CHECKED(a_range_that_was_wiped_begins_anew),
        CHECKED(rows_of_a_range_that_is_only_partly_here_are_leftovers),
        CHECKED(rows_beside_a_range_that_is_only_partly_here_are_checked),
        CHECKED(keys_that_wait_are_opened),
        CHECKED(rows_of_a_deleted_subject_are_leftovers_while_their_purge_is_due),
        CHECKED(events_are_sound_with_their_thread_and_after_it_while_they_are_marked),
        CHECKED(an_event_of_another_change_is_found),
        CHECKED(only_the_first_lines_are_kept_and_all_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
