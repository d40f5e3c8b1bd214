/* What goes wrong, and how it heals. */
#include "proto/check.h"
#include "proto/status.h"
#include "tests/sim/world.h"

#define CALM_DELAY_US 2000
#define CALM_DISK_US 1500

static const char *const fault_names[FAULT_KINDS] = {
    [FAULT_CRASH] = "crashes",
    [FAULT_LEAVE] = "nodes told to leave",
    [FAULT_WISH] = "placements wished",
    [FAULT_WISH_GONE] = "placements taken back",
    [FAULT_LEARNING_ENDED] = "learners and backups not wished any more",
    [FAULT_CRASH_IN_DROP] = "crashes in the middle of a drop",
    [FAULT_JOIN] = "nodes that join",
    [FAULT_DRAIN] = "nodes to be emptied",
    [FAULT_DRAIN_CANCELLED] = "nodes not to be emptied any more",
    [FAULT_BATCH_FORGOTTEN] = "batches forgotten by a crash",
    [FAULT_BATCH_KEPT] = "batches kept by a crash and not told",
    [FAULT_DESTROYED] = "nodes lost with their disks",
    [FAULT_PAUSE] = "nodes stopped for a while",
    [FAULT_PARTITION] = "partitions",
    [FAULT_PACKET_LOST] = "packets lost",
    [FAULT_PACKET_DOUBLED] = "packets doubled",
    [FAULT_PACKET_LATE] = "packets very late",
    [FAULT_COORDINATOR_DOWN] = "absences of the coordinator",
    [FAULT_SWAP_LOST] = "swaps, their answers and watches lost",
    [FAULT_ANSWER_LOST] = "answers lost to clients",
    [FAULT_DISK_SLOW] = "slow disks",
    [FAULT_DISK_REFUSED] = "batches refused by a full or failed disk",
    [FAULT_CLOCK_JUMP] = "jumps of the clock",
    [FAULT_DAYS] = "times that days passed",
    [FAULT_SPLIT] = "ranges split",
    [FAULT_READING_LOST] = "snapshots lost while they were sent",
};

const char *fault_name(enum fault_kind kind) {
    return fault_names[kind];
}

/* More often than not one that leads: most of what can go wrong goes wrong there. */
static struct machine *any_machine(struct world *world) {
    uint32_t range = (uint32_t)chance_below(&world->chance, world->range_count);
    const struct range_record *record = &world->coordinator.records[range];
    if (record->epoch != 0 && chance_below(&world->chance, 2) == 0)
        return world_machine(world, record->primary);
    return &world->machines[chance_below(&world->chance, world->machines_count)];
}

/* `number` 0 is the next fault; anything else ends one. */
enum ending { NEXT_FAULT, END_COORDINATOR, END_DISK };

static void plan(struct world *world, int64_t delay_us, enum ending what, unsigned machine) {
    world_plan(world, delay_us, &(struct happening){.kind = HAPPEN_MISCHIEF, .number = what, .machine = machine});
}

static void network_calm(struct world *world) {
    world->network = (struct network){.delay_us_max = CALM_DELAY_US};
}

void mischief_begin(struct world *world) {
    network_calm(world);
    world->mischief_us_max = chance_between(&world->chance, 1, 4) * chance_between(&world->chance, 1, 6) * 400000;
    /* Mostly after a while in peace, so that there is something to lose. */
    plan(world, chance_between(&world->chance, 0, 5 * SECOND_US), NEXT_FAULT, 0);
}

/* ---- one fault each ---- */

/* Now, or in the middle of a write. */
static void crash(struct world *world) {
    struct machine *machine = any_machine(world);
    machine->is_doomed = machine->is_up && chance_below(&world->chance, 3) > 0;
    if (machine->is_up && !machine->is_doomed)
        machine_crash(world, machine);
}

/* Stopped in order, which must not be quicker than handing over; or it is, as somebody was impatient. */
static void leave(struct world *world) {
    struct machine *machine = any_machine(world);
    if (!machine->is_up || machine->is_leaving)
        return;
    world->statistics.faults[FAULT_LEAVE]++;
    world_say(world, "node %llu is told to leave", (unsigned long long)machine->id);
    struct happening happening = {.kind = HAPPEN_LEAVE, .machine = machine->number, .life = machine->life};
    world_plan(world, 0, &happening);
    happening.kind = HAPPEN_CRASH;
    world_plan(world, chance_between(&world->chance, 5000, 4 * SECOND_US), &happening);
}

/* Power fails everywhere. */
static void crash_all(struct world *world) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up)
            machine_crash(world, &world->machines[i]);
}

