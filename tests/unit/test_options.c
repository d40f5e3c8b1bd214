#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <cmocka.h>

#include "bench/options.h"

#define KEY_STRING "endpoint=https://127.0.0.1:8443/;accesskey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define ARGUMENTS_MAX 16

static struct arena arena;
static struct options options;

static int open_arena(void **state) {
    (void)state;
    unsetenv("WEFT_ENDPOINTS");
    unsetenv("WEFT_CONNECTION_STRING");
    unsetenv("WEFT_CA");
    unsetenv("WEFT_PIDS");
    unsetenv("WEFT_ADMIN_TOKEN");
    unsetenv("WEFT_PLAIN_ENDPOINTS");
    arena_init(&arena);
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static enum options_outcome parse_mode(enum mode mode, const char *const *arguments) {
    char *argv[ARGUMENTS_MAX + 2] = {"weft-bench"};
    int argc = 1;
    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    return options_parse(&arena, mode, argc, argv, &options);
}

static enum options_outcome parse(const char *const *arguments) {
    return parse_mode(MODE_FANOUT, arguments);
}

static void the_environment_says_where_and_the_rest_has_defaults(void **state) {
    (void)state;
    setenv("WEFT_ENDPOINTS", "https://127.0.0.1:8443 https://127.0.0.1:8444", 1);
    setenv("WEFT_CONNECTION_STRING", KEY_STRING, 1);
    setenv("WEFT_CA", "/ca.pem", 1);
    setenv("WEFT_PIDS", "12 34", 1);
    static const char *const none[] = {NULL};
    assert_int_equal(parse(none), OPTIONS_RUN);
    assert_int_equal(options.nodes_count, 2);
    assert_string_equal(options.nodes[1].origin, "https://127.0.0.1:8444");
    assert_int_equal(options.access_key.size, 32);
    assert_string_equal(options.ca_file, "/ca.pem");
    assert_int_equal(options.server_pids_count, 2);
    assert_int_equal(options.server_pids[1], 34);
    assert_int_equal(options_connections(&options), 1000);
    assert_int_equal(options_messages_per_thread(&options), 660);
    assert_true(options_deliveries_per_second(&options) > 19999 && options_deliveries_per_second(&options) < 20001);
}

static void the_connection_string_is_the_node_of_last_resort(void **state) {
    (void)state;
    static const char *const arguments[] = {"--connection-string", KEY_STRING, NULL};
    assert_int_equal(parse(arguments), OPTIONS_RUN);
    assert_int_equal(options.nodes_count, 1);
    assert_string_equal(options.nodes[0].origin, "https://127.0.0.1:8443");
}

static void plain_addresses_are_preferred_unless_tls_is_wanted(void **state) {
    (void)state;
    static const char *const plain[] = {"--connection-string", KEY_STRING, "--nodes",
                                        "https://a:1,http://b:2,https://c:3", NULL};
    assert_int_equal(parse(plain), OPTIONS_RUN);
    assert_int_equal(options.nodes_count, 1);
    assert_string_equal(options.nodes[0].host, "b");
    static const char *const tls[] = {
        "--connection-string", KEY_STRING, "--nodes", "https://a:1,http://b:2,https://c:3", "--tls", NULL};
    assert_int_equal(parse(tls), OPTIONS_RUN);
    assert_int_equal(options.nodes_count, 2);
    assert_string_equal(options.nodes[1].host, "c");
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    static const char *const rows[][4] = {
        {"--threads", "0"},
        {"--threads", "-1"},
        {"--threads", "1e3"},
        {"--participants", "0"},
        {"--participants", "251"},
        {"--connections-per-user", "65"},
        {"--rate", "0"},
        {"--rate", "nan"},
        {"--rate", "inf"},
        {"--rate", "5x"},
        {"--payload", "54"},
        {"--payload", "28673"},
        {"--duration", "0"},
        {"--warmup", "3601"},
        {"--drain", "0"},
        {"--wire", "xml"},
        {"--idle", "0"},
        {"--seed", "x"},
        {"--server-pid", "1,two"},
        {"--server-pid", "0"},
        {"--nodes", "127.0.0.1"},
        {"--threads"},
        {"--unknown"},
        {"extra"},
        {"--tls", "--nodes", "http://a:1"},
        {"--connection-string", "endpoint=x"},
        {"--threads", "100000"},
        {"--rate", "100000", "--duration", "86400"},
    };
    setenv("WEFT_CONNECTION_STRING", KEY_STRING, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *arguments[5] = {rows[i][0], rows[i][1], rows[i][2], rows[i][3], NULL};
        if (parse(arguments) != OPTIONS_WRONG)
            fail_msg("%s %s was taken", rows[i][0], rows[i][1] == NULL ? "" : rows[i][1]);
    }
}

static void without_a_key_nothing_runs(void **state) {
    (void)state;
    static const char *const arguments[] = {"--nodes", "http://a:1", NULL};
    assert_int_equal(parse(arguments), OPTIONS_WRONG);
}

static void commands_have_times_and_keep_their_order(void **state) {
    (void)state;
    static const char *const arguments[] = {"--connection-string",
                                            KEY_STRING,
                                            "--at",
                                            "10.5",
                                            "one --at 3",
                                            "--rate",
                                            "2",
                                            "--admin-token",
                                            "t",
                                            "--at",
                                            "balanced",
                                            "--two",
                                            "--at",
                                            "0",
                                            "three",
                                            "--until-balanced",
                                            NULL};
    assert_int_equal(parse_mode(MODE_REBALANCE, arguments), OPTIONS_RUN);
    assert_int_equal(options.planned_count, 3);
    assert_string_equal(options.planned[0].command, "one --at 3");
    assert_true(options.planned[0].at_s == 10.5 && !options.planned[0].is_when_balanced);
    assert_string_equal(options.planned[1].command, "--two");
    assert_true(options.planned[1].is_when_balanced);
    assert_string_equal(options.planned[2].command, "three");
    assert_true(options.is_until_balanced);
}

static void churn_takes_commands_to_choose_from(void **state) {
    (void)state;
    static const char *const arguments[] = {"--every",         "5", "one", "--connection-string", KEY_STRING, "two",
                                            "--small-threads", "4", NULL};
    setenv("WEFT_PIDS", "12 34", 1);
    assert_int_equal(parse_mode(MODE_CHURN, arguments), OPTIONS_RUN);
    assert_int_equal(options.planned_count, 2);
    assert_string_equal(options.planned[1].command, "two");
    assert_int_equal(options.every_s, 5);
    assert_int_equal(options.server_pids_count, 0);
}

static void small_threads_come_behind_the_others(void **state) {
    (void)state;
    options = (struct options){.threads = 2, .participants = 50, .small_threads = 3, .connections_per_user = 2};
    assert_int_equal(options_threads(&options), 5);
    assert_int_equal(options_participants(&options, 1), 50);
    assert_int_equal(options_participants(&options, 2), 5);
    assert_int_equal(options_first_user(&options, 1), 50);
    assert_int_equal(options_first_user(&options, 2), 100);
    assert_int_equal(options_first_user(&options, 4), 110);
    assert_int_equal(options_users(&options), 115);
    assert_int_equal(options_readers(&options, 4), 10);
    assert_int_equal(options_connections(&options), 230);
}

static void wrong_arguments_of_other_runs_are_refused(void **state) {
    (void)state;
    static const struct {
        enum mode mode;
        const char *arguments[7];
    } rows[] = {
        {MODE_REBALANCE, {"--rate", "1"}},
        {MODE_REBALANCE, {"--at", "10"}},
        {MODE_REBALANCE, {"--at", "10", ""}},
        {MODE_REBALANCE, {"--at", "-1", "x"}},
        {MODE_REBALANCE, {"--at", "soon", "x"}},
        {MODE_REBALANCE, {"--at", "nan", "x"}},
        {MODE_REBALANCE, {"--at", "1", "x", "y"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--every", "5"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--idle", "5"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--wire", "sdk"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--until-balanced"}},
        {MODE_REBALANCE, {"--at", "balanced", "x"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--small-threads", "100001"}},
        {MODE_REBALANCE, {"--at", "1", "x", "--fill-mb", "-1"}},
        {MODE_CHURN, {"--every", "5"}},
        {MODE_CHURN, {"--every", "0", "x"}},
        {MODE_CHURN, {"--at", "1", "x"}},
        {MODE_CHURN, {"x", "--baseline"}},
        {MODE_FANOUT, {"--small-threads", "1"}},
        {MODE_FANOUT, {"--at", "1", "x"}},
        {MODE_FANOUT, {"--fill-mb", "1"}},
    };
    setenv("WEFT_CONNECTION_STRING", KEY_STRING, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (parse_mode(rows[i].mode, rows[i].arguments) != OPTIONS_WRONG)
            fail_msg("row %zu, %s %s, was taken", i, rows[i].arguments[0], rows[i].arguments[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_environment_says_where_and_the_rest_has_defaults, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(the_connection_string_is_the_node_of_last_resort, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(plain_addresses_are_preferred_unless_tls_is_wanted, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(commands_have_times_and_keep_their_order, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(churn_takes_commands_to_choose_from, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(small_threads_come_behind_the_others, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(wrong_arguments_of_other_runs_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(without_a_key_nothing_runs, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
