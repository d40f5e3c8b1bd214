#include "node/core/range.h"

#include "proto/check.h"
#include "proto/status.h"

void range_init(struct range *range, uint32_t id, uint64_t self, bool is_alone, const struct range_marks *marks,
                bool is_void, int64_t mono_ms) {
    uint64_t applied = is_void ? 0 : marks->applied;
    replication_init(&range->replication, id, self, is_alone, is_void, applied, mono_ms);
    range->applied = applied;
    range->apply_given = applied;
    range->append_given = window_last_index(&range->replication.window);
    buffer_init(&range->taking.rows);
}

void range_close(struct range *range) {
    for (struct entry *entry = range->first, *next; entry != NULL; entry = next) {
        next = entry->next_in_range;
        entry_free(entry);
    }
    buffer_close(&range->taking.rows);
    replication_close(&range->replication);
}

void range_take(struct range *range, struct entry *entry) {
    check(range->last == NULL || entry->place.index == range->last->place.index + 1);
    entry->next_in_range = NULL;
    entry->previous_in_range = range->last;
    if (range->last == NULL)
        range->first = entry;
    else
        range->last->next_in_range = entry;
    range->last = entry;
    if (entry->command.time_ms > range->last_time_ms)
        range->last_time_ms = entry->command.time_ms;
}

void range_place(struct range *range, struct entry *entry, int64_t now_ms) {
    struct replication *replication = &range->replication;
    struct buffer encoded;
    entry->command.time_ms = now_ms > range->last_time_ms ? now_ms : range->last_time_ms;
    buffer_init(&encoded);
    command_encode(&entry->command, &encoded);
    entry->place = (struct log_place){.range = replication->range,
                                      .epoch = replication->record.epoch,
                                      .index = replication_propose(replication, buffer_bytes(&encoded))};
    entry->encoded = arena_copy(&entry->arena, buffer_bytes(&encoded));
    buffer_close(&encoded);
    /* A follow-up may be forgotten before its entry is applied, when another node leads by then. */
    if (entry->follow_up != NULL && !replication->is_alone)
        check(command_decode(entry->encoded, &entry->arena, &entry->command) == STATUS_OK);
    range_take(range, entry);
}

struct entry *range_pop(struct range *range) {
    struct entry *entry = range->first;
    check(entry != NULL && entry->place.index == range->applied + 1);
    range->applied++;
    range->replication.applied = range->applied;
    range->first = entry->next_in_range;
    if (range->first == NULL)
        range->last = NULL;
    else
        range->first->previous_in_range = NULL;
    return entry;
}

struct entry *range_cut(struct range *range, uint64_t index) {
    struct entry *cut = NULL;
    struct entry **end = &cut;
    check(index > range->apply_given);
    while (range->last != NULL && range->last->place.index >= index) {
        struct entry *entry = range->last;
        range->last = entry->previous_in_range;
        if (range->last == NULL)
            range->first = NULL;
        else
            range->last->next_in_range = NULL;
        entry->next = NULL;
        *end = entry;
        end = &entry->next;
    }
    if (range->append_given >= index)
        range->append_given = index - 1;
    return cut;
}

bool range_is_empty(const struct range *range) {
    if (range->replication.is_void)
        return range->is_wiped;
    return window_last_index(&range->replication.window) == 0 && range->applied == 0;
}

bool range_is_lent(const struct range *range) {
    for (const struct entry *entry = range->first; entry != NULL; entry = entry->next_in_range)
        if (entry->is_lent)
            return true;
    return range->taking.is_lent;
}

struct entry *range_void(struct range *range) {
    struct entry *entries = range->first;
    check(!range_is_lent(range));
    for (struct entry *entry = entries; entry != NULL; entry = entry->next_in_range)
        entry->next = entry->next_in_range;
    range->first = NULL;
    range->last = NULL;
    range->truncate_from = 0;
    range_made_whole(range, 0);
    return entries;
}

void range_made_whole(struct range *range, uint64_t index) {
    range->applied = index;
    range->replication.applied = index;
    range->apply_given = index;
    range->append_given = index;
}

static struct entry *entry_find(const struct range *range, uint64_t index) {
    struct entry *entry = range->first;
    while (entry != NULL && entry->place.index < index)
        entry = entry->next_in_range;
    return entry;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

struct entry *range_next_append(const struct range *range) {
    if (range->last == NULL || range->last->place.index <= range->append_given)
        return NULL;
    return entry_find(range, range->append_given + 1);
}

static uint64_t applicable(const struct range *range) {
    return smaller(range->replication.committed, range->replication.durable);
}

struct entry *range_next_apply(const struct range *range) {
    return applicable(range) > range->apply_given ? entry_find(range, range->apply_given + 1) : NULL;
}

size_t range_work(const struct range *range) {
    if (range->taking.is_wanted)
        return 0; /* nothing else is done for it meanwhile */
    uint64_t last = range->last == NULL ? 0 : range->last->place.index;
    uint64_t appends = last > range->append_given ? last - range->append_given : 0;
    uint64_t applies = applicable(range) > range->apply_given ? applicable(range) - range->apply_given : 0;
    return (size_t)(appends + applies);
}

bool range_commits_alone(const struct range *range) {
    return replication_commits_alone(&range->replication);
}

const char *durability_name(unsigned copies) {
    static const char *const names[RANGE_REPLICAS_MAX] = {"disk",   "disk+1", "disk+2", "disk+3",
                                                          "disk+4", "disk+5", "disk+6"};
    return names[copies < RANGE_REPLICAS_MAX ? copies : RANGE_REPLICAS_MAX - 1];
}
