#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/cluster_state.h"
#include "proto/status.h"

static const char whole[] =
    "{\"rangeCount\":2,\"balancer\":{\"node\":\"a1\",\"isBalanced\":true},"
    "\"nodes\":[{\"id\":\"a1\",\"name\":\"node-1\",\"isAlive\":true,\"ranges\":{\"primary\":2,\"inSync\":2},"
    "\"load\":{\"storedBytes\":5000000000,\"share\":0.75}},{\"id\":\"b2\",\"isAlive\":false}],"
    "\"ranges\":[{\"range\":0,\"epoch\":7,\"primary\":\"a1\",\"first\":\"8000000000000000\",\"last\":"
    "\"ffffffffffffffff\"},{\"range\":1,\"epoch\":9,\"primary\":\"b2\"}],"
    "\"moves\":[%s]}";

static struct arena arena;
static struct cluster_state cluster;

static int open_arena(void **state) {
    (void)state;
    arena_init(&arena);
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static int parse(const char *text, const char **reason) {
    return cluster_state_parse(&arena, bytes_of_text(text), &cluster, reason);
}

static void nodes_ranges_and_moves_are_taken(void **state) {
    (void)state;
    const char *reason;
    const char *text = (const char *)arena_printf(&arena, whole,
                                                  "{\"range\":1,\"kind\":\"copy\",\"from\":\"a1\",\"to\":\"b2\","
                                                  "\"bytesDone\":12}")
                           .data;
    assert_int_equal(parse(text, &reason), STATUS_OK);
    assert_int_equal(cluster.nodes_count, 2);
    assert_string_equal(cluster.nodes[0].name, "node-1");
    assert_true(cluster.nodes[0].share == 0.75);
    assert_true(cluster.nodes[0].stored_bytes == 5000000000);
    assert_int_equal(cluster.nodes[0].primaries, 2);
    assert_true(cluster.nodes[0].is_alive);
    assert_false(cluster.nodes[1].is_alive);
    assert_int_equal(cluster.ranges_count, 2);
    assert_int_equal(cluster.ranges[1].epoch, 9);
    assert_true(cluster.ranges[0].first == 1ULL << 63 && cluster.ranges[0].last == UINT64_MAX);
    assert_string_equal(cluster.ranges[1].primary, "b2");
    assert_int_equal(cluster.moves_count, 1);
    assert_string_equal(cluster.moves[0].kind, "copy");
    assert_int_equal(cluster.moves[0].bytes_done, 12);
}

static void balanced_is_only_what_does_not_move(void **state) {
    (void)state;
    const char *reason;
    assert_int_equal(parse((const char *)arena_printf(&arena, whole, "").data, &reason), STATUS_OK);
    assert_true(cluster.is_balanced);
    assert_int_equal(parse((const char *)arena_printf(&arena, whole, "{\"range\":1}").data, &reason), STATUS_OK);
    assert_false(cluster.is_balanced);
    assert_int_equal(parse("{\"nodes\":[],\"ranges\":[]}", &reason), STATUS_OK);
    assert_false(cluster.is_balanced);
}

static void what_is_no_such_answer_is_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "it is no JSON"},
        {"{", "it is no JSON"},
        {"[]", "it has no nodes"},
        {"{\"nodes\":7,\"ranges\":[]}", "it has no nodes"},
        {"{\"nodes\":[]}", "it has no ranges"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *reason;
        assert_int_equal(parse(rows[i].text, &reason), STATUS_MALFORMED);
        assert_string_equal(reason, rows[i].reason);
    }
}

static void members_of_other_types_count_as_missing(void **state) {
    (void)state;
    const char *reason;
    assert_int_equal(
        parse("{\"nodes\":[7,{\"id\":7,\"load\":[]}],\"ranges\":[null,{\"epoch\":-1}],\"moves\":[\"x\"]}", &reason),
        STATUS_OK);
    assert_string_equal(cluster.nodes[1].id, "");
    assert_int_equal(cluster.ranges[1].epoch, 0);
    assert_string_equal(cluster.moves[0].kind, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_ranges_and_moves_are_taken, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(balanced_is_only_what_does_not_move, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_is_no_such_answer_is_refused_by_name, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(members_of_other_types_count_as_missing, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
