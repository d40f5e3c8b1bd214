/* The coordinator: range records with versions and compare-and-swap, watches that come late or not at all, the list of
 * live nodes. It can be away, cut off from a machine, and keep the outcome of a swap to itself. */
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "tests/sim/world.h"

#define ALIVE_US 5000000
#define LIST_US_MIN 500000
#define LIST_US_MAX 3000000
#define LOST_PER_MILLE 50
#define LATE_US_MAX 4000000

int64_t coordinator_delay(struct world *world) {
    if (!world->is_calm && chance_per_mille(&world->chance, world->coordinator.late_per_mille))
        return chance_between(&world->chance, 1, LATE_US_MAX);
    return chance_between(&world->chance, 300, 20000);
}

bool coordinator_reaches(const struct world *world, const struct machine *machine) {
    return world->coordinator.is_up && !machine->is_cut_off;
}

/* Some ranges have all their replicas from the beginning, some one that has to find others. */
void coordinator_begin(struct world *world) {
    struct coordinator *coordinator = &world->coordinator;
    coordinator->is_up = true;
    coordinator->late_per_mille = chance_below(&world->chance, 3) == 0 ? 400 : 30;
    for (uint32_t i = 0; i < world->range_count; i++) {
        struct range_record *record = &coordinator->records[i];
        size_t count = chance_below(&world->chance, 2) == 0 ? 1 : world->factor;
        *record = (struct range_record){.range = i, .epoch = 1, .in_sync_count = count};
        record->bounds = bounds_of_part(i, world->parts);
        for (size_t n = 0; n < count; n++)
            record->in_sync[n] = world->machines[(i + n) % world->machines_at_first].id;
        record->primary = record->in_sync[0];
        coordinator->versions[i] = ++coordinator->revision;
    }
}

uint32_t coordinator_range_of(const struct world *world, const struct id_hash *subject) {
    uint32_t range = 0;
    while (world->coordinator.records[range].epoch == 0 ||
           !bounds_have(&world->coordinator.records[range].bounds, id_hash_position(subject)))
        range++;
    return range;
}

static void record_tell(struct world *world, const struct machine *machine, uint32_t range, int64_t delay_us) {
    struct told_record *told = calloc(1, sizeof(*told));
    check(told != NULL);
    told->record = world->coordinator.records[range];
    told->version = world->coordinator.versions[range];
    world_plan(
        world, delay_us,
        &(struct happening){.kind = HAPPEN_RECORD, .machine = machine->number, .life = machine->life, .data = told});
}

static void nodes_tell(struct world *world, const struct machine *machine) {
    uint64_t *nodes = calloc(MACHINES_MAX, sizeof(*nodes));
    size_t count = 0;
    check(nodes != NULL);
    for (unsigned i = 0; i < world->machines_count; i++) {
        const struct machine *other = &world->machines[i];
        if (other == machine || (other->alive_us != 0 && world->now_us - other->alive_us < ALIVE_US))
            nodes[count++] = other->id;
    }
    world_plan(
        world, coordinator_delay(world),
        &(struct happening){
            .kind = HAPPEN_NODES, .machine = machine->number, .life = machine->life, .data = nodes, .size = count});
}

/* A machine renews its lease and reads everything anew, as after a watch that broke. */
void coordinator_on_list(struct world *world, struct machine *machine) {
    if (coordinator_reaches(world, machine)) {
        machine->alive_us = world->now_us;
        for (uint32_t i = 0; i < world->range_count; i++)
            if (world->coordinator.records[i].epoch != 0)
                record_tell(world, machine, i, coordinator_delay(world));
        nodes_tell(world, machine);
        wishes_on_list(world, machine);
        world_plan(world, coordinator_delay(world),
                   &(struct happening){.kind = HAPPEN_RANGES,
                                       .machine = machine->number,
                                       .life = machine->life,
                                       .number = world->coordinator.ranges_wished});
    }
    world_plan(world, chance_between(&world->chance, LIST_US_MIN, LIST_US_MAX),
               &(struct happening){.kind = HAPPEN_LIST, .machine = machine->number, .life = machine->life});
}

static bool is_lost(struct world *world) {
    bool lost = !world->is_calm && chance_per_mille(&world->chance, LOST_PER_MILLE);
    world->statistics.faults[FAULT_SWAP_LOST] += lost;
    return lost;
}

