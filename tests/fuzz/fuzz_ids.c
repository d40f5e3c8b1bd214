/* Identifiers from outside: what a reader accepts has the form it promises, and borrows from what it was given only. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/ids.h"

#define RESOURCE "r"

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void expect_part_of(struct bytes part, struct bytes whole) {
    if (bytes_is_present(part))
        EXPECT(part.size > 0 && part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void expect_identifier(struct bytes raw_id) {
    struct identifier identifier = identifier_parse(raw_id);
    bool is_teams = identifier.kind == IDENTIFIER_TEAMS_USER || identifier.kind == IDENTIFIER_TEAMS_APP ||
                    identifier.kind == IDENTIFIER_TEAMS_EXTENSION_USER;
    EXPECT(bytes_equal(identifier.raw_id, raw_id));
    EXPECT((identifier.cloud != NULL) == is_teams);
    EXPECT(bytes_is_present(identifier.value) == (identifier.kind != IDENTIFIER_UNKNOWN));
    EXPECT(bytes_is_present(identifier.tenant_id) == (identifier.kind == IDENTIFIER_TEAMS_EXTENSION_USER));
    if (identifier.kind != IDENTIFIER_PHONE_NUMBER)
        expect_part_of(identifier.value, raw_id);
    expect_part_of(identifier.tenant_id, raw_id);
    expect_part_of(identifier.resource_id, raw_id);
    if (user_id_is_of_resource(raw_id, BYTES_LITERAL(RESOURCE)))
        EXPECT(identifier.kind == IDENTIFIER_COMMUNICATION_USER && bytes_equal(identifier.value, raw_id));
}

static void expect_decimal(struct bytes text) {
    uint64_t value;
    char again[32];
    if (!decimal_parse(text, &value))
        return;
    int size = snprintf(again, sizeof(again), "%0*llu", (int)text.size, (unsigned long long)value);
    EXPECT(bytes_equal(bytes_of(again, (size_t)size), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes text = bytes_of(data, size);
    expect_identifier(text);
    expect_decimal(text);
    if (thread_id_is_valid(text))
        EXPECT(memchr(data, '\0', size) == NULL && identifier_parse(text).kind == IDENTIFIER_UNKNOWN);
    if (uuid_is_valid(text))
        EXPECT(size == 36);
    return 0;
}
