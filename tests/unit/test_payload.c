#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/payload.h"

static const struct payload sample = {0xdeadbeef, 0x1234, 77, 123456789012345};

static struct buffer encoded_in_a_frame(size_t size) {
    struct buffer frame;
    buffer_init(&frame);
    buffer_append_text(&frame, "{\"content\":\"");
    payload_encode(&sample, size, &frame);
    buffer_append_text(&frame, "\"}");
    return frame;
}

static void what_was_encoded_is_found_in_a_frame(void **state) {
    (void)state;
    for (size_t size = PAYLOAD_BYTES_MIN; size < 300; size++) {
        struct buffer frame = encoded_in_a_frame(size);
        struct payload found;
        bool was_found;
        assert_true(payload_find(buffer_bytes(&frame), size, &found, &was_found));
        assert_true(was_found);
        assert_int_equal(found.run, sample.run);
        assert_int_equal(found.thread, sample.thread);
        assert_int_equal(found.number, sample.number);
        assert_int_equal(found.intended_ns, sample.intended_ns);
        assert_int_equal(frame.size, size + 14);
        buffer_close(&frame);
    }
}

static void one_flipped_bit_anywhere_is_noticed(void **state) {
    (void)state;
    struct buffer frame = encoded_in_a_frame(100);
    for (size_t i = 12; i < 112; i++) {
        frame.data[i] ^= 1;
        struct payload found;
        bool was_found;
        assert_false(payload_find(buffer_bytes(&frame), 100, &found, &was_found));
        frame.data[i] ^= 1;
    }
    struct payload found;
    bool was_found;
    assert_true(payload_find(buffer_bytes(&frame), 100, &found, &was_found));
    buffer_close(&frame);
}

static void a_cut_payload_is_refused(void **state) {
    (void)state;
    struct buffer frame = encoded_in_a_frame(100);
    for (size_t size = 0; size < 12 + 100; size++) {
        struct payload found;
        bool was_found;
        assert_false(payload_find(bytes_of(frame.data, size), 100, &found, &was_found));
        assert_int_equal(was_found, size >= 16);
    }
    buffer_close(&frame);
}

static void the_text_needs_no_escaping(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text);
    payload_encode(&sample, 500, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        assert_true((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-');
    }
    buffer_close(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_encoded_is_found_in_a_frame),
        cmocka_unit_test(one_flipped_bit_anywhere_is_noticed),
        cmocka_unit_test(a_cut_payload_is_refused),
        cmocka_unit_test(the_text_needs_no_escaping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
