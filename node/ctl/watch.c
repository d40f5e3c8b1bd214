#include "node/ctl/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define PATIENCE_S 60.0
#define LOOKS_IN_VAIN_MAX 30 /* an election takes some seconds */

double watch_now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void watch_tell(const struct watch *watch, const char *format, ...) {
    if (watch->ctl->terminal.is_terminal)
        return;
    char raw[COMPLAINT_BYTES_MAX], text[COMPLAINT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    terminal_clean(raw, text, sizeof text);
    puts(text);
    fflush(stdout);
}

static void show_silence(struct watch *watch) {
    if (!watch->ctl->terminal.is_terminal)
        return;
    FILE *out = screen_begin(&watch->screen);
    fprintf(out, "%s, for %.0f s; trying again\n", watch->ctl->admin.complaint, watch_now_s() - watch->silent_since_s);
    screen_show(&watch->screen);
}

/* True: it is over. */
static bool wait_in_silence(struct watch *watch, int *rc) {
    if (*rc != EXIT_UNREACHABLE)
        return true;
    if (watch->silent_since_s == 0)
        watch->silent_since_s = watch_now_s();
    show_silence(watch);
    return watch_now_s() - watch->silent_since_s > PATIENCE_S;
}

static bool watch_once(struct watch *watch, watch_look *look, void *context, int *rc) {
    struct overview overview;
    *rc = overview_get(&watch->ctl->admin, &overview);
    if (*rc != EXIT_DONE)
        return wait_in_silence(watch, rc);
    watch->silent_since_s = 0;
    bool is_over = look(context, watch, &overview, rc);
    overview_close(&overview);
    return is_over || ferror(stdout);
}

int watch_run(struct ctl *ctl, bool is_whole, watch_look *look, void *context) {
    struct watch watch = {.ctl = ctl};
    int rc = EXIT_DONE;
    bool quits = false;
    screen_open(&watch.screen, &ctl->terminal, is_whole);
    while (!quits && !watch_once(&watch, look, context, &rc))
        quits = screen_wait(&watch.screen, ctl->arguments->interval_s) == SCREEN_QUIT;
    screen_close(&watch.screen);
    return quits ? EXIT_DONE : rc;
}

bool watch_is_in_vain(struct watch *watch, const struct overview *overview) {
    bool is_vain = overview->moves_count == 0 && (overview->is_paused || overview->balancer[0] == 0);
    watch->looks_in_vain = is_vain ? watch->looks_in_vain + 1 : 0;
    if (is_vain && overview->is_paused)
        ctl_complain(watch->ctl, EXIT_REFUSED, "balancing is paused until weftctl resume");
    else if (watch->looks_in_vain >= LOOKS_IN_VAIN_MAX)
        ctl_complain(watch->ctl, EXIT_REFUSED,
                     "no node decides what is to move: every node has balance = off, or none reaches the coordinator");
    else
        return false;
    return true;
}
