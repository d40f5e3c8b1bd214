#include "node/core/range.h"

#include "proto/check.h"

void range_init(struct range *range, uint32_t id, const struct range_marks *marks) {
    *range = (struct range){.id = id,
                            .epoch = marks->epoch == 0 ? 1 : marks->epoch,
                            .last_index = marks->applied,
                            .applied = marks->applied};
}

void range_stamp(struct range *range, struct entry *entry, int64_t now_ms) {
    if (now_ms > range->last_time_ms)
        range->last_time_ms = now_ms;
    entry->command.time_ms = range->last_time_ms;
}

void range_place(struct range *range, struct entry *entry) {
    entry->place = (struct log_place){.range = range->id, .epoch = range->epoch, .index = ++range->last_index};
}

bool range_commits_alone(const struct range *range) {
    return range->copies == 0;
}

void range_applied(struct range *range, const struct entry *entry) {
    check(entry->place.index == range->applied + 1);
    range->applied = entry->place.index;
}

void range_take_back(struct range *range, const struct entry *entry) {
    check(entry->place.index > range->applied);
    if (entry->place.index <= range->last_index)
        range->last_index = entry->place.index - 1;
}

const char *durability_name(unsigned copies) {
    static const char *const names[] = {"disk", "disk+1", "disk+2"};
    return names[copies < 2 ? copies : 2];
}
