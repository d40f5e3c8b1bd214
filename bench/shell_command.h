#pragma once
/* A command of the shell that runs beside the load: its output is gathered, and its end is an event of the loop. */
#include <sys/types.h>

#include "bench/loop.h"
#include "proto/buffer.h"

struct shell_command {
    struct loop *loop;
    pid_t pid;
    int pid_fd; /* -1: has ended, or was never started */
    int output_fd;
    struct buffer output; /* the first SHELL_OUTPUT_BYTES_MAX of what it wrote to either stream */
    int exit_status;      /* 128 and the signal when one ended it, as the shell says it */
    void (*on_end)(void *context);
    void *context;
};

#define SHELL_OUTPUT_BYTES_MAX 16384

/* `command` must stay where it is until on_end. STATUS_SERVICE_UNAVAILABLE: it cannot be started; errno says why. What
 * the shell leaves behind in the background is not waited for. */
int shell_command_start(struct shell_command *command, struct loop *loop, const char *text,
                        void (*on_end)(void *context), void *context);
/* SIGKILL for its process group, then waits for its end. No event. */
void shell_command_kill(struct shell_command *command);