static void stop(struct world *world, struct machine *machine, int64_t least_us, int64_t most_us) {
    if (!machine->is_up || machine->paused_until_us > world->now_us)
        return;
    machine->paused_until_us = world->now_us + chance_between(&world->chance, least_us, most_us);
    world->statistics.faults[FAULT_PAUSE]++;
    world_say(world, "node %llu is stopped until %.3f", (unsigned long long)machine->id,
              (double)machine->paused_until_us / 1000);
}

/* A blink, or just long enough to be replaced, or longer. */
static void stop_for_a_while(struct world *world) {
    static const int64_t lengths_us[][2] = {
        {10000, 500000}, {1500000, 4000000}, {1500000, 4000000}, {1000000, 8000000}};
    const int64_t *length_us = lengths_us[chance_below(&world->chance, 4)];
    stop(world, any_machine(world), length_us[0], length_us[1]);
}

static void isolate(struct world *world) {
    struct machine *machine = any_machine(world);
    for (unsigned i = 0; i < world->machines_count; i++) {
        world->network.is_cut[machine->number][i] = i != machine->number;
        world->network.is_cut[i][machine->number] = i != machine->number;
    }
    machine->is_cut_off = chance_below(&world->chance, 2) == 0;
    world_say(world, "node %llu is alone%s", (unsigned long long)machine->id,
              machine->is_cut_off ? ", without the coordinator too" : "");
}

static void cut_one_way(struct world *world) {
    struct machine *from = any_machine(world);
    struct machine *to = any_machine(world);
    world->network.is_cut[from->number][to->number] = from != to;
    world_say(world, "nothing goes from node %llu to %llu", (unsigned long long)from->id, (unsigned long long)to->id);
}

/* Two halves, and perhaps one machine that sees both. */
static void split(struct world *world) {
    uint64_t side = chance_below(&world->chance, (uint64_t)1 << world->machines_count);
    unsigned bridge = (unsigned)chance_below(&world->chance, 2 * world->machines_count);
    for (unsigned i = 0; i < world->machines_count; i++)
        for (unsigned j = 0; j < world->machines_count; j++)
            world->network.is_cut[i][j] = i != bridge && j != bridge && (side >> i & 1) != (side >> j & 1);
    world_say(world, "the network is split%s", bridge < world->machines_count ? ", but for a bridge" : "");
}

static void partition(struct world *world) {
    world->statistics.faults[FAULT_PARTITION]++;
    switch (chance_below(&world->chance, 3)) {
    case 0:
        isolate(world);
        break;
    case 1:
        cut_one_way(world);
        break;
    default:
        split(world);
    }
}

static void reconnect(struct world *world) {
    memset(world->network.is_cut, 0, sizeof(world->network.is_cut));
    for (unsigned i = 0; i < world->machines_count; i++)
        world->machines[i].is_cut_off = false;
    world_say(world, "everybody is connected");
}

static void network_change(struct world *world) {
    struct network *network = &world->network;
    bool is_bad = chance_below(&world->chance, 3) == 0;
    network->loss_per_mille = (unsigned)chance_below(&world->chance, is_bad ? 400 : 30);
    network->double_per_mille = (unsigned)chance_below(&world->chance, 100);
    network->late_per_mille = (unsigned)chance_below(&world->chance, is_bad ? 100 : 10);
    network->delay_us_max = chance_between(&world->chance, 200, is_bad ? 200000 : 5000);
}

void mischief_coordinator_leave(struct world *world, int64_t least_us, int64_t most_us) {
    if (!world->coordinator.is_up)
        return;
    world->coordinator.is_up = false;
    world->statistics.faults[FAULT_COORDINATOR_DOWN]++;
    world_say(world, "the coordinator is away");
    plan(world, chance_between(&world->chance, least_us, most_us), END_COORDINATOR, 0);
}

static void coordinator_change(struct world *world) {
    mischief_coordinator_leave(world, 50000, 8 * SECOND_US);
}

/* Who leads stands still until others want to lead, and goes on before the coordinator decides. */
static void stop_undecided(struct world *world) {
    mischief_coordinator_leave(world, 3 * SECOND_US, 5 * SECOND_US);
    stop(world, any_machine(world), 2 * SECOND_US, 4 * SECOND_US);
}

static void disk_refuse(struct world *world) {
    struct machine *machine = any_machine(world);
    machine->disk_fault = chance_below(&world->chance, 2) == 0 ? STATUS_STORAGE_FULL : STATUS_STORAGE_FAILED;
    machine->has_no_reserve = chance_below(&world->chance, 2) == 0;
    world_say(world, "node %llu: %s", (unsigned long long)machine->id, status_sentence(machine->disk_fault));
    plan(world, chance_between(&world->chance, 5000, 3 * SECOND_US), END_DISK, machine->number);
}

