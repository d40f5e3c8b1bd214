#include "bench/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/loop.h"

#define BAR_CELLS 30
#define REDRAW_NS 50000000LL

static bool has_terminal(void) {
    return isatty(STDERR_FILENO) == 1;
}

void progress_bar(struct progress *progress, const char *label, size_t done, size_t total) {
    int64_t now_ns = loop_now_ns();
    if (!has_terminal() || now_ns - progress->drawn_ns < REDRAW_NS)
        return;
    progress->drawn_ns = now_ns;
    size_t full = total == 0 ? BAR_CELLS : done * BAR_CELLS / total;
    fprintf(stderr, "\r\033[K%-20s ", label);
    for (size_t i = 0; i < BAR_CELLS; i++)
        fputs(i < full ? "█" : "░", stderr);
    fprintf(stderr, " %zu/%zu", done, total);
}

void progress_line(const char *format, ...) {
    if (!has_terminal())
        return;
    va_list arguments;
    va_start(arguments, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

void progress_keep(void) {
    if (has_terminal())
        fputs("\n", stderr);
}

void progress_clear(void) {
    if (has_terminal())
        fputs("\r\033[K", stderr);
}
