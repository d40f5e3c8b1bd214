#include "proto/placement.h"

#include <string.h>

#include "proto/check.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

struct holder {
    uint64_t node;
};

/* The placement as it is written: a list instead of an array. */
struct wire {
    uint32_t range;
    struct holder *holders;
    size_t holders_count;
    uint64_t primary;
    bool is_manual;
};

static const struct codec_field HOLDER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct holder, node),
};
static const struct codec_table HOLDER_TABLE = CODEC_TABLE(struct holder, HOLDER_FIELDS);

static const struct codec_field WIRE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct wire, range),
    CODEC_MEMBER_LIST(2, struct wire, holders, holders_count, &HOLDER_TABLE),
    CODEC_MEMBER(3, CODEC_U64, struct wire, primary),
    CODEC_MEMBER(4, CODEC_BOOL, struct wire, is_manual),
};
static const struct codec_table WIRE_TABLE = CODEC_TABLE(struct wire, WIRE_FIELDS);

void placement_encode(const struct placement *placement, struct buffer *out) {
    struct holder holders[RANGE_REPLICAS_MAX];
    check(placement->holders_count > 0 && placement->holders_count <= RANGE_REPLICAS_MAX);
    for (size_t i = 0; i < placement->holders_count; i++)
        holders[i].node = placement->holders[i];
    struct wire wire = {.range = placement->range,
                        .holders = holders,
                        .holders_count = placement->holders_count,
                        .primary = placement->primary,
                        .is_manual = placement->is_manual};
    codec_encode(&WIRE_TABLE, &wire, out);
}

static int wire_take(const struct wire *wire, struct placement *placement) {
    *placement = (struct placement){.range = wire->range, .primary = wire->primary, .is_manual = wire->is_manual};
    if (wire->holders_count == 0 || wire->holders_count > RANGE_REPLICAS_MAX)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < wire->holders_count; i++) {
        uint64_t node = wire->holders[i].node;
        if (node == 0 || placement_has(placement, node))
            return STATUS_MALFORMED;
        placement->holders[placement->holders_count++] = node;
    }
    return wire->primary == 0 || placement_has(placement, wire->primary) ? STATUS_OK : STATUS_MALFORMED;
}

int placement_decode(struct bytes encoded, struct placement *placement) {
    struct arena arena;
    struct wire wire;
    arena_init(&arena);
    int rc = codec_decode(&WIRE_TABLE, encoded, &arena, &wire);
    if (rc == STATUS_OK)
        rc = wire_take(&wire, placement);
    arena_close(&arena);
    return rc;
}

bool placement_has(const struct placement *placement, uint64_t node) {
    for (size_t i = 0; i < placement->holders_count; i++)
        if (placement->holders[i] == node)
            return true;
    return false;
}

bool placement_equal(const struct placement *a, const struct placement *b) {
    return a->range == b->range && a->primary == b->primary && a->holders_count == b->holders_count &&
           memcmp(a->holders, b->holders, a->holders_count * sizeof(a->holders[0])) == 0;
}

bool placement_is_reached(const struct placement *placement, const struct range_record *record) {
    if (record->in_sync_count != placement->holders_count || record->learners_count != 0)
        return false;
    for (size_t i = 0; i < record->in_sync_count; i++)
        if (!placement_has(placement, record->in_sync[i]))
            return false;
    return placement->primary == 0 || placement->primary == record->primary;
}
