#pragma once
/* What a person at a terminal sees while the bench works: one line that is written over. Nothing when standard error is
 * not a terminal. */
#include <stddef.h>
#include <stdint.h>

/* "label ████████░░░░ 120/250", drawn at most every 50 ms. Zeroed at first. */
struct progress {
    int64_t drawn_ns;
};
void progress_bar(struct progress *progress, const char *label, size_t done, size_t total);
/* Any text in the same place. */
void progress_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Leaves the last text standing, or takes it away. */
void progress_keep(void);
void progress_clear(void);
