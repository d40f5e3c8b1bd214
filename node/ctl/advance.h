#pragma once
/* How far a long command has come: a bar on standard error if that is a terminal; otherwise nothing but what is told at
 * the end. Standard output stays for what was found. */
#include <stdbool.h>
#include <stdint.h>

struct advance {
    const char *what; /* "threads": what is counted */
    double begun_s;   /* of watch_now_s */
    double drawn_s;
    uint64_t already; /* done by an earlier run: they say nothing about the speed */
    bool is_shown;
};

void advance_begin(struct advance *advance, const char *what, uint64_t already);
/* `more`: something else to say, "" for nothing. Draws some times a second at most. */
void advance_show(struct advance *advance, uint64_t done, uint64_t total, const char *more);
/* Takes the bar away. */
void advance_end(struct advance *advance);
