/* The balancer of production on the machines that are elected for it, one after the other or for a moment two at a
 * time: each decides by what it has heard, and writes what it wishes by compare-and-swap. Nodes join, and are emptied.
 */
#include <stdlib.h>

#include "node/core/balancer.h"
#include "proto/check.h"
#include "tests/sim/world.h"

#define TURN_US_MIN 300000
#define TURN_US_MAX 1500000
#define LEASE_US 3000000
#define LOST_PER_MILLE 50
#define WAVER_PERCENT 20

/* What a machine has heard in this life. */
struct view {
    struct told_record records[RANGES_MAX];
    struct told_placement wishes[RANGES_MAX];
    bool is_known[MACHINES_MAX], is_live[MACHINES_MAX], is_draining[MACHINES_MAX];
    int64_t heard_ms[MACHINES_MAX]; /* of each node, by its own clock */
    bool is_elected;                /* as it believes */
};

struct load {
    uint64_t bytes;
    double writes_per_s, deliveries_per_s;
};

struct balancing {
    struct view views[MACHINES_MAX];
    unsigned elected; /* as the coordinator has it */
    int64_t elected_until_us;
    bool is_draining[MACHINES_MAX], has_left[MACHINES_MAX];
    char zones[MACHINES_MAX];
    bool has_zones, is_equal; /* every range weighs the same */
    struct load loads[RANGES_MAX];
    int64_t replace_after_ms;
    struct balancer_settings settings;
    char reason[200];
};

/* ---- the world ---- */

static void loads_choose(struct world *world, struct balancing *balancing) {
    balancing->is_equal = chance_below(&world->chance, 2) == 0;
    for (uint32_t i = 0; i < world->range_count; i++) {
        int64_t most = balancing->is_equal ? 1 : 10;
        balancing->loads[i] =
            (struct load){.bytes = (uint64_t)chance_between(&world->chance, 1, most) * 100000000,
                          .writes_per_s = (double)chance_between(&world->chance, 1, most) * 1000,
                          .deliveries_per_s = (double)chance_between(&world->chance, 1, most) * 10000};
    }
}

void balancing_begin(struct world *world) {
    if (chance_below(&world->chance, 2) == 0)
        return;
    struct balancing *balancing = world->balancing = calloc(1, sizeof(*balancing));
    check(balancing != NULL);
    balancing->settings = (struct balancer_settings){.factor = world->factor,
                                                     .min_in_sync = world->min_in_sync,
                                                     .moves_max = (size_t)chance_between(&world->chance, 1, 4),
                                                     .tolerance_percent = BALANCER_TOLERANCE_PERCENT};
    balancing->replace_after_ms = chance_between(&world->chance, 2000, 15000);
    balancing->has_zones = chance_below(&world->chance, 2) == 0;
    for (unsigned i = 0; i < MACHINES_MAX; i++)
        balancing->zones[i] = (char)('a' + chance_below(&world->chance, 4));
    loads_choose(world, balancing);
    strikes_arm(world);
}

void balancing_free(struct world *world) {
    free(world->balancing);
}

struct machine *balancing_elected(struct world *world) {
    const struct balancing *balancing = world->balancing;
    if (balancing == NULL || balancing->elected_until_us <= world->now_us)
        return NULL;
    return &world->machines[balancing->elected];
}

/* ---- what a machine hears ---- */

void balancing_on_start(struct world *world, const struct machine *machine) {
    if (world->balancing == NULL)
        return;
    struct view *view = &world->balancing->views[machine->number];
    *view = (struct view){0};
    for (unsigned i = 0; i < MACHINES_MAX; i++)
        view->heard_ms[i] = machine_mono_ms(world, machine);
    world_plan(world, chance_between(&world->chance, TURN_US_MIN, TURN_US_MAX),
               &(struct happening){.kind = HAPPEN_BALANCE, .machine = machine->number, .life = machine->life});
}

static void on_record(struct view *view, const struct told_record *told) {
    if (told->version > view->records[told->record.range].version)
        view->records[told->record.range] = *told;
}

static void on_placement(struct view *view, const struct told_placement *told) {
    if (told->version > view->wishes[told->placement.range].version)
        view->wishes[told->placement.range] = *told;
}

