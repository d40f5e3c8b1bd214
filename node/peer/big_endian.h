#pragma once
/* Numbers as they stand in what goes between nodes: most significant byte first, at any address. */
#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void store_u16(uint8_t *to, uint16_t value) {
    value = htobe16(value);
    memcpy(to, &value, sizeof(value));
}

static inline void store_u32(uint8_t *to, uint32_t value) {
    value = htobe32(value);
    memcpy(to, &value, sizeof(value));
}

static inline void store_u64(uint8_t *to, uint64_t value) {
    value = htobe64(value);
    memcpy(to, &value, sizeof(value));
}

static inline uint16_t load_u16(const uint8_t *from) {
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return be16toh(value);
}

static inline uint32_t load_u32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return be32toh(value);
}

static inline uint64_t load_u64(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return be64toh(value);
}
