/* Stored rows: every member survives, what is zero costs nothing, what has the wrong form is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/status.h"
#include "storage/rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct metadata_pair PAIRS[] = {{BYTES_LITERAL("k"), BYTES_LITERAL("v")}};
static struct participant PEOPLE[] = {{.user_id = BYTES_LITERAL("8:acs:r_1"), .display_name = BYTES_LITERAL("Bo")}};
static struct outbox_user USERS[] = {{{{1}}}, {{{2, 3}}}};

static const struct thread_counters COUNTERS = {1, 2, UINT64_MAX, INT64_MIN, UINT32_MAX, 5, 6, 7};
static const struct participant_row PARTICIPANT = {.participant = {.user_id = BYTES_LITERAL("8:acs:r_1"),
                                                                   .display_name = BYTES_LITERAL("Bo"),
                                                                   .share_history_ms = 3,
                                                                   .metadata = {PAIRS, 1, true, false}},
                                                   .join_number = 4,
                                                   .joined_offset = 5,
                                                   .removed_offset = 6,
                                                   .topic = BYTES_LITERAL("topic"),
                                                   .earlier_joined_offset = 1,
                                                   .earlier_removed_offset = 2,
                                                   .is_counted_of_teams = true};
static const struct sent_row SENT = {1, 2, 3, 4, BYTES_LITERAL("sixteen bytes...")};
static const struct change_row CHANGE = {.message = {.id = 1,
                                                     .sequence = 2,
                                                     .version = 3,
                                                     .offset = 4,
                                                     .created_offset = 5,
                                                     .type = MESSAGE_PARTICIPANT_ADDED,
                                                     .created_ms = 6,
                                                     .content = BYTES_LITERAL("text"),
                                                     .participants = {PEOPLE, 1}},
                                         .is_properties_change = true,
                                         .version = 9,
                                         .actor_id = BYTES_LITERAL("8:acs:r_2"),
                                         .is_undeletion = true};
static const struct user_row USER = {BYTES_LITERAL("8:acs:r_1"), 2, 3, BYTES_LITERAL("0123456789abcdef")};
static const struct membership_row MEMBERSHIP = {
    BYTES_LITERAL("19:t@thread.v2"), MEMBERSHIP_DELETED, 3, BYTES_LITERAL("topic"), 5, 6};
static const struct tombstone_row TOMBSTONE = {1,
                                               2,
                                               BYTES_LITERAL("19:t@thread.v2"),
                                               BYTES_LITERAL("8:acs:r_1"),
                                               BYTES_LITERAL("Bo"),
                                               BYTES_LITERAL("deletedByUser"),
                                               BYTES_LITERAL("operation"),
                                               BYTES_LITERAL("wrapped"),
                                               3};
static const struct hold_row HOLD = {BYTES_LITERAL("case 7"), 4};
static const struct outbox_row OUTBOX = {.is_purge = true,
                                         .thread_id = BYTES_LITERAL("19:t@thread.v2"),
                                         .membership = MEMBERSHIP_LEFT,
                                         .offset = 4,
                                         .time_ms = 5,
                                         .topic = BYTES_LITERAL("topic"),
                                         .last_message_ms = 7,
                                         .users = USERS,
                                         .users_count = COUNT(USERS)};
static const struct event_row EVENT = {1, 2, BYTES_LITERAL("change")};
static struct event_cursor CURSORS[] = {{{{1}}, 2, 3}, {{{4}}, UINT64_MAX, 0}};
static const struct event_cursors_row EVENT_CURSORS = {CURSORS, COUNT(CURSORS)};
static const struct range_marks MARKS = {1, UINT64_MAX, true};
static struct range_marks_of MARKS_OF[] = {{0, 1, 2, false}, {UINT32_MAX, 3, UINT64_MAX, true}};
static const struct marks_record MARKS_RECORD = {MARKS_OF, COUNT(MARKS_OF)};
static const struct waiting_key_row WAITING_KEY = {7, BYTES_LITERAL("wrapped")};

struct row_case {
    const char *name;
    const struct codec_table *table;
    const void *row;
};

static const struct row_case ROWS[] = {
    {"counters", &THREAD_COUNTERS_TABLE, &COUNTERS},
    {"participant", &PARTICIPANT_ROW_TABLE, &PARTICIPANT},
    {"sent", &SENT_ROW_TABLE, &SENT},
    {"change", &CHANGE_ROW_TABLE, &CHANGE},
    {"user", &USER_ROW_TABLE, &USER},
    {"membership", &MEMBERSHIP_ROW_TABLE, &MEMBERSHIP},
    {"tombstone", &TOMBSTONE_ROW_TABLE, &TOMBSTONE},
    {"hold", &HOLD_ROW_TABLE, &HOLD},
    {"outbox", &OUTBOX_ROW_TABLE, &OUTBOX},
    {"event", &EVENT_ROW_TABLE, &EVENT},
    {"event cursors", &EVENT_CURSORS_TABLE, &EVENT_CURSORS},
    {"marks", &RANGE_MARKS_TABLE, &MARKS},
    {"marks in the log", &MARKS_RECORD_TABLE, &MARKS_RECORD},
    {"waiting key", &WAITING_KEY_TABLE, &WAITING_KEY},
};

static struct arena arena;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct bytes encode(const struct codec_table *table, const void *row) {
    struct buffer out;
    buffer_init(&out);
    codec_encode(table, row, &out);
    struct bytes encoded = arena_copy(&arena, buffer_bytes(&out));
    buffer_close(&out);
    return encoded;
}

static void *decode(const struct codec_table *table, struct bytes encoded) {
    void *row = arena_alloc(&arena, table->struct_size);
    assert_int_equal(codec_decode(table, encoded, &arena, row), 0);
    return row;
}

/* Encodings are equal exactly when the rows are, so a second encoding compares what was read with what was written. */
static void every_row_survives_being_stored(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct bytes encoded = encode(ROWS[i].table, ROWS[i].row);
        assert_true(bytes_equal(encode(ROWS[i].table, decode(ROWS[i].table, encoded)), encoded));
    }
}