static void disk_slow_down(struct world *world, struct machine *machine) {
    machine->disk_us_max = chance_between(&world->chance, 10000, 3 * SECOND_US);
    world->statistics.faults[FAULT_DISK_SLOW]++;
    plan(world, chance_between(&world->chance, 100000, 8 * SECOND_US), END_DISK, machine->number);
}

static void disk_slow(struct world *world) {
    disk_slow_down(world, any_machine(world));
}

static void disk_slow_everywhere(struct world *world) {
    for (unsigned i = 0; i < world->machines_count; i++)
        disk_slow_down(world, &world->machines[i]);
}

static void end(struct world *world, enum ending what, struct machine *machine) {
    if (what == END_COORDINATOR) {
        world->coordinator.is_up = true;
        world_say(world, "the coordinator is there");
    } else {
        machine->disk_fault = STATUS_OK;
        machine->disk_us_max = CALM_DISK_US;
    }
}

static void clock_jump(struct world *world) {
    any_machine(world)->unix_skew_ms += chance_between(&world->chance, -60000, 60000);
    world->statistics.faults[FAULT_CLOCK_JUMP]++;
}

/* For everybody at once, as for a cluster that was left alone: so that what is kept for days comes to its end. */
static void days_pass(struct world *world) {
    world->days += chance_between(&world->chance, 1, 40);
    world->statistics.faults[FAULT_DAYS]++;
    world_say(world, "it is day %lld", (long long)world->days);
}

/* A range keeps one replica in sync at least; a new machine, under a new id, comes in place of the lost one. */
bool mischief_may_be_lost(const struct world *world, const struct machine *machine) {
    for (uint32_t r = 0; r < world->range_count; r++) {
        const struct range_record *record = &world->coordinator.records[r];
        size_t left = 0;
        if (record->epoch == 0)
            continue;
        for (unsigned i = 0; i < world->machines_count; i++)
            left += world->machines[i].is_there && &world->machines[i] != machine &&
                    range_record_has_in_sync(record, world->machines[i].id);
        if (left == 0)
            return false;
    }
    return true;
}

/* More ranges by splits: twice as many, and perhaps again. Not where somebody balances: what is demanded of the outcome
 * there is about ranges of one size. */
static void more_ranges(struct world *world) {
    uint32_t wished = world->coordinator.ranges_wished == 0 ? world->parts : world->coordinator.ranges_wished;
    if (world->balancing != NULL || wished * 2 > RANGES_MAX || chance_below(&world->chance, 2) == 0)
        return;
    world->coordinator.ranges_wished = wished * 2;
    world_say(world, "there should be %u ranges", wished * 2);
}

static void destroy(struct world *world) {
    struct machine *machine = any_machine(world);
    if (!machine->is_there || world->machines_count == MACHINES_MAX || chance_below(&world->chance, 2) == 0 ||
        !mischief_may_be_lost(world, machine))
        return;
    machine_destroy(world, machine);
    machine_make(world, world->machines_count);
    machine_start(world, &world->machines[world->machines_count - 1]);
}

void mischief_on_turn(struct world *world, const struct happening *happening) {
    static void (*const faults[])(struct world *) = {
        crash,
        crash,
        crash,
        leave,
        leave,
        stop_for_a_while,
        stop_for_a_while,
        stop_undecided,
        partition,
        partition,
        reconnect,
        reconnect,
        reconnect,
        network_change,
        coordinator_change,
        disk_refuse,
        disk_slow,
        disk_slow_everywhere,
        clock_jump,
        days_pass,
        days_pass,
        destroy,
        more_ranges,
        more_ranges,
        crash_all,
        balancing_join,
        balancing_drain,
        balancing_drain,
        strikes_arm,
        strikes_arm,
        strikes_arm,
    };
    if (happening->number != NEXT_FAULT) {
        end(world, (enum ending)happening->number, &world->machines[happening->machine]);
        return;
    }
    if (world->is_calm)
        return;
    faults[chance_below(&world->chance, sizeof(faults) / sizeof(faults[0]))](world);
    plan(world, chance_between(&world->chance, 10000, world->mischief_us_max), NEXT_FAULT, 0);
}

void mischief_heal(struct world *world) {
    world->is_calm = true;
    network_calm(world);
    reconnect(world);
    world->coordinator.is_up = true;
    for (unsigned i = 0; i < world->machines_count; i++) {
        struct machine *machine = &world->machines[i];
        machine->disk_fault = STATUS_OK;
        machine->disk_us_max = CALM_DISK_US;
        machine->is_doomed = false;
        if (machine->is_leaving && machine->is_up)
            machine_crash(world, machine);
        if (machine->is_there && !machine->is_up)
            machine_start(world, machine);
    }
    wishes_settle(world);
    balancing_settle(world);
}