/* It is on its way whatever becomes of the machine. */
void coordinator_ask_swap(struct world *world, const struct machine *machine, const struct action *action) {
    struct told_record *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    asked->record = action->record;
    asked->other = action->other;
    asked->version = action->version;
    world_plan(
        world, coordinator_delay(world),
        &(struct happening){.kind = HAPPEN_SWAP, .machine = machine->number, .number = machine->life, .data = asked});
}

static void record_say(const struct world *world, const struct range_record *record, const struct machine *by) {
    char line[256];
    int at = 0;
    for (size_t i = 0; i < record->in_sync_count; i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, " %llu", (unsigned long long)record->in_sync[i]);
    at += snprintf(line + at, sizeof(line) - (size_t)at, ", learners");
    for (size_t i = 0; i < record->learners_count; i++)
        at += snprintf(line + at, sizeof(line) - (size_t)at, " %llu", (unsigned long long)record->learners[i]);
    world_say(world, "record of range %u (%016llx to %016llx) by %llu: epoch %llu primary %llu, in sync%s",
              record->range, (unsigned long long)record->bounds.first, (unsigned long long)record->bounds.last,
              (unsigned long long)by->id, (unsigned long long)record->epoch, (unsigned long long)record->primary, line);
}

/* As it comes out of its encoding. */
static void record_put(struct world *world, const struct machine *machine, const struct range_record *wanted) {
    struct range_record *record = &world->coordinator.records[wanted->range];
    struct range_record before = *record;
    struct buffer encoded;
    world->statistics.epochs += wanted->epoch != record->epoch;
    world->statistics.handed_over += wanted->epoch != record->epoch && wanted->is_handed_over;
    buffer_init(&encoded);
    range_record_encode(wanted, &encoded);
    if (range_record_decode(buffer_bytes(&encoded), record) != STATUS_OK)
        world_fail(world, "node %llu asks for a record that is not one", (unsigned long long)machine->id);
    buffer_close(&encoded);
    if (before.epoch != 0)
        wishes_check_record(world, &before, record);
    world->coordinator.versions[wanted->range] = world->coordinator.revision;
    record_say(world, record, machine);
    strikes_on_record(world, &before, record);
}

static void record_announce(struct world *world, uint32_t range) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up && coordinator_reaches(world, &world->machines[i]) && !is_lost(world))
            record_tell(world, &world->machines[i], range, coordinator_delay(world));
}

static void split_put(struct world *world, const struct machine *machine, const struct range_record *upper) {
    record_put(world, machine, upper);
    if (upper->range >= world->range_count)
        world->range_count = upper->range + 1;
    world->statistics.faults[FAULT_SPLIT]++;
    checker_on_split(world, upper);
}

/* Both records, or neither. */
static int record_swap(struct world *world, const struct machine *machine, const struct told_record *asked) {
    struct coordinator *coordinator = &world->coordinator;
    bool is_split = asked->other.epoch != 0;
    if (asked->version != coordinator->versions[asked->record.range] ||
        (is_split && coordinator->versions[asked->other.range] != 0))
        return STATUS_CONFLICT;
    coordinator->revision++;
    record_put(world, machine, &asked->record);
    if (is_split)
        split_put(world, machine, &asked->other);
    record_announce(world, asked->record.range);
    if (is_split)
        record_announce(world, asked->other.range);
    return STATUS_OK;
}

void coordinator_on_swap(struct world *world, struct happening *happening) {
    struct machine *machine = &world->machines[happening->machine];
    struct told_record *asked = happening->data;
    /* With its last words a lost machine could take out all others. */
    if (!machine->is_there || !coordinator_reaches(world, machine) || is_lost(world))
        return;
    struct told_record *told = calloc(1, sizeof(*told));
    check(told != NULL);
    told->rc = record_swap(world, machine, asked);
    told->record = world->coordinator.records[asked->record.range];
    told->version = world->coordinator.versions[asked->record.range];
    if (told->rc == STATUS_OK && asked->other.epoch != 0)
        told->other = world->coordinator.records[asked->other.range];
    told->is_number_taken = told->rc == STATUS_CONFLICT && asked->other.epoch != 0 && told->version == asked->version;
    if (is_lost(world))
        told->rc = STATUS_SERVICE_UNAVAILABLE;
    world_plan(world, coordinator_delay(world),
               &(struct happening){
                   .kind = HAPPEN_SWAPPED, .machine = machine->number, .life = happening->number, .data = told});
}
