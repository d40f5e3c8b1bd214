#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/load_record.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

static int decode_encoded(const struct load_record *record, struct load_record *decoded) {
    struct buffer encoded;
    buffer_init(&encoded);
    load_record_encode(record, &encoded);
    int rc = load_record_decode(arena_copy(&arena, buffer_bytes(&encoded)), &arena, decoded);
    buffer_close(&encoded);
    return rc;
}

static void assert_same_when_written_again(const struct load_record *a, const struct load_record *b) {
    struct buffer first;
    struct buffer second;
    buffer_init(&first);
    buffer_init(&second);
    load_record_encode(a, &first);
    load_record_encode(b, &second);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_close(&first);
    buffer_close(&second);
}

static void everything_survives(void **state) {
    struct load_range ranges[] = {{.range = 0, .stored_bytes = 1, .committed = 2, .told = 3},
                                  {.range = 7, .stored_bytes = UINT64_MAX}};
    struct load_learner learners[] = {
        {.range = 7, .node = UINT64_MAX, .chunk = 4, .chunks = 5, .bytes_done = 6, .bytes_total = 8}};
    const struct load_record record = {.node = 1,
                                       .start = 2,
                                       .at_ms = 3,
                                       .stored_bytes = 4,
                                       .connections = 5,
                                       .sessions = 6,
                                       .delivered = 7,
                                       .slow = 8,
                                       .commit_us_p50 = 9,
                                       .commit_us_p99 = UINT32_MAX,
                                       .snapshot_bytes_sent = 10,
                                       .ranges = ranges,
                                       .ranges_count = COUNT(ranges),
                                       .learners = learners,
                                       .learners_count = COUNT(learners)};
    struct load_record decoded;
    (void)state;
    assert_int_equal(decode_encoded(&record, &decoded), STATUS_OK);
    assert_int_equal(decoded.ranges_count, COUNT(ranges));
    assert_true(decoded.ranges[1].stored_bytes == UINT64_MAX && decoded.ranges[0].told == 3);
    assert_true(decoded.learners_count == 1 && decoded.learners[0].node == UINT64_MAX);
    assert_true(decoded.commit_us_p99 == UINT32_MAX && decoded.snapshot_bytes_sent == 10);
    assert_same_when_written_again(&record, &decoded);
}

static void a_node_with_nothing_can_say_so(void **state) {
    struct load_record decoded;
    (void)state;
    assert_int_equal(decode_encoded(&(struct load_record){.node = 1}, &decoded), STATUS_OK);
    assert_int_equal(decoded.ranges_count + decoded.learners_count, 0);
}

static void as_many_ranges_as_a_cluster_can_have_survive(void **state) {
    static struct load_range ranges[4096 + 1];
    struct load_record decoded;
    (void)state;
    for (uint32_t i = 0; i < COUNT(ranges); i++)
        ranges[i] = (struct load_range){.range = i, .committed = i * 3};
    const struct load_record record = {.node = 1, .ranges = ranges, .ranges_count = COUNT(ranges)};
    assert_int_equal(decode_encoded(&record, &decoded), STATUS_OK);
    assert_int_equal(decoded.ranges_count, COUNT(ranges));
    assert_true(decoded.ranges[4096].range == 4096 && decoded.ranges[4096].committed == 3 * 4096);
    assert_same_when_written_again(&record, &decoded);
}

static void records_that_contradict_themselves_are_refused(void **state) {
    struct load_range twice[] = {{.range = 3}, {.range = 3}};
    struct load_range falling[] = {{.range = 3}, {.range = 2}};
    const struct load_record rows[] = {
        {.node = 0},
        {.node = 1, .ranges = twice, .ranges_count = 2},
        {.node = 1, .ranges = falling, .ranges_count = 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct load_record decoded;
        assert_int_equal(decode_encoded(&rows[i], &decoded), STATUS_MALFORMED);
    }
}

static void bytes_that_are_no_record_are_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\x80"),
        BYTES_LITERAL("\x81\x01\xa1x"),
        BYTES_LITERAL("\x82\x01\x01\x0c\xdd\xff\xff\xff\xff"),
        BYTES_LITERAL("\x82\x01\x01\x0d\x91\x01"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct load_record decoded;
        assert_int_equal(load_record_decode(rows[i], &arena, &decoded), STATUS_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_with_nothing_can_say_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_ranges_as_a_cluster_can_have_survive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_that_contradict_themselves_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_record_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
