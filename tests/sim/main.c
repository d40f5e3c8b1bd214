/* weft-sim [--seeds N] [--seed S] [--first S] [--seconds V] [--processes P] [--past-checks] [--verbose]: runs worlds
 * and says what went wrong in them. Ends with status 1 when a guarantee is broken; what ends it otherwise is no
 * finding. Interrupted, it ends with the world that it plays.
 */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/check.h"
#include "storage/seal.h"
#include "tests/sim/world.h"

#define SECONDS_DEFAULT 40
#define PROCESSES_MAX 64

/* --past-checks is for planted mistakes: some are noticed by the core itself, which ends, and in some other world by
 * what the checker asks, which is what is to be shown. */
struct options {
    uint64_t first, count;
    uint64_t processes;
    int64_t seconds;
    bool is_verbose, goes_past_checks;
};

struct totals {
    struct world_statistics sum;
    uint64_t worlds, worlds_stopped;
};

static volatile sig_atomic_t has_seed, is_enough;
static char seed_line[100];
static bool goes_past_checks;
static sigjmp_buf next_world;

/* A check() of the core failed, or memory was touched that is not ours: say which seed it was. */
static void on_abort(int signal_number) {
    if (has_seed)
        (void)!write(STDERR_FILENO, seed_line, strlen(seed_line));
    if (goes_past_checks && signal_number == SIGABRT)
        siglongjmp(next_world, 1);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* What has been played so far is worth its totals. */
static void on_interrupt(int signal_number) {
    (void)signal_number;
    is_enough = 1;
}

static bool flag_parse(const char *argument, struct options *options) {
    bool *flag = strcmp(argument, "--verbose") == 0       ? &options->is_verbose
                 : strcmp(argument, "--past-checks") == 0 ? &options->goes_past_checks
                                                          : NULL;
    if (flag != NULL)
        *flag = true;
    return flag != NULL;
}

static bool number_parse(const char *name, const char *value, struct options *options) {
    char *end = NULL;
    uint64_t parsed = strtoull(value, &end, 10);
    if (*value == '\0' || *end != '\0')
        return false;
    if (strcmp(name, "--seeds") == 0) {
        options->count = parsed;
    } else if (strcmp(name, "--first") == 0) {
        options->first = parsed;
    } else if (strcmp(name, "--seconds") == 0) {
        options->seconds = (int64_t)parsed;
    } else if (strcmp(name, "--processes") == 0) {
        options->processes = parsed;
    } else if (strcmp(name, "--seed") == 0) {
        options->first = parsed;
        options->count = 1;
    } else {
        return false;
    }
    return true;
}

static bool options_parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i < argc; i++) {
        if (flag_parse(argv[i], options))
            continue;
        if (!number_parse(argv[i], i + 1 < argc ? argv[i + 1] : "", options))
            return false;
        i++;
    }
    return options->seconds > 0 && options->seconds < 1000000 && options->processes > 0 &&
           options->processes <= PROCESSES_MAX;
}

static void statistics_add(struct world_statistics *sum, const struct world_statistics *one) {
    for (size_t i = 0; i < FAULT_KINDS; i++)
        sum->faults[i] += one->faults[i];
    sum->steps += one->steps;
    sum->acknowledged += one->acknowledged;
    sum->refused += one->refused;
    sum->committed += one->committed;
    sum->epochs += one->epochs;
    sum->taken_back += one->taken_back;
    sum->snapshots += one->snapshots;
    sum->drops += one->drops;
    for (size_t i = 0; i < MOVE_STEPS * VICTIMS; i++)
        sum->strikes[i / VICTIMS][i % VICTIMS] += one->strikes[i / VICTIMS][i % VICTIMS];
    sum->balanced += one->balanced;
    sum->refused_wishes += one->refused_wishes;
    sum->drained += one->drained;
    sum->handed_over += one->handed_over;
    sum->reads += one->reads;
    sum->asked += one->asked;
    sum->told += one->told;
    sum->repeats += one->repeats;
    sum->passed_over += one->passed_over;
    sum->delivered += one->delivered;
    sum->swept += one->swept;
    sum->expired += one->expired;
}

static void line_print(uint64_t count, const char *what) {
    printf("%12llu %s\n", (unsigned long long)count, what);
}