static void on_nodes(struct world *world, const struct machine *machine, struct view *view,
                     const struct happening *happening) {
    const uint64_t *nodes = happening->data;
    for (unsigned i = 0; i < world->machines_count; i++) {
        view->is_live[i] = false;
        for (size_t n = 0; n < happening->size; n++)
            view->is_live[i] = view->is_live[i] || nodes[n] == world->machines[i].id;
        view->is_known[i] = !world->balancing->has_left[i];
        view->is_draining[i] = world->balancing->is_draining[i];
        if (view->is_live[i])
            view->heard_ms[i] = machine_mono_ms(world, machine);
    }
}

void balancing_on_told(struct world *world, const struct machine *machine, const struct happening *happening) {
    if (world->balancing == NULL)
        return;
    struct view *view = &world->balancing->views[machine->number];
    if (happening->kind == HAPPEN_RECORD || happening->kind == HAPPEN_SWAPPED)
        on_record(view, happening->data);
    else if (happening->kind == HAPPEN_PLACEMENT)
        on_placement(view, happening->data);
    else if (happening->kind == HAPPEN_NODES)
        on_nodes(world, machine, view, happening);
}

/* ---- one decision ---- */

struct question {
    struct balancer_node nodes[MACHINES_MAX];
    struct balancer_range ranges[RANGES_MAX];
    struct balancer_input input;
};

static void node_ask(const struct world *world, struct question *question, unsigned number, bool is_alive,
                     bool is_draining, bool is_gone) {
    const struct balancing *balancing = world->balancing;
    question->nodes[question->input.nodes_count++] =
        (struct balancer_node){.id = world->machines[number].id,
                               .zone = bytes_of(&balancing->zones[number], balancing->has_zones ? 1 : 0),
                               .is_alive = is_alive,
                               .is_draining = is_draining,
                               .is_gone = is_gone};
}

static void range_ask(const struct world *world, struct question *question, const struct range_record *record,
                      const struct placement *wish) {
    const struct load *load = &world->balancing->loads[record->range];
    question->ranges[question->input.ranges_count++] =
        (struct balancer_range){.record = *record,
                                .placement = *wish,
                                .bytes = load->bytes,
                                .writes_per_s = load->writes_per_s,
                                .deliveries_per_s = load->deliveries_per_s};
}

static void question_begin(const struct world *world, struct question *question) {
    *question = (struct question){.input = {.settings = world->balancing->settings}};
    question->input.nodes = question->nodes;
    question->input.ranges = question->ranges;
}

/* As it is seen from a machine. */
static void view_ask(const struct world *world, const struct machine *machine, const struct view *view,
                     struct question *question) {
    int64_t mono_ms = machine_mono_ms(world, machine);
    question_begin(world, question);
    for (unsigned i = 0; i < world->machines_count; i++) {
        bool is_gone = !view->is_live[i] && mono_ms - view->heard_ms[i] > world->balancing->replace_after_ms;
        if (view->is_known[i])
            node_ask(world, question, i, view->is_live[i], view->is_draining[i], is_gone);
    }
    for (uint32_t i = 0; i < world->range_count; i++)
        if (view->records[i].version > 0)
            range_ask(world, question, &view->records[i].record, &view->wishes[i].placement);
}

static double wavering(struct world *world, double value) {
    return value * (double)chance_between(&world->chance, 100 - WAVER_PERCENT, 100 + WAVER_PERCENT) / 100;
}

static void loads_waver(struct world *world, struct question *question) {
    for (size_t i = 0; i < question->input.ranges_count; i++) {
        struct balancer_range *range = &question->ranges[i];
        range->bytes = (uint64_t)wavering(world, (double)range->bytes);
        range->writes_per_s = wavering(world, range->writes_per_s);
        range->deliveries_per_s = wavering(world, range->deliveries_per_s);
    }
}

static void ask_for_wish(struct world *world, const struct machine *machine, const struct view *view,
                         const struct placement *placement) {
    struct told_placement *asked = calloc(1, sizeof(*asked));
    check(asked != NULL);
    asked->placement = *placement;
    asked->version = view->wishes[placement->range].version;
    world_plan(world, coordinator_delay(world),
               &(struct happening){.kind = HAPPEN_WISH_SWAP, .machine = machine->number, .data = asked});
}

