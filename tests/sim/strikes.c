/* Blows at certain steps of moves: who sends, who receives, who balances or the coordinator is away just then. */
#include "proto/check.h"
#include "tests/sim/world.h"

static const char *const step_names[MOVE_STEPS] = {
    [STEP_WISHED] = "is wished elsewhere",
    [STEP_LEARNING] = "begins to learn",
    [STEP_ROWS] = "gets rows",
    [STEP_IN_SYNC] = "comes in sync",
    [STEP_HANDING] = "is being handed over",
    [STEP_LED] = "is led by another",
    [STEP_GIVEN_UP] = "gives up a copy",
    [STEP_DROPPING] = "drops a copy",
    [STEP_DROPPED] = "has dropped a copy",
};

static const char *const victim_names[VICTIMS] = {
    [VICTIM_SOURCE] = "source",
    [VICTIM_TARGET] = "target",
    [VICTIM_BALANCER] = "balancer",
    [VICTIM_COORDINATOR] = "coordinator",
};

void strikes_arm(struct world *world) {
    world->strike = (struct strike){.is_armed = true,
                                    .step = (enum move_step)chance_below(&world->chance, MOVE_STEPS),
                                    .victim = (enum victim)chance_below(&world->chance, VICTIMS)};
}

static struct machine *victim_find(struct world *world, uint64_t source, uint64_t target) {
    if (world->strike.victim == VICTIM_SOURCE)
        return world_machine(world, source);
    return world->strike.victim == VICTIM_TARGET ? world_machine(world, target) : balancing_elected(world);
}

/* What is happening comes to its end first: a moment later, or when the next batch is on its way to the disk. */
void strikes_at(struct world *world, enum move_step step, uint64_t source, uint64_t target) {
    struct strike *strike = &world->strike;
    struct happening happening = {.kind = HAPPEN_STRIKE, .number = strike->victim};
    if (!strike->is_armed || strike->step != step || world->is_calm)
        return;
    if (strike->victim != VICTIM_COORDINATOR) {
        const struct machine *machine = victim_find(world, source, target);
        if (machine == NULL || !machine->is_up)
            return;
        happening.machine = machine->number;
    }
    strike->is_armed = false;
    world->statistics.strikes[step][strike->victim]++;
    world_say(world, "a range from %llu to %llu %s: the %s is struck", (unsigned long long)source,
              (unsigned long long)target, step_names[step], victim_names[strike->victim]);
    world_plan(world, chance_below(&world->chance, 2) == 0 ? 0 : chance_between(&world->chance, 0, 20000), &happening);
}

void strikes_on_turn(struct world *world, const struct happening *happening) {
    struct machine *machine = &world->machines[happening->machine];
    if (world->is_calm)
        return;
    if (happening->number == VICTIM_COORDINATOR)
        mischief_coordinator_leave(world, 50000, 6 * SECOND_US);
    else if (machine->is_up && chance_below(&world->chance, 3) == 0)
        machine->is_doomed = true;
    else if (machine->is_up)
        machine_crash(world, machine);
    if (chance_below(&world->chance, 4) > 0)
        strikes_arm(world);
}

/* ---- which step it is ---- */

static bool is_named(const struct range_record *record, uint64_t node) {
    return range_record_has_in_sync(record, node) || range_record_has_learner(record, node);
}

void strikes_on_record(struct world *world, const struct range_record *before, const struct range_record *after) {
    for (size_t i = 0; i < after->learners_count; i++)
        if (!is_named(before, after->learners[i]))
            strikes_at(world, STEP_LEARNING, after->primary, after->learners[i]);
    for (size_t i = 0; i < after->in_sync_count; i++)
        if (!range_record_has_in_sync(before, after->in_sync[i]))
            strikes_at(world, STEP_IN_SYNC, after->primary, after->in_sync[i]);
    for (size_t i = 0; i < before->in_sync_count; i++)
        if (!is_named(after, before->in_sync[i]))
            strikes_at(world, STEP_GIVEN_UP, before->in_sync[i], after->primary);
    if (after->epoch != before->epoch && after->is_handed_over)
        strikes_at(world, STEP_LED, before->primary, after->primary);
}

void strikes_on_wish(struct world *world, const struct placement *placement) {
    const struct range_record *record = &world->coordinator.records[placement->range];
    for (size_t i = 0; i < placement->holders_count; i++)
        if (!range_record_has_in_sync(record, placement->holders[i]))
            strikes_at(world, STEP_WISHED, record->primary, placement->holders[i]);
}

void strikes_print(const struct world_statistics *statistics) {
    for (size_t step = 0; step < MOVE_STEPS; step++) {
        printf("%12s when a range %s:", "struck", step_names[step]);
        for (size_t victim = 0; victim < VICTIMS; victim++)
            printf(" %s %llu%s", victim_names[victim], (unsigned long long)statistics->strikes[step][victim],
                   victim + 1 < VICTIMS ? "," : "\n");
    }
}
