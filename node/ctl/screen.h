#pragma once
/* What is drawn again and again on a terminal, in place: below what was there (rebalance --watch), or over all of it,
 * which is put back at the end (top), also when a signal ends weftctl. Without a terminal each drawing is simply
 * written once. One screen at a time. */
#include <stdio.h>
#include <termios.h>

#include "node/ctl/terminal.h"

enum screen_event { SCREEN_TIME, SCREEN_QUIT };

struct screen {
    struct terminal *terminal; /* kept; its size follows the window's */
    bool is_whole;
    char *drawing;
    size_t drawing_bytes;
    FILE *stream;
    size_t lines_shown;
    bool has_keys;
    struct termios before;
};

void screen_open(struct screen *screen, struct terminal *terminal, bool is_whole);
void screen_close(struct screen *screen);

/* Where the next drawing is to be written, until screen_show puts it in the place of the last one. On a terminal, what
 * is too long or too wide for it is cut. */
FILE *screen_begin(struct screen *screen);
void screen_show(struct screen *screen);

/* Waits so long, or until the key "q"; a window of another size ends it early. */
enum screen_event screen_wait(struct screen *screen, double seconds);
