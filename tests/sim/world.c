#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/limits.h"

#define HEALING_SECONDS_MAX 180
/* Hundreds are usual. More and more of them means that what is sent is answered by more than itself. */
#define HAPPENINGS_MAX 50000

/* ---- telling ---- */

void world_say(const struct world *world, const char *format, ...) {
    va_list arguments;
    if (!world->is_verbose)
        return;
    printf("%10.3f  ", (double)world->now_us / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void world_fail(const struct world *world, const char *format, ...) {
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "seed %llu at %.3f s: ", (unsigned long long)world->seed, (double)world->now_us / SECOND_US);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    checker_print(world);
    fprintf(stderr, "replay with: weft-sim --seed %llu --seconds %lld --verbose\n", (unsigned long long)world->seed,
            (long long)world->seconds);
    _Exit(1);
}

/* ---- the queue of what will happen: a heap, equal times in the order they were planned ---- */

static bool is_earlier(const struct happening *a, const struct happening *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->serial < b->serial;
}

static void exchange(struct happening *a, struct happening *b) {
    struct happening kept = *a;
    *a = *b;
    *b = kept;
}

static void queue_add(struct world *world, const struct happening *happening) {
    if (world->queue_count == HAPPENINGS_MAX)
        world_fail(world, "%d things are under way: a storm", HAPPENINGS_MAX);
    if (world->queue_count == world->queue_capacity) {
        world->queue_capacity = world->queue_capacity == 0 ? 256 : world->queue_capacity * 2;
        world->queue = realloc(world->queue, world->queue_capacity * sizeof(*world->queue));
        check(world->queue != NULL);
    }
    size_t at = world->queue_count++;
    world->queue[at] = *happening;
    for (; at > 0 && is_earlier(&world->queue[at], &world->queue[(at - 1) / 2]); at = (at - 1) / 2)
        exchange(&world->queue[at], &world->queue[(at - 1) / 2]);
}

static struct happening queue_pop(struct world *world) {
    struct happening first = world->queue[0];
    world->queue[0] = world->queue[--world->queue_count];
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->queue_count && is_earlier(&world->queue[child + 1], &world->queue[child]))
            child++;
        if (child >= world->queue_count || !is_earlier(&world->queue[child], &world->queue[at]))
            return first;
        exchange(&world->queue[at], &world->queue[child]);
        at = child;
    }
}

void world_plan(struct world *world, int64_t delay_us, const struct happening *happening) {
    struct happening planned = *happening;
    planned.due_us = world->now_us + delay_us;
    planned.serial = ++world->serial;
    queue_add(world, &planned);
}

void world_mix(struct world *world, uint64_t value) {
    world->hash = (world->hash ^ value) * 0x100000001b3u;
    world->hash ^= world->hash >> 29;
}

uint64_t hash_of_bytes(struct bytes bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    size_t at = 0;
    for (; bytes.size - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes.data + at, sizeof(word));
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    for (; at < bytes.size; at++)
        hash = (hash ^ bytes.data[at]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* ---- the world ---- */

struct machine *world_machine(struct world *world, uint64_t id) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].id == id)
            return &world->machines[i];
    return NULL;
}

static void sizes_choose(struct world *world) {
    struct chance *chance = &world->chance;
    world->machines_at_first = (unsigned)chance_between(chance, 3, 5);
    world->parts = (uint32_t)chance_between(chance, 1, PARTS_MAX);
    world->range_count = world->parts;
    world->factor = 3;
    world->min_in_sync = (size_t)chance_between(chance, 1, 2);
    world->log_bytes_kept = (size_t)chance_between(chance, 10, 200) * 1000;
    world->tail_bytes_max = (size_t)chance_between(chance, 0, 20) * 1000;
    world->chunk_bytes = (size_t)chance_between(chance, 1, 32) * 1024;
    world->snapshot_bytes_per_s = chance_below(chance, 2) == 0 ? 0 : (uint64_t)chance_between(chance, 50, 1000) * 1000;
    /* So little that it is soon full, or as much as nodes have. */
    world->link_bytes_max =
        chance_below(chance, 2) == 0 ? (size_t)chance_between(chance, 200, 8000) : LIMIT_LINK_UNSEEN_BYTES_MAX;
}

