#define _GNU_SOURCE
#include "bench/payload.h"

#include "proto/check.h"

#define CHECKSUM_AT 46 /* where the fields before it end */
#define CHECKSUM_DIGITS 8
#define FILLER_AT PAYLOAD_BYTES_MIN

static const char hex_digits[16] = "0123456789abcdef";
static const char filler_text[] = "the-quick-brown-fox-jumps-over-the-lazy-dog-";

static void hex_put(uint8_t *at, uint64_t value, unsigned digits) {
    for (unsigned i = 0; i < digits; i++)
        at[i] = (uint8_t)hex_digits[(value >> (4 * (digits - 1 - i))) & 15];
}

static bool hex_get(const uint8_t *at, unsigned digits, uint64_t *value) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned c = at[i];
        unsigned digit = c - '0' < 10U ? c - '0' : c - 'a' < 6U ? c - 'a' + 10 : 16;
        if (digit > 15)
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

/* Eight bytes a step: every delivery is checked in full, and the generator has to stay cheaper than the server. */
static uint32_t checksum_step(uint64_t sum, const uint8_t *data, size_t size) {
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
        sum ^= sum >> 29;
        data += 8;
        size -= 8;
    }
    for (; size > 0; size--)
        sum = (sum ^ *data++) * 0x100000001b3ULL;
    return (uint32_t)(sum ^ sum >> 32);
}

static uint32_t checksum_of(const uint8_t *start, size_t size) {
    size_t rest_at = CHECKSUM_AT + CHECKSUM_DIGITS;
    uint32_t fields = checksum_step(0x5745465442454e43ULL, start, CHECKSUM_AT);
    return checksum_step(fields, start + rest_at, size - rest_at);
}

void payload_encode(const struct payload *payload, size_t size, struct buffer *out) {
    check(size >= PAYLOAD_BYTES_MIN);
    uint8_t *at = buffer_reserve(out, size);
    memset(at, '.', PAYLOAD_BYTES_MIN);
    memcpy(at, PAYLOAD_MARK, 4);
    hex_put(at + 4, payload->run, 8);
    hex_put(at + 13, payload->thread, 6);
    hex_put(at + 20, payload->number, 8);
    hex_put(at + 29, (uint64_t)payload->intended_ns, 16);
    for (size_t i = FILLER_AT; i < size; i++)
        at[i] = (uint8_t)filler_text[(i + payload->number) % (sizeof filler_text - 1)];
    hex_put(at + CHECKSUM_AT, checksum_of(at, size), CHECKSUM_DIGITS);
    buffer_added(out, size);
}

bool payload_find(struct bytes frame, size_t size, struct payload *payload, bool *was_found) {
    const uint8_t *at = memmem(frame.data, frame.size, PAYLOAD_MARK, 4);
    *was_found = at != NULL;
    if (at == NULL || frame.size - (size_t)(at - frame.data) < size)
        return false;
    uint64_t run, thread, number, intended, checksum;
    if (!hex_get(at + 4, 8, &run) || !hex_get(at + 13, 6, &thread) || !hex_get(at + 20, 8, &number) ||
        !hex_get(at + 29, 16, &intended) || !hex_get(at + CHECKSUM_AT, CHECKSUM_DIGITS, &checksum))
        return false;
    *payload = (struct payload){(uint32_t)run, (uint32_t)thread, (uint32_t)number, (int64_t)intended};
    return checksum == checksum_of(at, size);
}
