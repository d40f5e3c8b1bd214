#define _GNU_SOURCE
#include "bench/shell_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/status.h"

#define READ_BYTES 4096

extern char **environ;

/* What is there now. False: nothing more will come. */
static bool output_read(struct shell_command *command) {
    char data[READ_BYTES];
    for (;;) {
        ssize_t size = read(command->output_fd, data, sizeof data);
        if (size <= 0)
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        size_t room = SHELL_OUTPUT_BYTES_MAX - command->output.size;
        buffer_append(&command->output, data, (size_t)size < room ? (size_t)size : room);
    }
}

static void output_close(struct shell_command *command) {
    if (command->output_fd < 0)
        return;
    loop_forget(command->loop, command->output_fd);
    close(command->output_fd);
    command->output_fd = -1;
}

static void on_output(void *context, uint32_t events) {
    struct shell_command *command = context;
    (void)events;
    if (!output_read(command))
        output_close(command);
}

static void end(struct shell_command *command) {
    int status = 0;
    loop_forget(command->loop, command->pid_fd);
    close(command->pid_fd);
    command->pid_fd = -1;
    waitpid(command->pid, &status, 0);
    command->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (command->output_fd >= 0)
        output_read(command);
    output_close(command);
}

static void on_ended(void *context, uint32_t events) {
    struct shell_command *command = context;
    (void)events;
    end(command);
    command->on_end(command->context);
}

/* In a group of its own, so that all of it can be ended; a signal that the load ignores is not ignored there. */
static int spawn(struct shell_command *command, const char *text, int output) {
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)text, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&command->pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int shell_command_start(struct shell_command *command, struct loop *loop, const char *text,
                        void (*on_end)(void *context), void *context) {
    int ends[2];
    *command =
        (struct shell_command){.loop = loop, .pid_fd = -1, .output_fd = -1, .on_end = on_end, .context = context};
    buffer_init(&command->output);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return STATUS_SERVICE_UNAVAILABLE;
    int rc = spawn(command, text, ends[1]);
    close(ends[1]);
    if (rc == 0 && (command->pid_fd = pidfd_open(command->pid, 0)) < 0)
        rc = errno;
    if (rc != 0) {
        close(ends[0]);
        errno = rc;
        return STATUS_SERVICE_UNAVAILABLE;
    }
    /* Only this end: the other is the command's, which may want to block. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    command->output_fd = ends[0];
    loop_watch(loop, command->output_fd, EPOLLIN, on_output, command);
    loop_watch(loop, command->pid_fd, EPOLLIN, on_ended, command);
    return STATUS_OK;
}

void shell_command_kill(struct shell_command *command) {
    if (command->pid_fd < 0)
        return;
    kill(-command->pid, SIGKILL);
    end(command);
}
