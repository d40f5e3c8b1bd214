#define _GNU_SOURCE
#include "node/ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/check.h"

#define WHOLE_ON "\033[?1049h\033[?25l"
#define WHOLE_OFF "\033[?25h\033[?1049l"
#define LINE_REST_CLEAR "\033[K"
#define BELOW_CLEAR "\033[J"

/* The one that is open: a signal must put the terminal back. */
static struct screen *open_screen;

static void terminal_restore(const struct screen *screen) {
    ssize_t written = screen->is_whole ? write(STDOUT_FILENO, WHOLE_OFF, sizeof WHOLE_OFF - 1) : 0;
    (void)written;
    if (screen->has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static void on_end(int number) {
    if (open_screen != NULL)
        terminal_restore(open_screen);
    signal(number, SIG_DFL);
    raise(number);
}

/* Interrupts a wait, and nothing else. */
static void on_resize(int number) {
    (void)number;
}

static void catch_signals(void) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_end};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        sigaction(ends[i], &action, NULL);
    action.sa_handler = on_resize;
    sigaction(SIGWINCH, &action, NULL);
}

static void take_keys(struct screen *screen) {
    screen->has_keys =
        screen->terminal->is_terminal && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (!screen->has_keys)
        return;
    struct termios raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void screen_open(struct screen *screen, struct terminal *terminal, bool is_whole) {
    *screen = (struct screen){.terminal = terminal, .is_whole = is_whole && terminal->is_terminal};
    take_keys(screen);
    open_screen = screen;
    catch_signals();
    fputs(screen->is_whole ? WHOLE_ON : "", stdout);
    fflush(stdout);
}

void screen_close(struct screen *screen) {
    fputs(!screen->is_whole && screen->lines_shown > 0 ? "\n" : "", stdout);
    fflush(stdout);
    open_screen = NULL;
    terminal_restore(screen);
}

FILE *screen_begin(struct screen *screen) {
    terminal_look(screen->terminal);
    screen->stream = open_memstream(&screen->drawing, &screen->drawing_bytes);
    check(screen->stream != NULL);
    return screen->stream;
}

/* Bytes of the longest beginning of a line that is not wider than the window; what switches colours has no width. */
static size_t line_prefix(const char *line, size_t width) {
    size_t at = 0, columns = 0;
    while (line[at] != 0) {
        if (line[at] == '\033') {
            at += strcspn(line + at, "m");
            at += line[at] != 0;
            continue;
        }
        size_t bytes = terminal_prefix(line + at, 1);
        bytes = bytes > 0 ? bytes : 1;
        if (width > 0 && columns == width)
            break;
        at += bytes;
        columns++;
    }
    return at;
}

static void line_show(const struct screen *screen, char *line) {
    size_t shown = line_prefix(line, screen->terminal->width);
    fwrite(line, 1, shown, stdout);
    fputs(terminal_tint(screen->terminal, TINT_NONE), stdout);
    fputs(LINE_REST_CLEAR, stdout);
}

/* The cursor stays in the last line that is shown, so that a full window does not scroll. */
static void show_in_place(struct screen *screen) {
    size_t height = screen->terminal->height, lines = 0;
    if (screen->is_whole)
        fputs("\033[H", stdout);
    else if (screen->lines_shown > 1)
        printf("\r\033[%zuA", screen->lines_shown - 1);
    else
        fputc('\r', stdout);
    for (char *line = screen->drawing, *next; *line != 0 && (height == 0 || lines < height); line = next, lines++) {
        next = strchrnul(line, '\n');
        next += *next == 0 ? 0 : (*next = 0, 1);
        fputs(lines > 0 ? "\r\n" : "", stdout);
        line_show(screen, line);
    }
    fputs(BELOW_CLEAR, stdout);
    screen->lines_shown = lines;
}

void screen_show(struct screen *screen) {
    check(fclose(screen->stream) == 0);
    if (screen->terminal->is_terminal)
        show_in_place(screen);
    else
        fputs(screen->drawing, stdout);
    fflush(stdout);
    free(screen->drawing);
    screen->drawing = NULL;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Whether one of the keys pressed was q. */
static bool quits_by_key(void) {
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
    for (ssize_t i = 0; i < count; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            return true;
    return false;
}

enum screen_event screen_wait(struct screen *screen, double seconds) {
    double end = now_s() + seconds, left;
    struct pollfd keys = {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    while ((left = end - now_s()) > 0) {
        int ready = poll(&keys, 1, (int)(left * 1000) + 1);
        if (ready < 0 && errno == EINTR)
            return SCREEN_TIME;
        if (ready > 0 && quits_by_key())
            return SCREEN_QUIT;
        if (ready > 0 && (keys.revents & (POLLHUP | POLLERR)))
            return SCREEN_QUIT;
    }
    return SCREEN_TIME;
}
