/* weft-bench: loads a Weft cluster over its public interfaces and measures what comes back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/baseline_run.h"
#include "bench/fanout.h"
#include "bench/moving.h"
#include "proto/status.h"

#define EXIT_CLEAN 0
#define EXIT_NOT_CLEAN 1
#define EXIT_WRONG_ARGUMENTS 2
#define EXIT_NOT_RUN 3

static int show(const struct result *result) {
    const struct options *options = result->options;
    bool is_json_on_stdout = options->json_file != NULL && strcmp(options->json_file, "-") == 0;
    if (!is_json_on_stdout)
        result_text_print(result);
    if (options->json_file != NULL && result_json_write(result, options->json_file) != STATUS_OK) {
        fprintf(stderr, "weft-bench: cannot write %s: %s\n", options->json_file, strerror(errno));
        return EXIT_NOT_RUN;
    }
    if (options->report_file != NULL && report_write(result, options->report_file) != STATUS_OK) {
        fprintf(stderr, "weft-bench: cannot write %s: %s\n", options->report_file, strerror(errno));
        return EXIT_NOT_RUN;
    }
    if (options->report_file != NULL && !is_json_on_stdout)
        printf("report: %s\n", options->report_file);
    return result_is_clean(result) ? EXIT_CLEAN : EXIT_NOT_CLEAN;
}

static int run(struct options *options) {
    static struct result result;
    char reason[600] = "";
    bool has_baseline = options->has_baseline && options->idle_connections == 0;
    result_init(&result, options);
    int rc = STATUS_OK;
    if (options->beside_file != NULL)
        rc = earlier_read(options->beside_file, options, &result.earlier, reason, sizeof reason);
    if (rc == STATUS_OK && has_baseline)
        rc = baseline_run(&result, 0, reason, sizeof reason);
    if (rc == STATUS_OK && options->idle_connections > 0)
        rc = idle_run(options, &result, reason, sizeof reason);
    else if (rc == STATUS_OK && options->mode == MODE_FANOUT)
        rc = fanout_run(options, &result, reason, sizeof reason);
    else if (rc == STATUS_OK)
        rc = moving_run(options, &result, reason, sizeof reason);
    if (rc == STATUS_OK && has_baseline)
        rc = baseline_run(&result, 1, reason, sizeof reason);
    if (rc != STATUS_OK)
        fprintf(stderr, "weft-bench: %s\n", reason);
    int status = rc == STATUS_OK ? show(&result) : EXIT_NOT_RUN;
    result_close(&result);
    return status;
}

static int usage(void) {
    fprintf(stderr, "usage: weft-bench fanout|rebalance|churn [option...]; weft-bench COMMAND --help says which\n");
    return EXIT_WRONG_ARGUMENTS;
}

/* False: there is no such run. */
static bool mode_take(const char *name, enum mode *mode) {
    for (*mode = MODE_FANOUT; *mode <= MODE_CHURN; (*mode)++)
        if (strcmp(name, mode_name(*mode)) == 0)
            return true;
    return false;
}

int main(int argc, char **argv) {
    static struct options options;
    struct arena arena;
    enum mode mode;
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        for (mode = MODE_FANOUT; mode <= MODE_CHURN; mode++)
            options_help_print(mode);
        return EXIT_CLEAN;
    }
    if (argc < 2 || !mode_take(argv[1], &mode))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    argv[1] = argv[0]; /* for getopt's complaints */
    arena_init(&arena);
    int status = EXIT_WRONG_ARGUMENTS;
    switch (options_parse(&arena, mode, argc - 1, argv + 1, &options)) {
    case OPTIONS_RUN:
        status = run(&options);
        break;
    case OPTIONS_HELP:
        status = EXIT_CLEAN;
        break;
    case OPTIONS_WRONG:
        break;
    }
    arena_close(&arena);
    return status;
}