static void every_member_has_a_key_of_its_own(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct codec_table *table = ROWS[i].table;
        struct bytes encoded = encode(table, ROWS[i].row);
        /* The examples have every member set: a fixmap of as many pairs. */
        assert_int_equal(encoded.data[0], 0x80 | table->fields_count);
        for (size_t a = 0; a < table->fields_count; a++)
            for (size_t b = 0; b < a; b++) {
                assert_int_not_equal(table->fields[a].key, table->fields[b].key);
                assert_int_not_equal(table->fields[a].offset, table->fields[b].offset);
            }
    }
}

static void members_come_back_where_they_were(void **state) {
    (void)state;
    const struct thread_counters *counters = decode(&THREAD_COUNTERS_TABLE, encode(&THREAD_COUNTERS_TABLE, &COUNTERS));
    assert_memory_equal(counters, &COUNTERS, sizeof(COUNTERS));
    const struct outbox_row *outbox = decode(&OUTBOX_ROW_TABLE, encode(&OUTBOX_ROW_TABLE, &OUTBOX));
    assert_true(outbox->is_purge);
    assert_int_equal(outbox->membership, MEMBERSHIP_LEFT);
    assert_int_equal(outbox->users_count, 2);
    assert_memory_equal(outbox->users, USERS, sizeof(USERS));
    const struct change_row *change = decode(&CHANGE_ROW_TABLE, encode(&CHANGE_ROW_TABLE, &CHANGE));
    assert_int_equal(change->message.participants.count, 1);
    assert_true(bytes_equal_text(change->message.participants.items[0].display_name, "Bo"));
    assert_true(bytes_equal_text(change->message.content, "text"));
    assert_true(bytes_equal_text(change->actor_id, "8:acs:r_2"));
}

static void an_empty_row_takes_one_byte_and_comes_back_empty(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        void *empty = arena_alloc(&arena, ROWS[i].table->struct_size);
        struct bytes encoded = encode(ROWS[i].table, empty);
        assert_int_equal(encoded.size, 1);
        assert_memory_equal(decode(ROWS[i].table, encoded), empty, ROWS[i].table->struct_size);
    }
}

static void a_row_that_is_cut_or_of_another_type_is_refused(void **state) {
    static const uint8_t list[] = {0x90};
    static const uint8_t membership_of_4[] = {0x81, 2, 4};
    static const uint8_t text_for_a_number[] = {0x81, 1, 0xa1, 'x'};
    struct membership_row membership;
    struct tombstone_row tombstone;
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct bytes encoded = encode(ROWS[i].table, ROWS[i].row);
        void *row = arena_alloc(&arena, ROWS[i].table->struct_size);
        for (size_t size = 0; size < encoded.size; size++)
            assert_int_equal(codec_decode(ROWS[i].table, bytes_of(encoded.data, size), &arena, row), STATUS_MALFORMED);
        assert_int_equal(codec_decode(ROWS[i].table, bytes_of(list, sizeof(list)), &arena, row), STATUS_MALFORMED);
    }
    assert_int_equal(
        codec_decode(&MEMBERSHIP_ROW_TABLE, bytes_of(membership_of_4, sizeof(membership_of_4)), &arena, &membership),
        STATUS_MALFORMED);
    assert_int_equal(
        codec_decode(&TOMBSTONE_ROW_TABLE, bytes_of(text_for_a_number, sizeof(text_for_a_number)), &arena, &tombstone),
        STATUS_MALFORMED);
}

static void somebody_was_in_a_thread_until_she_was_told_of_her_removal(void **state) {
    (void)state;
    const struct {
        struct participant_row row;
        uint64_t offset;
        bool was_in;
    } cases[] = {
        {{.joined_offset = 5}, 4, false},
        {{.joined_offset = 5}, 5, true},
        {{.joined_offset = 5}, UINT64_MAX, true},
        {{.joined_offset = 5, .removed_offset = 8}, 8, true},
        {{.joined_offset = 5, .removed_offset = 8}, 9, false},
        {{.joined_offset = 5, .earlier_joined_offset = 1, .earlier_removed_offset = 3}, 3, true},
        {{.joined_offset = 5, .earlier_joined_offset = 1, .earlier_removed_offset = 3}, 4, false},
        {{.joined_offset = 5, .earlier_joined_offset = 2, .earlier_removed_offset = 3}, 1, false},
        {{.joined_offset = 5, .removed_offset = 8, .earlier_joined_offset = 1, .earlier_removed_offset = 3}, 2, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(participant_row_was_in(&cases[i].row, cases[i].offset), cases[i].was_in);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(every_row_survives_being_stored),
        ROW(every_member_has_a_key_of_its_own),
        ROW(members_come_back_where_they_were),
        ROW(an_empty_row_takes_one_byte_and_comes_back_empty),
        ROW(a_row_that_is_cut_or_of_another_type_is_refused),
        ROW(somebody_was_in_a_thread_until_she_was_told_of_her_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
