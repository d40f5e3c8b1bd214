/* A time that is read can be written and read again, in every form; any number can be written. */
#include <stdlib.h>

#include "proto/rfc3339.h"

#define YEARS_START_MS (-62167219200000LL)
#define YEARS_END_MS 253402300799999LL

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static int64_t clamp(int64_t time_ms) {
    return time_ms < YEARS_START_MS ? YEARS_START_MS : time_ms > YEARS_END_MS ? YEARS_END_MS : time_ms;
}

static void expect_again(int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    int64_t again;
    rfc3339_format_ms(time_ms, text);
    EXPECT(rfc3339_parse(bytes_of_text(text), &again) && again == clamp(time_ms));
    rfc3339_format_identity(time_ms, text);
    EXPECT(rfc3339_parse(bytes_of_text(text), &again) && again == clamp(time_ms));
    rfc3339_format_seconds(time_ms, text);
    EXPECT(rfc3339_parse(bytes_of_text(text), &again) && again <= clamp(time_ms) && clamp(time_ms) - again < 1000);
    rfc1123_format(time_ms, text);
    EXPECT(rfc1123_parse(bytes_of_text(text), &again) && again <= clamp(time_ms) && clamp(time_ms) - again < 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int64_t time_ms;
    if (rfc3339_parse(bytes_of(data, size), &time_ms))
        expect_again(time_ms);
    if (rfc1123_parse(bytes_of(data, size), &time_ms))
        expect_again(time_ms);
    if (size == sizeof(time_ms)) {
        memcpy(&time_ms, data, size);
        expect_again(time_ms);
    }
    return 0;
}
