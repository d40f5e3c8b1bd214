#include "proto/load_record.h"

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

/* Ranges are written in pages, because a list of the codec has a bound. */
#define PAGE_RANGES 512
#define PAGES_MAX (LOAD_RANGES_MAX / PAGE_RANGES)

_Static_assert(PAGE_RANGES <= LIMIT_LIST_ITEMS_MAX && PAGES_MAX <= LIMIT_LIST_ITEMS_MAX, "a page is one list");
_Static_assert(LOAD_LEARNERS_MAX <= LIMIT_LIST_ITEMS_MAX, "learners are one list");

struct page {
    struct load_range *ranges;
    size_t ranges_count;
};

/* The record as it is written. */
struct wire {
    struct load_record record;
    struct page *pages;
    size_t pages_count;
};

static const struct codec_field RANGE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct load_range, range),
    CODEC_MEMBER(2, CODEC_U64, struct load_range, stored_bytes),
    CODEC_MEMBER(3, CODEC_U64, struct load_range, committed),
    CODEC_MEMBER(4, CODEC_U64, struct load_range, told),
};
static const struct codec_table RANGE_TABLE = CODEC_TABLE(struct load_range, RANGE_FIELDS);

static const struct codec_field LEARNER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct load_learner, range),
    CODEC_MEMBER(2, CODEC_U64, struct load_learner, node),
    CODEC_MEMBER(3, CODEC_U64, struct load_learner, chunk),
    CODEC_MEMBER(4, CODEC_U64, struct load_learner, chunks),
    CODEC_MEMBER(5, CODEC_U64, struct load_learner, bytes_done),
    CODEC_MEMBER(6, CODEC_U64, struct load_learner, bytes_total),
};
static const struct codec_table LEARNER_TABLE = CODEC_TABLE(struct load_learner, LEARNER_FIELDS);

static const struct codec_field PAGE_FIELDS[] = {
    CODEC_MEMBER_LIST(1, struct page, ranges, ranges_count, &RANGE_TABLE),
};
static const struct codec_table PAGE_TABLE = CODEC_TABLE(struct page, PAGE_FIELDS);

static const struct codec_field WIRE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct wire, record.node),
    CODEC_MEMBER(2, CODEC_U64, struct wire, record.start),
    CODEC_MEMBER(3, CODEC_I64, struct wire, record.at_ms),
    CODEC_MEMBER(4, CODEC_U64, struct wire, record.stored_bytes),
    CODEC_MEMBER(5, CODEC_U64, struct wire, record.connections),
    CODEC_MEMBER(6, CODEC_U64, struct wire, record.sessions),
    CODEC_MEMBER(7, CODEC_U64, struct wire, record.delivered),
    CODEC_MEMBER(8, CODEC_U64, struct wire, record.slow),
    CODEC_MEMBER(9, CODEC_U32, struct wire, record.commit_us_p50),
    CODEC_MEMBER(10, CODEC_U32, struct wire, record.commit_us_p99),
    CODEC_MEMBER(11, CODEC_U64, struct wire, record.snapshot_bytes_sent),
    CODEC_MEMBER_LIST(12, struct wire, pages, pages_count, &PAGE_TABLE),
    CODEC_MEMBER(14, CODEC_U64, struct wire, record.log_next),
    CODEC_MEMBER_LIST(13, struct wire, record.learners, record.learners_count, &LEARNER_TABLE),
};
static const struct codec_table WIRE_TABLE = CODEC_TABLE(struct wire, WIRE_FIELDS);

void load_record_encode(const struct load_record *record, struct buffer *out) {
    struct page pages[PAGES_MAX];
    struct wire wire = {.record = *record, .pages = pages};
    check(record->ranges_count <= LOAD_RANGES_MAX && record->learners_count <= LOAD_LEARNERS_MAX);
    for (size_t at = 0; at < record->ranges_count; at += PAGE_RANGES) {
        size_t left = record->ranges_count - at;
        pages[wire.pages_count++] = (struct page){record->ranges + at, left < PAGE_RANGES ? left : PAGE_RANGES};
    }
    codec_encode(&WIRE_TABLE, &wire, out);
}

static int pages_take(const struct wire *wire, struct arena *arena, struct load_record *record) {
    size_t count = 0;
    for (size_t i = 0; i < wire->pages_count; i++)
        count += wire->pages[i].ranges_count;
    if (count > LOAD_RANGES_MAX)
        return STATUS_MALFORMED;
    record->ranges = ARENA_NEW_ARRAY(arena, struct load_range, count);
    for (size_t i = 0; i < wire->pages_count; i++)
        for (size_t j = 0; j < wire->pages[i].ranges_count; j++) {
            const struct load_range *range = &wire->pages[i].ranges[j];
            if (record->ranges_count > 0 && range->range <= record->ranges[record->ranges_count - 1].range)
                return STATUS_MALFORMED;
            record->ranges[record->ranges_count++] = *range;
        }
    return STATUS_OK;
}

int load_record_decode(struct bytes encoded, struct arena *arena, struct load_record *record) {
    struct wire wire;
    *record = (struct load_record){0};
    if (codec_decode(&WIRE_TABLE, encoded, arena, &wire) != STATUS_OK || wire.record.node == 0 ||
        wire.record.learners_count > LOAD_LEARNERS_MAX)
        return STATUS_MALFORMED;
    *record = wire.record;
    return pages_take(&wire, arena, record);
}
