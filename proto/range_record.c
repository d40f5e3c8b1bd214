#include "proto/range_record.h"

#include <string.h>

#include "proto/check.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

struct member {
    uint64_t node;
};

/* The record as it is written: lists instead of arrays. */
struct wire {
    uint32_t range;
    uint64_t epoch;
    uint64_t primary;
    struct member *in_sync;
    size_t in_sync_count;
    struct member *learners;
    size_t learners_count;
    bool is_handed_over;
    uint64_t first;
    uint64_t last;
    bool has_parent;
    uint32_t parent;
    uint64_t parent_index;
    uint64_t parent_epoch;
    uint64_t parent_next;
};

static const struct codec_field MEMBER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct member, node),
};
static const struct codec_table MEMBER_TABLE = CODEC_TABLE(struct member, MEMBER_FIELDS);

static const struct codec_field WIRE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct wire, range),
    CODEC_MEMBER(2, CODEC_U64, struct wire, epoch),
    CODEC_MEMBER(3, CODEC_U64, struct wire, primary),
    CODEC_MEMBER_LIST(4, struct wire, in_sync, in_sync_count, &MEMBER_TABLE),
    CODEC_MEMBER_LIST(5, struct wire, learners, learners_count, &MEMBER_TABLE),
    CODEC_MEMBER(6, CODEC_BOOL, struct wire, is_handed_over),
    CODEC_MEMBER(7, CODEC_U64, struct wire, first),
    CODEC_MEMBER(8, CODEC_U64, struct wire, last),
    CODEC_MEMBER(9, CODEC_BOOL, struct wire, has_parent),
    CODEC_MEMBER(10, CODEC_U32, struct wire, parent),
    CODEC_MEMBER(11, CODEC_U64, struct wire, parent_index),
    CODEC_MEMBER(12, CODEC_U64, struct wire, parent_epoch),
    CODEC_MEMBER(13, CODEC_U64, struct wire, parent_next),
};
static const struct codec_table WIRE_TABLE = CODEC_TABLE(struct wire, WIRE_FIELDS);

void range_record_encode(const struct range_record *record, struct buffer *out) {
    struct member in_sync[RANGE_REPLICAS_MAX];
    struct member learners[RANGE_REPLICAS_MAX];
    check(record->in_sync_count <= RANGE_REPLICAS_MAX &&
          record->learners_count <= RANGE_REPLICAS_MAX - record->in_sync_count);
    for (size_t i = 0; i < record->in_sync_count; i++)
        in_sync[i].node = record->in_sync[i];
    for (size_t i = 0; i < record->learners_count; i++)
        learners[i].node = record->learners[i];
    struct wire wire = {.range = record->range,
                        .epoch = record->epoch,
                        .primary = record->primary,
                        .in_sync = in_sync,
                        .in_sync_count = record->in_sync_count,
                        .learners = learners,
                        .learners_count = record->learners_count,
                        .is_handed_over = record->is_handed_over,
                        .first = record->bounds.first,
                        .last = record->bounds.last,
                        .has_parent = record->has_parent,
                        .parent = record->parent,
                        .parent_index = record->parent_index,
                        .parent_epoch = record->parent_epoch,
                        .parent_next = record->parent_next};
    codec_encode(&WIRE_TABLE, &wire, out);
}

static bool is_named(const uint64_t *nodes, size_t count, uint64_t node) {
    for (size_t i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

/* False: a node is named twice, or has no id. */
static bool members_take(const struct member *members, size_t count, const struct range_record *record, uint64_t *nodes,
                         size_t *taken) {
    for (size_t i = 0; i < count; i++) {
        uint64_t node = members[i].node;
        if (node == 0 || range_record_has_in_sync(record, node) || range_record_has_learner(record, node))
            return false;
        nodes[(*taken)++] = node;
    }
    return true;
}

static int wire_take(const struct wire *wire, struct range_record *record) {
    *record = (struct range_record){.range = wire->range,
                                    .bounds = {.first = wire->first, .last = wire->last},
                                    .epoch = wire->epoch,
                                    .primary = wire->primary,
                                    .has_parent = wire->has_parent,
                                    .parent = wire->parent,
                                    .parent_index = wire->parent_index,
                                    .parent_epoch = wire->parent_epoch,
                                    .parent_next = wire->parent_next,
                                    .is_handed_over = wire->is_handed_over};
    if (wire->first > wire->last || (wire->has_parent && wire->parent == wire->range))
        return STATUS_MALFORMED;
    if (wire->in_sync_count > RANGE_REPLICAS_MAX || wire->learners_count > RANGE_REPLICAS_MAX - wire->in_sync_count)
        return STATUS_MALFORMED;
    if (!members_take(wire->in_sync, wire->in_sync_count, record, record->in_sync, &record->in_sync_count) ||
        !members_take(wire->learners, wire->learners_count, record, record->learners, &record->learners_count))
        return STATUS_MALFORMED;
    return record->epoch > 0 && range_record_has_in_sync(record, record->primary) ? STATUS_OK : STATUS_MALFORMED;
}

int range_record_decode(struct bytes encoded, struct range_record *record) {
    struct arena arena;
    struct wire wire;
    arena_init(&arena);
    int rc = codec_decode(&WIRE_TABLE, encoded, &arena, &wire);
    if (rc == STATUS_OK)
        rc = wire_take(&wire, record);
    arena_close(&arena);
    return rc;
}

bool range_record_has_in_sync(const struct range_record *record, uint64_t node) {
    return is_named(record->in_sync, record->in_sync_count, node);
}

bool range_record_has_learner(const struct range_record *record, uint64_t node) {
    return is_named(record->learners, record->learners_count, node);
}

bool range_record_equal(const struct range_record *a, const struct range_record *b) {
    return a->range == b->range && bounds_equal(&a->bounds, &b->bounds) && a->epoch == b->epoch &&
           a->primary == b->primary && a->is_handed_over == b->is_handed_over && a->has_parent == b->has_parent &&
           a->parent == b->parent && a->parent_index == b->parent_index && a->parent_epoch == b->parent_epoch &&
           a->parent_next == b->parent_next && a->in_sync_count == b->in_sync_count &&
           a->learners_count == b->learners_count &&
           memcmp(a->in_sync, b->in_sync, a->in_sync_count * sizeof(a->in_sync[0])) == 0 &&
           memcmp(a->learners, b->learners, a->learners_count * sizeof(a->learners[0])) == 0;
}