static void balance(struct world *world, const struct machine *machine, const struct view *view) {
    struct question question;
    struct balancer_decision decision;
    struct arena arena;
    arena_init(&arena);
    view_ask(world, machine, view, &question);
    loads_waver(world, &question);
    balancer_next(&question.input, &arena, &decision);
    for (size_t i = 0; i < decision.placements_count; i++)
        ask_for_wish(world, machine, view, &decision.placements[i]);
    arena_close(&arena);
}

void balancing_on_swap(struct world *world, const struct happening *happening) {
    const struct machine *machine = &world->machines[happening->machine];
    const struct told_placement *asked = happening->data;
    if (!coordinator_reaches(world, machine) || (!world->is_calm && chance_per_mille(&world->chance, LOST_PER_MILLE)))
        return;
    if (wishes_swap(world, &asked->placement, asked->version))
        world->statistics.balanced++;
    else
        world->statistics.refused_wishes++;
}

/* ---- one turn of a machine ---- */

static bool has_nothing(const struct world *world, const struct machine *machine, const struct view *view) {
    for (uint32_t i = 0; i < world->range_count; i++) {
        const struct range_record *record = &view->records[i].record;
        if (view->records[i].version == 0 || range_record_has_in_sync(record, machine->id) ||
            range_record_has_learner(record, machine->id) || !node_core_range_status(machine->core, i).is_empty)
            return false;
    }
    return true;
}

static size_t there_count(const struct world *world) {
    size_t count = 0;
    for (unsigned i = 0; i < world->machines_count; i++)
        count += world->machines[i].is_there;
    return count;
}

/* With fewer than min_in_sync clients would be refused for ever, as they should be. */
static void leave_when_empty(struct world *world, struct machine *machine, const struct view *view) {
    struct balancing *balancing = world->balancing;
    if (!view->is_draining[machine->number] || !balancing->is_draining[machine->number] ||
        there_count(world) <= world->min_in_sync || !coordinator_reaches(world, machine) ||
        !has_nothing(world, machine, view))
        return;
    if (!mischief_may_be_lost(world, machine))
        world_fail(world, "node %llu leaves, and is the only one that has a range", (unsigned long long)machine->id);
    balancing->has_left[machine->number] = true;
    balancing->is_draining[machine->number] = false;
    world->statistics.drained++;
    machine_leave(world, machine);
}

/* Who was elected believes so for a while after it has ended, now and then. */
static void stand_for_election(struct world *world, const struct machine *machine, struct view *view) {
    struct balancing *balancing = world->balancing;
    bool is_free = balancing->elected_until_us <= world->now_us || balancing->elected == machine->number;
    if (coordinator_reaches(world, machine) && is_free) {
        balancing->elected = machine->number;
        balancing->elected_until_us = world->now_us + LEASE_US;
        view->is_elected = true;
    } else if (world->is_calm || chance_below(&world->chance, 4) > 0) {
        view->is_elected = false;
    }
}

void balancing_on_turn(struct world *world, struct machine *machine) {
    struct view *view = &world->balancing->views[machine->number];
    stand_for_election(world, machine, view);
    if (view->is_elected)
        balance(world, machine, view);
    world_plan(world, chance_between(&world->chance, TURN_US_MIN, TURN_US_MAX),
               &(struct happening){.kind = HAPPEN_BALANCE, .machine = machine->number, .life = machine->life});
    leave_when_empty(world, machine, view);
}

/* ---- nodes come and go ---- */

void balancing_join(struct world *world) {
    if (world->balancing == NULL || world->machines_count == MACHINES_MAX)
        return;
    world->statistics.faults[FAULT_JOIN]++;
    machine_make(world, world->machines_count);
    world_say(world, "node %llu joins", (unsigned long long)world->machines[world->machines_count - 1].id);
    machine_start(world, &world->machines[world->machines_count - 1]);
}

static void drain(struct world *world, const struct machine *machine, bool is_draining) {
    world->balancing->is_draining[machine->number] = is_draining;
    world->statistics.faults[is_draining ? FAULT_DRAIN : FAULT_DRAIN_CANCELLED]++;
    world_say(world, "node %llu is %s to be emptied", (unsigned long long)machine->id,
              is_draining ? "now" : "not any more");
}

