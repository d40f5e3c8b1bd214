#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/websocket.h"
#include "proto/status.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static int upgrade(const char *head, const char *subprotocol, size_t *head_size) {
    char reason[200] = "";
    int rc = websocket_upgrade_check(bytes_of_text(head), KEY, subprotocol, head_size, reason, sizeof reason);
    assert_int_equal(rc == STATUS_MALFORMED, reason[0] != 0);
    return rc;
}

static void the_key_of_the_rfc_gets_the_answer_of_the_rfc(void **state) {
    (void)state;
    char key[WEBSOCKET_KEY_BYTES];
    websocket_key_make((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, KEY);
    const char *head = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-ACCEPT:  " ACCEPT "\r\n\r\n\x81";
    size_t head_size = 0;
    assert_int_equal(upgrade(head, NULL, &head_size), STATUS_OK);
    assert_int_equal(head_size, strlen(head) - 1);
}

static void answers_that_are_no_upgrade_are_refused(void **state) {
    (void)state;
    static const char *const heads[] = {
        "HTTP/1.1 401 Unauthorized\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: b\r\n\r\n",
        "SSH-2.0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t head_size;
        assert_int_equal(upgrade(heads[i], "a", &head_size), STATUS_MALFORMED);
    }
}

static void half_an_answer_needs_more(void **state) {
    (void)state;
    size_t head_size;
    assert_int_equal(upgrade("HTTP/1.1 101 Switching Protocols\r\nSec-", NULL, &head_size), 1);
}

static void masked_frames_have_the_form_of_the_rfc(void **state) {
    (void)state;
    static const uint8_t hello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    uint32_t mask;
    memcpy(&mask, hello + 2, 4);
    struct buffer out;
    buffer_init(&out);
    websocket_frame_encode(WEBSOCKET_TEXT, BYTES_LITERAL("Hello"), mask, &out);
    assert_int_equal(out.size, sizeof hello);
    assert_memory_equal(out.data, hello, sizeof hello);
    buffer_close(&out);
}

/* A server's frame is a client's without mask. */
static void a_frame_of_any_size_is_read_when_its_last_byte_is_there(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *payload = calloc(1, sizes[i] + 1);
        struct buffer out;
        buffer_init(&out);
        websocket_frame_encode(WEBSOCKET_BINARY, bytes_of(payload, sizes[i]), 0, &out);
        size_t head = out.size - sizes[i] - 4;
        out.data[1] &= 0x7f;
        memmove(out.data + head, out.data + head + 4, sizes[i]);
        out.size -= 4;
        struct websocket_frame frame;
        for (size_t size = 0; size < out.size; size += size < 16 ? 1 : out.size - size < 5 ? 1 : (out.size - size) / 2)
            assert_int_equal(websocket_frame_decode(bytes_of(out.data, size), &frame), 1);
        assert_int_equal(websocket_frame_decode(buffer_bytes(&out), &frame), STATUS_OK);
        assert_int_equal(frame.size, out.size);
        assert_int_equal(frame.payload.size, sizes[i]);
        assert_int_equal(frame.opcode, WEBSOCKET_BINARY);
        assert_true(frame.is_final);
        buffer_close(&out);
        free(payload);
    }
}

static void frames_that_no_server_may_send_are_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[10];
    } rows[] = {
        {{0x81, 0x85}},                                     /* masked */
        {{0xc1, 0x05}},                                     /* reserved bit */
        {{0x83, 0x05}},                                     /* unknown opcode */
        {{0x8b, 0x05}},                                     /* unknown control opcode */
        {{0x09, 0x05}},                                     /* control frame in pieces */
        {{0x89, 0x7e}},                                     /* control frame too long */
        {{0x82, 0x7f, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}}, /* 2 GiB */
        {{0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct websocket_frame frame;
        assert_int_equal(websocket_frame_decode(bytes_of(rows[i].bytes, 10), &frame), STATUS_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_rfc_gets_the_answer_of_the_rfc),
        cmocka_unit_test(answers_that_are_no_upgrade_are_refused),
        cmocka_unit_test(half_an_answer_needs_more),
        cmocka_unit_test(masked_frames_have_the_form_of_the_rfc),
        cmocka_unit_test(a_frame_of_any_size_is_read_when_its_last_byte_is_there),
        cmocka_unit_test(frames_that_no_server_may_send_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
