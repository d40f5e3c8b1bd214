#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <cmocka.h>

#include "bench/options.h"

#define KEY_STRING "endpoint=https://127.0.0.1:8443/;accesskey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define ARGUMENTS_MAX 12

static struct arena arena;
static struct options options;

static int open_arena(void **state) {
    (void)state;
    unsetenv("WEFT_ENDPOINTS");
    unsetenv("WEFT_CONNECTION_STRING");
    unsetenv("WEFT_CA");
    unsetenv("WEFT_PIDS");
    arena_init(&arena);
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static enum options_outcome parse(const char *const *arguments) {
    char *argv[ARGUMENTS_MAX + 2] = {"weft-bench"};
    int argc = 1;
    for (; *arguments != NULL; arguments++)
        argv[argc++] = (char *)(uintptr_t)*arguments;
    return options_parse(&arena, argc, argv, &options);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_environment_says_where_and_the_rest_has_defaults, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(the_connection_string_is_the_node_of_last_resort, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(plain_addresses_are_preferred_unless_tls_is_wanted, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(without_a_key_nothing_runs, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
