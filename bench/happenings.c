#include "bench/happenings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/chance.h"
#include "bench/progress.h"
#include "proto/check.h"
#include "proto/status.h"

#define STEP_NS 50000000LL
#define SECOND_NS 1000000000LL

struct running {
    struct happenings *happenings;
    struct shell_command command;
    size_t index; /* among the happenings of the result */
    struct running *next;
};

static double seconds_of(const struct happenings *happenings, int64_t time_ns) {
    return (double)(time_ns - happenings->start_ns) / 1e9;
}

static void unlink_running(struct running *running) {
    struct running **at = &running->happenings->first;
    while (*at != running)
        at = &(*at)->next;
    *at = running->next;
    running->happenings->running--;
}

static void conclude(struct running *running) {
    struct happening *happening = &running->happenings->moved->happenings[running->index];
    int64_t now_ns = loop_now_ns();
    happening->until_s = seconds_of(running->happenings, now_ns);
    happening->has_ended = true;
    happening->exit_status = running->command.exit_status;
    happening->output = running->command.output; /* taken */
    running->happenings->ended_ns = now_ns;
    unlink_running(running);
    free(running);
}

static void on_end(void *context) {
    struct running *running = context;
    progress_keep();
    fprintf(stderr, "weft-bench: ended with %d: %s\n", running->command.exit_status,
            running->happenings->moved->happenings[running->index].command);
    conclude(running);
}

static struct happening *happening_add(struct happenings *happenings, const char *command) {
    struct moved *moved = happenings->moved;
    if (moved->happenings_count == moved->happenings_capacity) {
        moved->happenings_capacity = moved->happenings_capacity * 2 + 16;
        moved->happenings = realloc(moved->happenings, moved->happenings_capacity * sizeof *moved->happenings);
        check(moved->happenings != NULL);
    }
    struct happening *happening = &moved->happenings[moved->happenings_count++];
    *happening = (struct happening){.command = command, .at_s = seconds_of(happenings, loop_now_ns())};
    happening->until_s = happening->at_s;
    buffer_init(&happening->output);
    return happening;
}

static void begin(struct happenings *happenings, const char *command) {
    struct running *running = calloc(1, sizeof *running);
    check(running != NULL);
    struct happening *happening = happening_add(happenings, command);
    progress_keep();
    fprintf(stderr, "weft-bench: at %.1f s: %s\n", happening->at_s, command);
    running->happenings = happenings;
    running->index = happenings->moved->happenings_count - 1;
    running->next = happenings->first;
    happenings->first = running;
    happenings->running++;
    if (shell_command_start(&running->command, happenings->loop, command, on_end, running) == STATUS_OK)
        return;
    buffer_append_text(&running->command.output, strerror(errno));
    running->command.exit_status = 127;
    conclude(running);
}

/* Rebalance: those of the plan that are due, each in its turn. */

static bool is_due(struct happenings *happenings, const struct planned_command *planned, int64_t now_ns) {
    if (!planned->is_when_balanced)
        return seconds_of(happenings, now_ns) >= planned->at_s;
    return happenings->running == 0 && happenings->is_balanced_since(happenings->context, happenings->ended_ns);
}

static void planned_step(struct happenings *happenings, int64_t now_ns) {
    const struct options *options = happenings->options;
    while (happenings->begun < options->planned_count &&
           is_due(happenings, &options->planned[happenings->begun], now_ns))
        begin(happenings, options->planned[happenings->begun++].command);
}

/* Churn: one at a random moment of each period. */

static int64_t next_moment(struct happenings *happenings) {
    int64_t period_ns = (int64_t)happenings->options->every_s * SECOND_NS;
    int64_t inside_ns = (int64_t)(chance_next(&happenings->chance) % (uint64_t)period_ns);
    return happenings->start_ns + (int64_t)happenings->period++ * period_ns + inside_ns;
}

static void chosen_step(struct happenings *happenings) {
    const struct options *options = happenings->options;
    const char *command = options->planned[chance_next(&happenings->chance) % options->planned_count].command;
    begin(happenings, command);
}

static void on_time(void *context, int64_t now_ns) {
    struct happenings *happenings = context;
    if (now_ns >= happenings->end_ns)
        return;
    if (happenings->options->mode == MODE_REBALANCE) {
        planned_step(happenings, now_ns);
        happenings->timer.at_ns = now_ns + STEP_NS;
    } else if (happenings->running > 0) {
        /* One after the other: what two do at once nobody could tell apart. */
        happenings->timer.at_ns = now_ns + STEP_NS;
    } else {
        chosen_step(happenings);
        happenings->timer.at_ns = next_moment(happenings);
    }
}

void happenings_start(struct happenings *happenings, const struct options *options, struct loop *loop,
                      struct moved *moved, int64_t start_ns, int64_t end_ns,
                      bool (*is_balanced_since)(void *context, int64_t since_ns), void *context) {
    *happenings = (struct happenings){
        .options = options,
        .loop = loop,
        .moved = moved,
        .start_ns = start_ns,
        .end_ns = end_ns,
        .ended_ns = start_ns,
        .chance = chance_seed(options->seed + 1),
        .is_balanced_since = is_balanced_since,
        .context = context,
    };
    loop_timer_add(loop, &happenings->timer, on_time, happenings);
    happenings->timer.at_ns = options->mode == MODE_CHURN ? next_moment(happenings) : start_ns;
}

bool happenings_are_over(const struct happenings *happenings) {
    return happenings->running == 0 &&
           (happenings->options->mode == MODE_CHURN || happenings->begun == happenings->options->planned_count);
}

void happenings_close(struct happenings *happenings) {
    happenings->timer.at_ns = 0;
    while (happenings->first != NULL) {
        shell_command_kill(&happenings->first->command);
        conclude(happenings->first);
    }
}
