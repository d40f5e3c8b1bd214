#include "node/ctl/advance.h"

#include <stdio.h>
#include <unistd.h>

#include "node/ctl/bar.h"
#include "node/ctl/human.h"
#include "node/ctl/terminal.h"
#include "node/ctl/watch.h"

#define BAR_COLUMNS 24
#define DRAW_EVERY_S 0.2

void advance_begin(struct advance *advance, const char *what, uint64_t already) {
    *advance = (struct advance){.what = what, .begun_s = watch_now_s(), .already = already};
}

static void left_write(const struct advance *advance, uint64_t done, uint64_t total, char *out, size_t out_bytes) {
    char left[HUMAN_BYTES_MAX];
    double passed = watch_now_s() - advance->begun_s, made = (double)(done - advance->already);
    out[0] = 0;
    if (done > advance->already && passed > 2)
        snprintf(out, out_bytes, ", %s left", human_seconds((double)(total - done) * passed / made, left));
}

void advance_show(struct advance *advance, uint64_t done, uint64_t total, const char *more) {
    struct terminal terminal;
    char bar[BAR_BYTES_MAX], left[HUMAN_BYTES_MAX + 16];
    double now = watch_now_s();
    if (isatty(STDERR_FILENO) == 0 || now - advance->drawn_s < DRAW_EVERY_S)
        return;
    terminal_look(&terminal);
    advance->drawn_s = now;
    advance->is_shown = true;
    done = done < total ? done : total;
    done = done > advance->already ? done : advance->already;
    left_write(advance, done, total, left, sizeof left);
    bar_draw(&terminal, total > 0 ? (double)done / (double)total : 0, BAR_COLUMNS, bar);
    fprintf(stderr, "\r\033[K%s %llu of %llu %s%s%s%s", bar, (unsigned long long)done, (unsigned long long)total,
            advance->what, left, more[0] != 0 ? ", " : "", more);
    fflush(stderr);
}

void advance_end(struct advance *advance) {
    if (advance->is_shown)
        fputs("\r\033[K", stderr);
    advance->is_shown = false;
}
