#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/endpoints_file.h"

static struct options options;

static int one_node(void **state) {
    (void)state;
    const char *reason;
    options = (struct options){.nodes_count = 1};
    assert_true(address_parse(BYTES_LITERAL("http://127.0.0.1:1"), &options.nodes[0], &reason));
    return 0;
}

static void new_nodes_of_the_same_scheme_are_added_once(void **state) {
    (void)state;
    static const struct {
        const char *line;
        size_t added;
    } rows[] = {
        {"WEFT_PLAIN_ENDPOINTS=http://127.0.0.1:1\\ http://127.0.0.1:2\\ http://127.0.0.1:3\n", 2},
        {"WEFT_PLAIN_ENDPOINTS=http://127.0.0.1:3", 0},
        {"WEFT_PLAIN_ENDPOINTS='http://127.0.0.1:4 http://127.0.0.1:5'\n", 2},
        {"WEFT_ENDPOINTS=https://127.0.0.1:6\n", 0},
        {"WEFT_CONNECTION_STRING=http://127.0.0.1:7\n", 0},
        {"WEFT_PLAIN_ENDPOINTS=''\n", 0},
        {"WEFT_PLAIN_ENDPOINTS=nonsense\n", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(endpoints_line_take(rows[i].line, &options), rows[i].added);
    assert_int_equal(options.nodes_count, 5);
    assert_string_equal(options.nodes[4].origin, "http://127.0.0.1:5");
    assert_true(options.nodes[4].socket_size > 0);
}

static void there_is_an_end_to_how_many_are_taken(void **state) {
    (void)state;
    char line[64];
    for (int port = 2; port < 2 + OPTIONS_NODES_MAX; port++) {
        snprintf(line, sizeof line, "WEFT_PLAIN_ENDPOINTS=http://127.0.0.1:%d", port);
        endpoints_line_take(line, &options);
    }
    assert_int_equal(options.nodes_count, OPTIONS_NODES_MAX);
}

static void the_file_is_read_when_it_has_changed(void **state) {
    (void)state;
    char path[] = "/tmp/weft-endpoints.XXXXXX";
    struct endpoints_file followed = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "WEFT_CA=x\nWEFT_PLAIN_ENDPOINTS=http://127.0.0.1:2\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    options.endpoints_file = path;
    endpoints_file_follow(&followed, &options);
    assert_int_equal(options.nodes_count, 2);
    options.nodes_count = 1;
    endpoints_file_follow(&followed, &options);
    assert_int_equal(options.nodes_count, 1);
    unlink(path);
    endpoints_file_follow(&followed, &options);
    assert_int_equal(options.nodes_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_nodes_of_the_same_scheme_are_added_once, one_node),
        cmocka_unit_test_setup(there_is_an_end_to_how_many_are_taken, one_node),
        cmocka_unit_test_setup(the_file_is_read_when_it_has_changed, one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
