/* Ranges that become two: which one is split when, and what a node that has the old one makes of it. Rows and log
 * entries are not copied: the rows of the upper part are the new range's from then on.
 *
 *   the records say [a, b]      the records say [a, m-1] and [m, b]         all in sync have
 *   disk has [a, b]         ──▶ disk has [a, b]                         ──▶ disk has [a, m-1] and [m, b]
 *                               until the entry before the split is applied
 *
 * Nobody is born twice, or with rows missing: what the disk has of the old range is written down, and shrinks with the
 * birth. Who has lost the upper part, or never had it, has nothing of the new range, and learns it as a snapshot. */
#include "node/core/node_core_parts.h"
#include "proto/status.h"

#define SPLITS_MAX 4 /* at a time, so that few writes are held */

/* ---- births ---- */

bool splits_are_settled(const struct range *range) {
    bool is_here = bounds_are_said(&range->disk);
    return !range->birth.is_wanted && (!is_here || bounds_equal(&range->disk, &range->replication.record.bounds));
}

static struct batch_birth *birth_want(struct node_core *core, struct range *parent, struct range *child,
                                      const struct range_record *record) {
    parent->disk.last = record->bounds.first - 1;
    parent->birth.is_wanted = true;
    parent->birth.what = (struct batch_birth){.parent = parent->replication.range,
                                              .parent_bounds = parent->disk,
                                              .child = child->replication.range,
                                              .child_bounds = record->bounds};
    core_touch(core, parent);
    core_touch(core, child);
    return &parent->birth.what;
}

static void bear(struct node_core *core, const struct step *step, struct range *parent, struct range *child,
                 const struct range_record *record) {
    struct replication_step replication_step = core_replication_step(core, step);
    struct batch_birth *birth = birth_want(core, parent, child, record);
    birth->has_child = true;
    birth->child_marks = (struct range_marks){.epoch = record->parent_epoch, .applied = record->parent_index};
    child->disk = record->bounds;
    child->is_wiped = false;
    child->replication.is_birth_pending = true;
    child->last_time_ms = parent->last_time_ms;
    range_made_whole(child, record->parent_index);
    replication_born(&child->replication, &replication_step, record->parent_index, record->parent_epoch);
}

/* It lies here, but not as it would have to, or nobody wants it here. Rows without marks would be there for ever, so
 * they are marked as what they are. */
static struct batch_birth *let_go(struct node_core *core, struct range *parent, struct range *child,
                                  const struct range_record *record) {
    bool has_rows = parent->replication.is_void || parent->applied > 0;
    bool is_new = !bounds_are_said(&child->disk);
    struct batch_birth *birth = birth_want(core, parent, child, record);
    birth->has_child = is_new && has_rows;
    birth->child_marks = (struct range_marks){.is_incomplete = true};
    if (birth->has_child) {
        child->disk = record->bounds;
        child->is_wiped = false;
    }
    if (is_new)
        replication_not_born(&child->replication);
    return birth;
}

/* What comes here of the parent's log from now on could speak of what is the child's. */
static void let_both_go(struct node_core *core, const struct step *step, struct range *parent, struct range *child,
                        const struct range_record *record) {
    if (range_is_lent(parent))
        return;
    let_go(core, parent, child, record)->is_parent_void = true;
    replication_make_void(&parent->replication);
    core_entries_refuse(core, step, range_void(parent), STATUS_NOT_PRIMARY);
    parent->is_wiped = false;
}

/* Whoever was in sync when the range was split has all that it was split behind. One that was split off a range which
 * itself was never born here has the same log, as the other has no entry of its own: those would lie on its birth. */
static bool may_be_born(const struct range *parent, const struct range *child, const struct range_record *record,
                        const struct range_record *split) {
    uint64_t self = child->replication.self;
    bool is_named = range_record_has_in_sync(record, self) || range_record_has_learner(record, self);
    return is_named && !parent->replication.is_void && !bounds_are_said(&child->disk) &&
           record->parent_index == split->parent_index && record->bounds.last == parent->disk.last;
}

/* The entry that the parent was split behind is here and applied; what it has behind it from before is nobody's, and
 * could soon not be opened any more. */
static bool has_come_so_far(struct node_core *core, const struct step *step, struct range *parent,
                            const struct range_record *split) {
    struct replication *replication = &parent->replication;
    uint64_t from = replication_end_at(replication, split->parent_index, split->parent_next);
    if (from != 0) {
        core_entries_refuse(core, step, range_cut(parent, from), STATUS_NOT_PRIMARY);
        if (parent->truncate_from == 0 || from < parent->truncate_from)
            parent->truncate_from = from;
    }
    return parent->applied >= split->parent_index;
}

static void divide(struct node_core *core, const struct step *step, struct range *parent, struct range *child,
                   const struct range_record *record, const struct range_record *split) {
    struct replication *replication = &parent->replication;
    bool is_empty = !replication->is_void && window_last_index(&replication->window) == 0;
    if (replication->is_void)
        let_go(core, parent, child, record);
    else if (replication_prove(replication, split->parent_index, split->parent_epoch)) {
        if (!has_come_so_far(core, step, parent, split))
            return;
        if (may_be_born(parent, child, record, split))
            bear(core, step, parent, child, record);
        else
            let_go(core, parent, child, record);
    } else if (is_empty)
        let_go(core, parent, child, record);
    else
        let_both_go(core, step, parent, child, record);
}

