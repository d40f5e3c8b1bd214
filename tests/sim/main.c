/* weft-sim [--seeds N] [--seed S] [--first S] [--seconds V] [--verbose]: runs worlds and says what went wrong in them.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/seal.h"
#include "tests/sim/world.h"

#define SECONDS_DEFAULT 40

struct options {
    uint64_t first, count;
    int64_t seconds;
    bool is_verbose;
};

static volatile sig_atomic_t has_seed;
static char seed_line[100];

/* A check() of the core failed, or a sanitizer found something: say which seed it was. */
static void on_abort(int signal_number) {
    if (has_seed)
        (void)!write(STDERR_FILENO, seed_line, strlen(seed_line));
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static bool options_parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end = NULL;
        uint64_t parsed = strtoull(value, &end, 10);
        bool is_number = *value != '\0' && *end == '\0';
        if (strcmp(argv[i], "--verbose") == 0) {
            options->is_verbose = true;
            continue;
        }
        i++;
        if (is_number && strcmp(argv[i - 1], "--seeds") == 0) {
            options->count = parsed;
        } else if (is_number && strcmp(argv[i - 1], "--first") == 0) {
            options->first = parsed;
        } else if (is_number && strcmp(argv[i - 1], "--seconds") == 0) {
            options->seconds = (int64_t)parsed;
        } else if (is_number && strcmp(argv[i - 1], "--seed") == 0) {
            options->first = parsed;
            options->count = 1;
        } else {
            return false;
        }
    }
    return options->seconds > 0 && options->seconds < 1000000;
}

static void statistics_add(struct world_statistics *sum, const struct world_statistics *one) {
    for (size_t i = 0; i < FAULT_KINDS; i++)
        sum->faults[i] += one->faults[i];
    sum->steps += one->steps;
    sum->acknowledged += one->acknowledged;
    sum->refused += one->refused;
    sum->committed += one->committed;
    sum->epochs += one->epochs;
    sum->snapshots += one->snapshots;
    sum->reads += one->reads;
}

static void line_print(uint64_t count, const char *what) {
    printf("%12llu %s\n", (unsigned long long)count, what);
}

static void statistics_print(const struct world_statistics *sum, uint64_t worlds) {
    uint64_t faults = 0;
    line_print(worlds, "worlds");
    line_print(sum->steps, "steps");
    line_print(sum->committed, "entries committed");
    line_print(sum->acknowledged, "requests acknowledged");
    line_print(sum->refused, "requests refused for now");
    line_print(sum->reads, "reads compared");
    line_print(sum->epochs, "epochs begun");
    line_print(sum->snapshots, "snapshots read");
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        line_print(sum->faults[i], fault_name((enum fault_kind)i));
        faults += sum->faults[i];
    }
    line_print(faults, "faults in all");
}

static void run(const struct options *options, uint64_t seed, struct world_statistics *sum) {
    struct world *world = world_new(seed, options->seconds, options->is_verbose);
    world_run(world);
    statistics_add(sum, &world->statistics);
    if (options->is_verbose)
        printf("seed %llu: %llu steps, hash %016llx\n", (unsigned long long)seed,
               (unsigned long long)world->statistics.steps, (unsigned long long)world->hash);
    world_free(world);
}

int main(int argc, char **argv) {
    struct options options = {.first = 1, .count = 20, .seconds = SECONDS_DEFAULT};
    struct world_statistics sum = {0};
    if (!options_parse(argc, argv, &options)) {
        fputs("usage: weft-sim [--seeds N] [--first S] [--seed S] [--seconds V] [--verbose]\n", stderr);
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    chance_install();
    seal_init();
    for (uint64_t i = 0; i < options.count; i++) {
        uint64_t seed = options.first + i;
        snprintf(seed_line, sizeof(seed_line),
                 "seed %llu; replay with: weft-sim --seed %llu --seconds %lld --verbose\n", (unsigned long long)seed,
                 (unsigned long long)seed, (long long)options.seconds);
        has_seed = 1;
        run(&options, seed, &sum);
    }
    statistics_print(&sum, options.count);
    return 0;
}
