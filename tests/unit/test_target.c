#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/target.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Segments are written with "|" between them. */
static struct bytes joined(struct arena *arena, const struct target *target) {
    struct bytes text = BYTES_LITERAL("");
    for (size_t i = 0; i < target->segments_count; i++)
        text = arena_printf(arena, "%.*s%s%.*s", BYTES_ARG(text), i == 0 ? "" : "|", BYTES_ARG(target->segments[i]));
    return text;
}

static void paths_are_split_and_then_decoded(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *segments;
    } rows[] = {
        {"/", ""},
        {"/chat/threads", "chat|threads"},
        {"/chat/threads/", "chat|threads"},
        {"//chat/config/realTimeNotifications", "chat|config|realTimeNotifications"},
        {"////chat", "chat"},
        {"/chat//threads", "chat||threads"},
        {"/chat/threads//", "chat|threads|"},
        {"/chat/threads/19%3AacsV1_x%40thread.v2/messages", "chat|threads|19:acsV1_x@thread.v2|messages"},
        {"/chat/threads/19:acsV1_x@thread.v2/messages", "chat|threads|19:acsV1_x@thread.v2|messages"},
        {"/x/participants/%3Aadd", "x|participants|:add"},
        {"/x/participants/:add?a=/b/c", "x|participants|:add"},
        {"/a%2Fb/c", "a/b|c"},
        {"/caf%C3%a9", "caf\xc3\xa9"},
        {"http://host:1/chat?x", "chat"},
        {"https://host/chat", "chat"},
        {"/...", "..."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena;
        struct target target;
        arena_init(&arena);
        assert_int_equal(target_parse(&arena, bytes_of_text(rows[i].text), &target), 0);
        assert_string_equal(arena_text(&arena, joined(&arena, &target)), rows[i].segments);
        arena_close(&arena);
    }
}

static void malformed_paths_are_refused(void **state) {
    (void)state;
    const char *const rows[] = {
        "",        "*",       "chat",        "?x",
        "/%",      "/%4",     "/%zz",        "/a%00b",
        "/a/../b", "/%2e%2E", "/./a",        "http://h",
        "/a/.",    "/a%2",    "https://h?a", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena;
        struct target target;
        arena_init(&arena);
        assert_int_equal(target_parse(&arena, bytes_of_text(rows[i]), &target), STATUS_BAD_REQUEST);
        arena_close(&arena);
    }
}

static void query_values_are_found_by_name_and_decoded(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *name;
        const char *value; /* NULL: absent */
    } rows[] = {
        {"/a?api-version=2025-03-15", "api-version", "2025-03-15"},
        {"/a?x=1&api-version=2025-03-15&y", "api-version", "2025-03-15"},
        {"/a?api%2Dversion=1", "api-version", "1"},
        {"/a?startTime=2020-09-13T12%3A26%3A40.123Z", "startTime", "2020-09-13T12:26:40.123Z"},
        {"/a?t=1+1", "t", "1+1"},
        {"/a?tc={\"cv\":\"x\"}&v=v4", "tc", "{\"cv\":\"x\"}"},
        {"/a?sig=abc==", "sig", "abc=="},
        {"/a?x=1&x=2", "x", "1"},
        {"/a?x", "x", ""},
        {"/a?x=", "x", ""},
        {"/a?&&x=1", "x", "1"},
        {"/a", "x", NULL},
        {"/a?", "x", NULL},
        {"/a?y=1", "x", NULL},
        {"/a?X=1", "x", NULL},
        {"/a?x=%zz", "x", NULL},
        {"/a?%=1&x=2", "x", "2"},
        {"/a?b=1?x=2", "b", "1?x=2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena;
        struct target target;
        arena_init(&arena);
        assert_int_equal(target_parse(&arena, bytes_of_text(rows[i].text), &target), 0);
        struct bytes value = target_query_find(&arena, &target, rows[i].name);
        assert_int_equal(bytes_is_present(value), rows[i].value != NULL);
        if (rows[i].value != NULL)
            assert_string_equal(arena_text(&arena, value), rows[i].value);
        arena_close(&arena);
    }
}

static void all_parameters_can_be_walked(void **state) {
    (void)state;
    struct arena arena;
    struct target target;
    struct bytes name;
    struct bytes value;
    size_t cursor = 0;
    arena_init(&arena);
    assert_int_equal(target_parse(&arena, BYTES_LITERAL("/a?x=1&&y=%20&z"), &target), 0);
    assert_true(target_query_next(&arena, &target, &cursor, &name, &value));
    assert_true(bytes_equal_text(name, "x") && bytes_equal_text(value, "1"));
    assert_true(target_query_next(&arena, &target, &cursor, &name, &value));
    assert_true(bytes_equal_text(name, "y") && bytes_equal_text(value, " "));
    assert_true(target_query_next(&arena, &target, &cursor, &name, &value));
    assert_true(bytes_equal_text(name, "z") && bytes_equal_text(value, ""));
    assert_false(target_query_next(&arena, &target, &cursor, &name, &value));
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_split_and_then_decoded),
        cmocka_unit_test(malformed_paths_are_refused),
        cmocka_unit_test(query_values_are_found_by_name_and_decoded),
        cmocka_unit_test(all_parameters_can_be_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