/* How the positions left the parent: with the child's own split, or that of the range that the child was split off.
 * NULL: that is not known yet. */
static const struct range_record *split_of(const struct node_core *core, const struct range *parent,
                                           const struct range_record *record) {
    while (record->has_parent && record->parent != parent->replication.range) {
        if (record->parent >= core->options.range_count)
            return NULL;
        record = &core->ranges[record->parent].replication.record;
    }
    return record->has_parent ? record : NULL;
}

static struct range *owner_at(struct node_core *core, uint64_t position) {
    uint32_t range = cluster_map_range_at(&core->map, position);
    return range == CLUSTER_MAP_NOBODY ? NULL : &core->ranges[range];
}

/* Whether what is here of the ranges that it came of may still become what is here of it; as long as they are not
 * known, too. */
static bool may_lie_here(const struct node_core *core, const struct range_record *record) {
    uint64_t first = record->bounds.first;
    while (record->has_parent) {
        if (record->parent >= core->options.range_count)
            return true;
        const struct range *parent = &core->ranges[record->parent];
        if (bounds_are_said(&parent->disk))
            return bounds_have(&parent->disk, first);
        record = &parent->replication.record;
        if (record->epoch == 0)
            return true;
    }
    return false;
}

void splits_settle(struct node_core *core, const struct step *step, struct range *parent) {
    struct replication *replication = &parent->replication;
    replication->is_unborn = replication->is_unborn && may_lie_here(core, &replication->record);
    if (replication->record.epoch == 0 || parent->birth.is_wanted || !bounds_are_said(&parent->disk) ||
        parent->disk.last <= replication->record.bounds.last)
        return;
    struct range *child = owner_at(core, parent->disk.last);
    if (child == NULL || child == parent)
        return; /* its record is on its way */
    const struct range_record record = child->replication.record;
    const struct range_record *split = split_of(core, parent, &record);
    if (split != NULL)
        divide(core, step, parent, child, &record, split);
}

/* The one that has asked for the split has the new range at once, so it can lead it without a pause. */
void splits_on_child(struct node_core *core, const struct step *step, struct range *child,
                     const struct range_record *record) {
    struct range *parent = NULL;
    if (record->has_parent && record->parent < core->options.range_count)
        parent = &core->ranges[record->parent];
    child->replication.is_unborn = !bounds_are_said(&child->disk) && may_lie_here(core, record);
    if (child->replication.is_unborn && parent != NULL && bounds_are_said(&parent->disk) && !parent->birth.is_wanted &&
        may_be_born(parent, child, record, record))
        divide(core, step, parent, child, record, record);
}

void splits_births_add(struct range *range, struct batch *batch) {
    if (!range->birth.is_wanted)
        return;
    range->birth.is_lent = true;
    batch->births[batch->births_count++] = range->birth.what;
}

void splits_births_take_back(struct node_core *core, const struct step *step, const struct batch *batch) {
    for (size_t i = 0; i < batch->births_count; i++) {
        struct range *parent = &core->ranges[batch->births[i].parent];
        parent->birth.is_lent = false;
        parent->birth.is_wanted = batch->rc != STATUS_OK;
        if (batch->rc == STATUS_OK)
            core->ranges[batch->births[i].child].replication.is_birth_pending = false;
        core_touch(core, parent);
        splits_settle(core, step, parent);
    }
}

/* ---- which is split when ---- */

/* How many ranges of this width the ring would have: as the cluster was created, doubled for each time that the range
 * was halved. */
static uint64_t parts_of(const struct node_core *core, const struct bounds *bounds) {
    unsigned __int128 width = (unsigned __int128)(bounds->last - bounds->first) + 1;
    unsigned __int128 ring = (unsigned __int128)1 << 64;
    uint64_t parts = core->parts;
    while (width * parts * 4 < ring * 3)
        parts *= 2;
    return parts;
}

/* The upper half has a number that no other half can have, so that nodes which split ranges at the same time are not in
 * each other's way: as in linear hashing. */
static bool half_begin(struct node_core *core, const struct step *step, struct range *range) {
    const struct bounds *bounds = &range->replication.record.bounds;
    uint64_t parts = parts_of(core, bounds);
    uint64_t upper = range->replication.range + parts;
    if (parts * 2 > core->ranges_wished || upper >= core->options.ranges_max || !splits_are_settled(range) ||
        (upper < core->options.range_count && core->ranges[upper].replication.record.epoch != 0))
        return false;
    uint64_t first = bounds->first + (bounds->last - bounds->first) / 2 + 1;
    return replication_split(&range->replication, first, (uint32_t)upper, step->mono_ms);
}

void splits_begin(struct node_core *core, const struct step *step) {
    size_t under_way = 0;
    for (uint32_t i = 0; i < core->options.range_count; i++)
        under_way += core->ranges[i].replication.is_splitting || core->ranges[i].birth.is_wanted;
    for (uint32_t i = 0; i < core->options.range_count && under_way < SPLITS_MAX; i++) {
        struct range *range = &core->ranges[i];
        if (range->replication.role != REPLICATION_PRIMARY || !half_begin(core, step, range))
            continue;
        core_touch(core, range);
        under_way++;
    }
}