static void totals_print(const struct totals *totals) {
    const struct world_statistics *sum = &totals->sum;
    uint64_t faults = 0;
    line_print(totals->worlds, "worlds");
    if (totals->worlds_stopped > 0)
        line_print(totals->worlds_stopped, "worlds ended by a failed check");
    line_print(sum->steps, "steps");
    line_print(sum->committed, "entries committed");
    line_print(sum->acknowledged, "requests acknowledged");
    line_print(sum->refused, "requests refused for now");
    line_print(sum->reads, "reads compared");
    line_print(sum->asked, "questions answered through other nodes");
    line_print(sum->told, "changes told to sessions");
    line_print(sum->passed_over, "of these after others that are told later");
    line_print(sum->repeats, "repeats from the state");
    line_print(sum->delivered, "events delivered");
    line_print(sum->epochs, "epochs begun");
    line_print(sum->taken_back, "ends of logs taken back");
    line_print(sum->snapshots, "snapshots read");
    line_print(sum->drops, "copies dropped");
    line_print(sum->handed_over, "hand-overs");
    line_print(sum->balanced, "placements by the balancer");
    line_print(sum->refused_wishes, "placements that came too late");
    line_print(sum->swept, "proposals of what is due");
    line_print(sum->expired, "threads deleted by their policy");
    line_print(sum->drained, "nodes that left empty");
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        line_print(sum->faults[i], fault_name((enum fault_kind)i));
        faults += sum->faults[i];
    }
    line_print(faults, "faults in all");
    strikes_print(sum);
}

static void world_play(const struct options *options, uint64_t seed, struct world_statistics *sum) {
    struct world *world = world_new(seed, options->seconds, options->is_verbose);
    world_run(world);
    statistics_add(sum, &world->statistics);
    if (options->is_verbose)
        printf("seed %llu: %llu steps, hash %016llx\n", (unsigned long long)seed,
               (unsigned long long)world->statistics.steps, (unsigned long long)world->hash);
    world_free(world);
}

/* Every so many-th of the worlds. One that ends itself leaves its memory behind. */
static void worlds_play(const struct options *options, uint64_t begin, struct totals *totals) {
    for (volatile uint64_t i = begin; i < options->count && !is_enough; i += options->processes) {
        uint64_t seed = options->first + i;
        snprintf(seed_line, sizeof(seed_line),
                 "seed %llu; replay with: weft-sim --seed %llu --seconds %lld --verbose\n", (unsigned long long)seed,
                 (unsigned long long)seed, (long long)options->seconds);
        has_seed = 1;
        if (sigsetjmp(next_world, 1) == 0)
            world_play(options, seed, &totals->sum);
        else
            totals->worlds_stopped++;
        totals->worlds++;
    }
}

/* ---- several processes ---- */

struct helper {
    pid_t pid;
    int totals_from;
};

static void helper_start(const struct options *options, uint64_t begin, struct helper *helper) {
    int ends[2];
    check(pipe(ends) == 0);
    fflush(stdout);
    helper->pid = fork();
    check(helper->pid >= 0);
    if (helper->pid == 0) {
        struct totals totals = {0};
        close(ends[0]);
        worlds_play(options, begin, &totals);
        fflush(stdout);
        _exit(write(ends[1], &totals, sizeof(totals)) == sizeof(totals) ? 0 : 2);
    }
    close(ends[1]);
    helper->totals_from = ends[0];
}

static bool totals_read(const struct helper *helper, struct totals *totals) {
    struct totals part;
    if (read(helper->totals_from, &part, sizeof(part)) != sizeof(part))
        return false;
    statistics_add(&totals->sum, &part.sum);
    totals->worlds += part.worlds;
    totals->worlds_stopped += part.worlds_stopped;
    return true;
}

/* The first that does not end well ends the others; its status is ours. */
static int helpers_wait(struct helper *helpers, uint64_t count, struct totals *totals) {
    int failure = 0;
    for (uint64_t ended = 0; ended < count; ended++) {
        int status = 0;
        uint64_t i = 0;
        pid_t pid = wait(&status);
        while (i < count && helpers[i].pid != pid)
            i++;
        check(i < count);
        helpers[i].pid = 0;
        if (failure == 0 && status != 0)
            failure = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        else if (failure == 0 && !totals_read(&helpers[i], totals))
            failure = 2;
        for (i = 0; failure != 0 && i < count; i++)
            if (helpers[i].pid != 0)
                kill(helpers[i].pid, SIGKILL);
    }
    return failure;
}

static int worlds_share(const struct options *options, struct totals *totals) {
    struct helper helpers[PROCESSES_MAX];
    for (uint64_t i = 0; i < options->processes; i++)
        helper_start(options, i, &helpers[i]);
    return helpers_wait(helpers, options->processes, totals);
}

int main(int argc, char **argv) {
    struct options options = {.first = 1, .count = 20, .processes = 1, .seconds = SECONDS_DEFAULT};
    struct totals totals = {0};
    int failure = 0;
    if (!options_parse(argc, argv, &options)) {
        fputs("usage: weft-sim [--seeds N] [--first S] [--seed S] [--seconds V] [--processes P] [--past-checks] "
              "[--verbose]\n",
              stderr);
        return 2;
    }
    goes_past_checks = options.goes_past_checks;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    /* What has been freed must not look as before. */
    mallopt(M_PERTURB, 0x5a);
    chance_install();
    seal_init();
    if (options.processes == 1)
        worlds_play(&options, 0, &totals);
    else
        failure = worlds_share(&options, &totals);
    if (failure == 0)
        totals_print(&totals);
    return failure;
}
