#define _GNU_SOURCE
#include "node/ctl/terminal.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static bool environment_has(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != 0;
}

static size_t columns_wished(void) {
    const char *text = getenv("COLUMNS");
    long columns = text != NULL ? strtol(text, NULL, 10) : 0;
    return columns >= 20 && columns <= 10000 ? (size_t)columns : 0;
}

void terminal_look(struct terminal *terminal) {
    const char *name = getenv("TERM");
    struct winsize size = {0};
    *terminal = (struct terminal){.is_terminal = isatty(STDOUT_FILENO) == 1, .width = columns_wished()};
    terminal->has_colour =
        terminal->is_terminal && !environment_has("NO_COLOR") && name != NULL && strcmp(name, "dumb") != 0;
    terminal->has_unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!terminal->is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return;
    terminal->height = size.ws_row;
    if (terminal->width == 0)
        terminal->width = size.ws_col;
}

const char *terminal_tint(const struct terminal *terminal, enum tint tint) {
    static const char *const switches[] = {"\033[0m", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};
    return terminal->has_colour ? switches[tint] : "";
}

/* The next sign of `text`: its bytes and columns. False: not one that can be shown; then it is one byte. */
static bool sign_next(const char *text, size_t *bytes, size_t *columns) {
    mbstate_t state = {0};
    wchar_t sign;
    size_t size = mbrtowc(&sign, text, MB_CUR_MAX, &state);
    bool is_whole = size != (size_t)-1 && size != (size_t)-2 && size > 0;
    int width = is_whole && iswprint((wint_t)sign) ? wcwidth(sign) : -1;
    *bytes = is_whole ? size : 1;
    *columns = width < 0 ? 1 : (size_t)width;
    return width >= 0;
}

size_t terminal_clean(const char *text, char *out, size_t out_bytes) {
    size_t used = 0, columns_all = 0, bytes, columns;
    while (*text != 0) {
        bool is_shown = sign_next(text, &bytes, &columns);
        size_t copied = is_shown ? bytes : 1;
        if (used + copied + 1 > out_bytes)
            break;
        memcpy(out + used, is_shown ? text : "?", copied);
        used += copied;
        columns_all += columns;
        text += bytes;
    }
    out[used] = 0;
    return columns_all;
}

size_t terminal_columns(const char *text) {
    size_t all = 0, bytes, columns;
    for (; *text != 0; text += bytes) {
        sign_next(text, &bytes, &columns);
        all += columns;
    }
    return all;
}

size_t terminal_prefix(const char *text, size_t columns_max) {
    size_t used = 0, all = 0, bytes, columns;
    while (text[used] != 0) {
        sign_next(text + used, &bytes, &columns);
        if (all + columns > columns_max)
            break;
        all += columns;
        used += bytes;
    }
    return used;
}
