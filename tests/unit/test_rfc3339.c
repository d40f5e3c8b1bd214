#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/rfc3339.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void times_are_written_in_each_form(void **state) {
    (void)state;
    const struct {
        int64_t time_ms;
        const char *seconds;
        const char *ms;
        const char *identity;
        const char *rfc1123;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.0000000+00:00",
         "Thu, 01 Jan 1970 00:00:00 GMT"},
        {1767323045999, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.999Z", "2026-01-02T03:04:05.9990000+00:00",
         "Fri, 02 Jan 2026 03:04:05 GMT"},
        {1709251199058, "2024-02-29T23:59:59Z", "2024-02-29T23:59:59.058Z", "2024-02-29T23:59:59.0580000+00:00",
         "Thu, 29 Feb 2024 23:59:59 GMT"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.9990000+00:00",
         "Wed, 31 Dec 1969 23:59:59 GMT"},
        {INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.9990000+00:00",
         "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MIN, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z", "0000-01-01T00:00:00.0000000+00:00",
         "Sat, 01 Jan 0000 00:00:00 GMT"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[RFC3339_TEXT_BYTES];
        rfc3339_format_seconds(rows[i].time_ms, text);
        assert_string_equal(text, rows[i].seconds);
        rfc3339_format_ms(rows[i].time_ms, text);
        assert_string_equal(text, rows[i].ms);
        rfc3339_format_identity(rows[i].time_ms, text);
        assert_string_equal(text, rows[i].identity);
        rfc1123_format(rows[i].time_ms, text);
        assert_string_equal(text, rows[i].rfc1123);
    }
}

static void times_are_read_with_fraction_and_offset(void **state) {
    (void)state;
    const struct {
        const char *text;
        int64_t time_ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T03:04:05Z", 1767323045000},
        {"2026-01-02t03:04:05z", 1767323045000},
        {"2026-01-02T03:04:05.1Z", 1767323045100},
        {"2026-01-02T03:04:05.123Z", 1767323045123},
        {"2026-01-02T03:04:05.1239999Z", 1767323045123},
        {"2026-01-02T03:04:05.123999999Z", 1767323045123},
        {"2026-01-02T03:04:05.0587688+00:00", 1767323045058},
        {"2026-01-02T04:34:05+01:30", 1767323045000},
        {"2026-01-01T22:04:05-05:00", 1767323045000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"0000-01-01T00:00:00+23:59", -62167305540000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t time_ms = 1;
        assert_true(rfc3339_parse(bytes_of_text(rows[i].text), &time_ms));
        assert_int_equal(time_ms, rows[i].time_ms);
    }
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    const char *texts[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-1-2T03:04:05Z",
        "26-01-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-32T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1234567890Z",
        "2026-01-02T03:04:05,1Z",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+00:60",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05Z ",
        "-026-01-02T03:04:05Z",
        "2026-01-02T03:04:05\302\26100:00",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t time_ms;
        assert_false(rfc3339_parse(bytes_of_text(texts[i]), &time_ms));
    }
    int64_t time_ms;
    assert_false(rfc3339_parse(BYTES_ABSENT, &time_ms));
    assert_false(rfc3339_parse(BYTES_LITERAL("2026-01-02T03:04:05\0"), &time_ms));
}

static void rfc_1123_dates_are_read_strictly(void **state) {
    (void)state;
    int64_t time_ms = 0;
    assert_true(rfc1123_parse(BYTES_LITERAL("Fri, 02 Jan 2026 03:04:05 GMT"), &time_ms));
    assert_int_equal(time_ms, 1767323045000);
    const char *refused[] = {
        "",
        "Sat, 02 Jan 2026 03:04:05 GMT",
        "Fri, 2 Jan 2026 03:04:05 GMT",
        "Fri, 02 jan 2026 03:04:05 GMT",
        "Fri, 02 Jan 2026 03:04:05 UTC",
        "Fri, 02 Jan 2026 03:04:05 GMT+1",
        "Fri, 02 Jan 26 03:04:05 GMT",
        "Fri 02 Jan 2026 03:04:05 GMT",
        "Fri, 32 Jan 2026 03:04:05 GMT",
        "Fri, 02 Jan 2026 25:04:05 GMT",
        "2026-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(rfc1123_parse(bytes_of_text(refused[i]), &time_ms));
}

/* A prime step of about four days visits every kind of day of every month, leap years of each rule included. */
static void what_is_written_is_read_back(void **state) {
    (void)state;
    for (int64_t time_ms = -62167219200000; time_ms < 253402300800000; time_ms += 345600007) {
        char text[RFC3339_TEXT_BYTES];
        int64_t back = 0;
        rfc3339_format_ms(time_ms, text);
        assert_true(rfc3339_parse(bytes_of_text(text), &back) && back == time_ms);
        rfc3339_format_identity(time_ms, text);
        assert_true(rfc3339_parse(bytes_of_text(text), &back) && back == time_ms);
        rfc1123_format(time_ms, text);
        assert_true(rfc1123_parse(bytes_of_text(text), &back) && time_ms - back >= 0 && time_ms - back < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_each_form), cmocka_unit_test(times_are_read_with_fraction_and_offset),
        cmocka_unit_test(what_is_no_time_is_refused),     cmocka_unit_test(rfc_1123_dates_are_read_strictly),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
