#pragma once
/* What standard output can show: how wide it is, whether colours and other signs than ASCII mean something there. */
#include <stdbool.h>
#include <stddef.h>

struct terminal {
    bool is_terminal;
    bool has_colour;  /* a terminal, TERM is not "dumb", and NO_COLOR is not set */
    bool has_unicode; /* by the locale, which main has set */
    size_t width;     /* columns; 0: no limit. COLUMNS, if set, counts before the terminal's own */
    size_t height;    /* 0: no limit */
};

enum tint { TINT_NONE, TINT_GOOD, TINT_CAUTION, TINT_BAD, TINT_FAINT, TINT_TITLE };

void terminal_look(struct terminal *terminal);

/* What switches to a tint, "" without colours; TINT_NONE switches back. */
const char *terminal_tint(const struct terminal *terminal, enum tint tint);

/* Copies text that came from elsewhere so that it is safe to show: what is not printable in this locale becomes "?".
 * Ends it where `out` is full, at a whole sign. Returns how many columns it takes. */
size_t terminal_clean(const char *text, char *out, size_t out_bytes);

/* Columns that clean text takes. */
size_t terminal_columns(const char *text);
/* Bytes of the longest beginning of clean text that takes at most this many columns. */
size_t terminal_prefix(const char *text, size_t columns);