struct world *world_new(uint64_t seed, int64_t seconds, bool is_verbose) {
    struct world *world = calloc(1, sizeof(*world));
    check(world != NULL);
    world->seed = seed;
    world->seconds = seconds;
    world->is_verbose = is_verbose;
    chance_init(&world->chance, seed);
    chance_of_sodium(seed);
    memset(world->master.bytes, 7, sizeof(world->master.bytes));
    memset(world->hash_key, 9, sizeof(world->hash_key));
    sizes_choose(world);
    checker_begin(world);
    clients_begin(world);
    sessions_begin(world);
    inquiries_begin(world);
    consumers_begin(world);
    for (unsigned i = 0; i < world->machines_at_first; i++)
        machine_make(world, i);
    coordinator_begin(world);
    balancing_begin(world);
    wishes_begin(world);
    for (unsigned i = 0; i < world->machines_at_first; i++)
        machine_start(world, &world->machines[i]);
    mischief_begin(world);
    return world;
}

void world_free(struct world *world) {
    for (unsigned i = 0; i < world->machines_count; i++)
        machine_free(&world->machines[i]);
    for (size_t i = 0; i < world->queue_count; i++)
        free(world->queue[i].data);
    clients_free(world);
    sessions_free(world);
    inquiries_free(world);
    consumers_free(world);
    checker_free(world);
    wishes_free(world);
    balancing_free(world);
    free(world->queue);
    free(world);
}

static void happen(struct world *world, struct happening *happening) {
    switch (happening->kind) {
    case HAPPEN_CLIENT:
        clients_on_turn(world, (unsigned)happening->number);
        break;
    case HAPPEN_ANSWER:
        clients_on_answer(world, happening);
        break;
    case HAPPEN_SESSION:
        sessions_on_turn(world, (unsigned)happening->number);
        break;
    case HAPPEN_LOOK:
        sessions_on_look(world, happening);
        break;
    case HAPPEN_SWAP:
        coordinator_on_swap(world, happening);
        break;
    case HAPPEN_WISH:
        wishes_on_turn(world);
        break;
    case HAPPEN_WISH_SWAP:
        balancing_on_swap(world, happening);
        break;
    case HAPPEN_STRIKE:
        strikes_on_turn(world, happening);
        break;
    case HAPPEN_MISCHIEF:
        mischief_on_turn(world, happening);
        break;
    case HAPPEN_RESTART:
        if (!world->machines[happening->machine].is_up && world->machines[happening->machine].is_there)
            machine_start(world, &world->machines[happening->machine]);
        break;
    default:
        machine_happen(world, happening);
    }
}

static void turn(struct world *world) {
    struct happening happening = queue_pop(world);
    check(happening.due_us >= world->now_us);
    world->now_us = happening.due_us;
    world_mix(world, (uint64_t)happening.due_us << 8 | happening.kind);
    world_mix(world, happening.machine);
    world->statistics.steps++;
    happen(world, &happening);
    free(happening.data);
}

static void run_until(struct world *world, int64_t end_us) {
    while (world->queue[0].due_us < end_us)
        turn(world);
    world->now_us = end_us;
}

/* Also not a moment ago: who goes on has much to catch up with. */
static bool somebody_stands_still(const struct world *world) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up && world->machines[i].paused_until_us + SECOND_US > world->now_us)
            return true;
    return false;
}

/* Everything heals, and then everything has to come to an end: requests, takings in, follow-ups. */
static void demand_progress(struct world *world) {
    const char *reason = "";
    mischief_heal(world);
    for (int second = 0; second < HEALING_SECONDS_MAX; second++) {
        run_until(world, world->now_us + SECOND_US);
        if (!somebody_stands_still(world) && clients_are_done(world) && checker_is_settled(world, &reason) &&
            balancing_is_settled(world, &reason) && sessions_are_told(world, &reason) &&
            sweeps_are_done(world, &reason))
            return;
    }
    world_fail(world, "%d s after everything has healed: %s", HEALING_SECONDS_MAX,
               clients_are_done(world) ? reason : "a client's request has not succeeded");
}

void world_run(struct world *world) {
    run_until(world, world->seconds * SECOND_US);
    world_say(world, "everything heals");
    demand_progress(world);
    world_say(world, "settled");
    checker_check_end(world);
    clients_check_end(world);
    inquiries_check_end(world);
    consumers_check_end(world);
}
