#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/websocket_frame.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void headers_have_the_shortest_length_form(void **state) {
    (void)state;
    const struct {
        enum websocket_opcode opcode;
        size_t payload_size;
        size_t size;
        uint8_t bytes[WEBSOCKET_HEADER_BYTES_MAX];
    } rows[] = {
        {WEBSOCKET_TEXT, 0, 2, {0x81, 0}},
        {WEBSOCKET_BINARY, 125, 2, {0x82, 125}},
        {WEBSOCKET_TEXT, 126, 4, {0x81, 126, 0, 126}},
        {WEBSOCKET_TEXT, 65535, 4, {0x81, 126, 0xff, 0xff}},
        {WEBSOCKET_TEXT, 65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {WEBSOCKET_PING, 0, 2, {0x89, 0}},
        {WEBSOCKET_PONG, 3, 2, {0x8a, 3}},
        {WEBSOCKET_CLOSE, 2, 2, {0x88, 2}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t out[WEBSOCKET_HEADER_BYTES_MAX];
        assert_int_equal(websocket_frame_header(out, rows[i].opcode, rows[i].payload_size), rows[i].size);
        assert_memory_equal(out, rows[i].bytes, rows[i].size);
    }
}

static void a_close_payload_is_code_and_reason(void **state) {
    (void)state;
    uint8_t out[WEBSOCKET_CONTROL_BYTES_MAX];
    assert_int_equal(websocket_close_payload(out, 4401, "expired"), 9);
    assert_memory_equal(out,
                        "\x11\x31"
                        "expired",
                        9);
    assert_int_equal(websocket_close_payload(out, 1000, NULL), 2);
    assert_memory_equal(out, "\x03\xe8", 2);
    assert_int_equal(websocket_close_payload(out, 1005, "never sent"), 0);
}

static void a_long_reason_is_cut_between_characters(void **state) {
    (void)state;
    uint8_t out[WEBSOCKET_CONTROL_BYTES_MAX];
    char reason[200];
    for (size_t i = 0; i + 3 < sizeof(reason); i += 3)
        memcpy(reason + i, "\xe2\x82\xac", 3);
    reason[198] = '\0';
    assert_int_equal(websocket_close_payload(out, 1000, reason), 2 + 123);
    memmove(reason + 1, reason, 197);
    reason[0] = 'x';
    assert_int_equal(websocket_close_payload(out, 1000, reason), 2 + 121);
}

static void the_accept_key_is_the_rfcs(void **state) {
    (void)state;
    char out[WEBSOCKET_ACCEPT_BYTES];
    assert_int_equal(websocket_accept_key(BYTES_LITERAL("dGhlIHNhbXBsZSBub25jZQ=="), out), 0);
    assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(out));
}

static void keys_that_are_not_16_bytes_are_refused(void **state) {
    (void)state;
    const char *const rows[] = {"",
                                "dGhlIHNhbXBsZSBub25jZQ=",
                                "dGhlIHNhbXBsZSBub25jZQ===",
                                "dGhlIHNhbXBsZSBub25jZSE=",
                                "dGhlIHNhbXBsZSBub25jZSEh",
                                "dGhlIHNhbXBsZSBub25j!!==",
                                "dGhlIHNhbXBsZSBub25jZ==="};
    char out[WEBSOCKET_ACCEPT_BYTES];
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(websocket_accept_key(bytes_of_text(rows[i]), out), STATUS_BAD_REQUEST);
    assert_int_equal(websocket_accept_key(BYTES_ABSENT, out), STATUS_BAD_REQUEST);
}

static void members_of_a_list_are_found_whole_and_by_case(void **state) {
    (void)state;
    const struct {
        const char *list;
        const char *member;
        bool is_found;
    } rows[] = {
        {"weft.v1.json", "weft.v1.json", true},
        {"a, weft.v1.json ,b", "weft.v1.json", true},
        {"a,\tb", "b", true},
        {"weft.v1.json2", "weft.v1.json", false},
        {"WEFT.V1.JSON", "weft.v1.json", false},
        {"", "a", false},
        {",,", "a", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(websocket_list_has(bytes_of_text(rows[i].list), bytes_of_text(rows[i].member)),
                         rows[i].is_found);
    assert_false(websocket_list_has(BYTES_ABSENT, BYTES_LITERAL("a")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_have_the_shortest_length_form),
        cmocka_unit_test(a_close_payload_is_code_and_reason),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(the_accept_key_is_the_rfcs),
        cmocka_unit_test(keys_that_are_not_16_bytes_are_refused),
        cmocka_unit_test(members_of_a_list_are_found_whole_and_by_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
