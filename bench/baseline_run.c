#define _GNU_SOURCE
#include "bench/baseline_run.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/progress.h"
#include "proto/buffer.h"
#include "proto/status.h"

#define PROGRAM "weft-bench-baseline"
#define ROUND_S_MAX 10U

extern char **environ;

/* It is installed and built beside this program. */
static bool program_find(char path[PATH_MAX]) {
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - sizeof PROGRAM - 1);
    if (size <= 0)
        return false;
    path[size] = 0;
    char *slash = strrchr(path, '/');
    strcpy(slash == NULL ? path : slash + 1, PROGRAM);
    return access(path, X_OK) == 0;
}

struct invocation {
    char path[PATH_MAX];
    char threads[16], participants[16], rate[32], payload[16], frame[16], duration[16];
};

static void invocation_make(const struct result *result, struct invocation *invocation) {
    const struct options *options = result->options;
    uint32_t seconds = options->duration_s / BASELINE_ROUNDS;
    seconds = seconds > ROUND_S_MAX ? ROUND_S_MAX : seconds < 1 ? 1 : seconds;
    snprintf(invocation->threads, sizeof invocation->threads, "%u", options->threads);
    snprintf(invocation->participants, sizeof invocation->participants, "%u",
             options->participants * options->connections_per_user);
    snprintf(invocation->rate, sizeof invocation->rate, "%.6f", options->rate);
    snprintf(invocation->payload, sizeof invocation->payload, "%u", options->payload_bytes);
    /* Before the first delivery its size is not known, and 0 lets the program guess it from the payload. */
    snprintf(invocation->frame, sizeof invocation->frame, "%ld", lround(result->frame_bytes));
    snprintf(invocation->duration, sizeof invocation->duration, "%u", seconds);
}

/* Standard output of one run, to its end. The child's exit status tells nothing that its figures do not. */
static bool output_of_run(struct invocation *invocation, const char *mode, struct buffer *output) {
    char *argv[] = {PROGRAM,
                    "--threads",
                    invocation->threads,
                    "--participants",
                    invocation->participants,
                    "--rate",
                    invocation->rate,
                    "--payload",
                    invocation->payload,
                    "--frame",
                    invocation->frame,
                    "--duration",
                    invocation->duration,
                    "--mode",
                    (char *)(uintptr_t)mode,
                    "--json",
                    "-",
                    NULL};
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int rc = posix_spawn(&pid, invocation->path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ssize_t size = 0;
    while (rc == 0 && (size = read(ends[0], buffer_reserve(output, 4096), 4096)) > 0)
        buffer_added(output, (size_t)size);
    close(ends[0]);
    if (rc == 0)
        waitpid(pid, NULL, 0);
    return rc == 0;
}

static bool round_take(struct invocation *invocation, const char *mode, unsigned round,
                       struct baseline_result *baseline) {
    struct buffer output;
    buffer_init(&output);
    progress_line("bare epoll writer, round %u of %d, %s", round + 1, BASELINE_ROUNDS, mode);
    bool has_run = output_of_run(invocation, mode, &output);
    json_t *figures = has_run ? json_loadb((const char *)output.data, output.size, 0, NULL) : NULL;
    if (figures != NULL) {
        baseline->is_there = true;
        baseline->round_us[round] = json_real_value(json_object_get(figures, "serverMicrosecondsPerDelivery"));
        baseline->us_per_delivery += baseline->round_us[round] / BASELINE_ROUNDS;
        baseline->deliveries += (uint64_t)json_integer_value(json_object_get(figures, "deliveries"));
        baseline->expected += (uint64_t)json_integer_value(json_object_get(figures, "expectedDeliveries"));
    }
    json_decref(figures);
    buffer_close(&output);
    progress_clear();
    return has_run && figures != NULL;
}

int baseline_run(struct result *result, unsigned round, char *reason, size_t reason_size) {
    struct invocation invocation;
    if (!program_find(invocation.path)) {
        snprintf(reason, reason_size, "--baseline needs " PROGRAM " beside weft-bench (%s)", invocation.path);
        return STATUS_SERVICE_UNAVAILABLE;
    }
    invocation_make(result, &invocation);
    if (round_take(&invocation, "send", round, &result->baseline_send) &&
        round_take(&invocation, "coalesce", round, &result->baseline_coalesce))
        return STATUS_OK;
    snprintf(reason, reason_size, PROGRAM " gave no figures");
    return STATUS_SERVICE_UNAVAILABLE;
}
