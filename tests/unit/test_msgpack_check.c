#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <msgpack.h>

#include "proto/msgpack_check.h"

#define DEPTH 16
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void every_format_is_known(void **state) {
    (void)state;
    const struct bytes values[] = {
        BYTES_LITERAL("\x00"),
        BYTES_LITERAL("\x7f"),
        BYTES_LITERAL("\xe0"),
        BYTES_LITERAL("\xff"),
        BYTES_LITERAL("\xc0"),
        BYTES_LITERAL("\xc2"),
        BYTES_LITERAL("\xc3"),
        BYTES_LITERAL("\x80"),
        BYTES_LITERAL("\x81\xa1k\x01"),
        BYTES_LITERAL("\x92\x01\xa2xy"),
        BYTES_LITERAL("\xa3"
                      "abc"),
        BYTES_LITERAL("\xc4\x02xx"),
        BYTES_LITERAL("\xc5\x00\x02xx"),
        BYTES_LITERAL("\xc6\x00\x00\x00\x02xx"),
        BYTES_LITERAL("\xc7\x02\x01xx"),
        BYTES_LITERAL("\xc8\x00\x02\x01xx"),
        BYTES_LITERAL("\xc9\x00\x00\x00\x02\x01xx"),
        BYTES_LITERAL("\xcaxxxx"),
        BYTES_LITERAL("\xcbxxxxxxxx"),
        BYTES_LITERAL("\xccx"),
        BYTES_LITERAL("\xcdxx"),
        BYTES_LITERAL("\xcexxxx"),
        BYTES_LITERAL("\xcfxxxxxxxx"),
        BYTES_LITERAL("\xd0x"),
        BYTES_LITERAL("\xd1xx"),
        BYTES_LITERAL("\xd2xxxx"),
        BYTES_LITERAL("\xd3xxxxxxxx"),
        BYTES_LITERAL("\xd4tx"),
        BYTES_LITERAL("\xd5txx"),
        BYTES_LITERAL("\xd6txxxx"),
        BYTES_LITERAL("\xd7txxxxxxxx"),
        BYTES_LITERAL("\xd8txxxxxxxxxxxxxxxx"),
        BYTES_LITERAL("\xd9\x02xx"),
        BYTES_LITERAL("\xda\x00\x02xx"),
        BYTES_LITERAL("\xdb\x00\x00\x00\x02xx"),
        BYTES_LITERAL("\xdc\x00\x02\x01\x02"),
        BYTES_LITERAL("\xdd\x00\x00\x00\x02\x01\x02"),
        BYTES_LITERAL("\xde\x00\x01\x01\x02"),
        BYTES_LITERAL("\xdf\x00\x00\x00\x01\x01\x02"),
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_true(msgpack_is_sound(values[i], DEPTH));
        assert_false(msgpack_is_sound(bytes_of(values[i].data, values[i].size - 1), DEPTH));
        uint8_t longer[64] = {0};
        memcpy(longer, values[i].data, values[i].size);
        assert_false(msgpack_is_sound(bytes_of(longer, values[i].size + 1), DEPTH));
    }
}

static void claims_beyond_what_follows_are_refused(void **state) {
    (void)state;
    const struct bytes values[] = {
        BYTES_ABSENT,
        BYTES_LITERAL("\xc1"),
        BYTES_LITERAL("\xdd\xff\xff\xff\xff"),
        BYTES_LITERAL("\xdf\xff\xff\xff\xff"),
        BYTES_LITERAL("\xdf\x80\x00\x00\x00"), /* 2^31 pairs are 2^32 values: no room for a wrap to 0 */
        BYTES_LITERAL("\xdb\xff\xff\xff\xff"),
        BYTES_LITERAL("\xc6\xff\xff\xff\xff"),
        BYTES_LITERAL("\xc9\xff\xff\xff\xff\x01"),
        BYTES_LITERAL("\x92\xdd\x00\x00\x00\x02\x01\x01"),
        BYTES_LITERAL("\x81\x01"),
    };
    for (size_t i = 0; i < COUNT(values); i++)
        assert_false(msgpack_is_sound(values[i], DEPTH));
}

static void nesting_is_bounded(void **state) {
    (void)state;
    uint8_t arrays[DEPTH + 1];
    memset(arrays, 0x91, sizeof(arrays));
    arrays[DEPTH] = 0x01;
    assert_true(msgpack_is_sound(bytes_of(arrays, DEPTH + 1), DEPTH));
    assert_false(msgpack_is_sound(bytes_of(arrays, DEPTH + 1), DEPTH - 1));
    assert_true(msgpack_is_sound(BYTES_LITERAL("\x01"), 0));
    assert_false(msgpack_is_sound(BYTES_LITERAL("\x90"), 0));
    static uint8_t many[1 << 20];
    memset(many, 0x91, sizeof(many));
    assert_false(msgpack_is_sound(bytes_of(many, sizeof(many)), DEPTH));
}

static void what_the_library_packs_is_sound(void **state) {
    (void)state;
    msgpack_sbuffer packed;
    msgpack_packer packer;
    msgpack_sbuffer_init(&packed);
    msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 70000);
    for (uint32_t i = 0; i < 70000; i++) {
        msgpack_pack_map(&packer, 1);
        msgpack_pack_uint32(&packer, i);
        msgpack_pack_int64(&packer, -(int64_t)i * 1000000);
    }
    assert_true(msgpack_is_sound(bytes_of(packed.data, packed.size), 2));
    assert_false(msgpack_is_sound(bytes_of(packed.data, packed.size), 1));
    msgpack_sbuffer_destroy(&packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_known),
        cmocka_unit_test(claims_beyond_what_follows_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_the_library_packs_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