void balancing_drain(struct world *world) {
    struct balancing *balancing = world->balancing;
    const struct machine *machine = &world->machines[chance_below(&world->chance, world->machines_count)];
    if (balancing != NULL && machine->is_there)
        drain(world, machine, !balancing->is_draining[machine->number] || chance_below(&world->chance, 4) > 0);
}

static size_t staying_count(const struct world *world) {
    size_t count = 0;
    for (unsigned i = 0; i < world->machines_count; i++)
        count += world->machines[i].is_there && !world->balancing->is_draining[i];
    return count;
}

void balancing_settle(struct world *world) {
    for (unsigned i = 0; world->balancing != NULL && i < world->machines_count; i++)
        if (world->machines[i].is_there && world->balancing->is_draining[i] && staying_count(world) < world->factor)
            drain(world, &world->machines[i], false);
}

/* ---- the end ---- */

static bool is_unsettled(struct world *world, const char **reason, const char *what) {
    snprintf(world->balancing->reason, sizeof(world->balancing->reason), "%s", what);
    *reason = world->balancing->reason;
    return false;
}

/* By the balancer itself, asked of everything as it is. */
static bool is_balanced(const struct world *world) {
    struct question question;
    struct balancer_decision decision;
    struct arena arena;
    arena_init(&arena);
    question_begin(world, &question);
    for (unsigned i = 0; i < world->machines_count; i++)
        if (!world->balancing->has_left[i])
            node_ask(world, &question, i, world->machines[i].is_up, world->balancing->is_draining[i],
                     !world->machines[i].is_there);
    for (uint32_t i = 0; i < world->range_count; i++)
        range_ask(world, &question, &world->coordinator.records[i], wishes_last(world, i));
    balancer_next(&question.input, &arena, &decision);
    arena_close(&arena);
    return decision.is_balanced && decision.blocked_count == 0;
}

/* Without zones and with equal ranges it is known without asking it. */
static bool copies_are_spread(const struct world *world) {
    size_t least = SIZE_MAX, most = 0;
    for (unsigned i = 0; i < world->machines_count; i++) {
        size_t count = 0;
        for (uint32_t r = 0; r < world->range_count; r++)
            count += range_record_has_in_sync(&world->coordinator.records[r], world->machines[i].id);
        if (!world->machines[i].is_there)
            continue;
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    return most - least <= 1;
}

static size_t zones_of(const struct world *world, const bool *is_in) {
    unsigned zones = 0;
    size_t count = 0;
    for (unsigned i = 0; i < world->machines_count; i++) {
        unsigned bit = 1u << (world->balancing->zones[i] - 'a');
        count += is_in[i] && (zones & bit) == 0;
        zones |= is_in[i] ? bit : 0;
    }
    return count;
}

/* Its copies are in as many zones as there are, or as there are copies. */
static bool zones_are_spread(const struct world *world, uint32_t range, size_t wanted) {
    bool is_there[MACHINES_MAX] = {false}, has_it[MACHINES_MAX] = {false};
    for (unsigned i = 0; i < world->machines_count; i++) {
        is_there[i] = world->machines[i].is_there;
        has_it[i] = range_record_has_in_sync(&world->coordinator.records[range], world->machines[i].id);
    }
    size_t zones = zones_of(world, is_there);
    return zones_of(world, has_it) == (zones < wanted ? zones : wanted);
}

bool balancing_is_settled(struct world *world, const char **reason) {
    const struct balancing *balancing = world->balancing;
    if (balancing == NULL)
        return true;
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_there && balancing->is_draining[i])
            return is_unsettled(world, reason, "a node that is to be emptied is still there");
    size_t wanted = staying_count(world) < world->factor ? staying_count(world) : world->factor;
    for (uint32_t i = 0; i < world->range_count; i++) {
        if (world->coordinator.records[i].in_sync_count != wanted)
            return is_unsettled(world, reason, "a range has another number of copies than it should");
        if (balancing->has_zones && !zones_are_spread(world, i, wanted))
            return is_unsettled(world, reason, "a range has two copies in a zone");
    }
    if (!is_balanced(world))
        return is_unsettled(world, reason, "the balancer has something left to do");
    if (balancing->is_equal && !balancing->has_zones && !copies_are_spread(world))
        return is_unsettled(world, reason, "nodes have more copies than others");
    return true;
}
