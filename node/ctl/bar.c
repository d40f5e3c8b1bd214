#include "node/ctl/bar.h"

#include <string.h>

#include "proto/check.h"

#define EIGHTHS 8U

char *bar_draw(const struct terminal *terminal, double fraction, size_t columns, char out[static BAR_BYTES_MAX]) {
    static const char *const parts[EIGHTHS + 1] = {"░", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    check(columns <= BAR_COLUMNS_MAX);
    fraction = fraction > 0 ? fraction < 1 ? fraction : 1 : 0;
    size_t eighths = (size_t)(fraction * (double)(columns * EIGHTHS));
    out[0] = 0;
    char *end = out;
    for (size_t i = 0; i < columns; i++) {
        size_t before = i * EIGHTHS;
        size_t filled = eighths <= before ? 0 : eighths - before < EIGHTHS ? eighths - before : EIGHTHS;
        end = stpcpy(end, terminal->has_unicode ? parts[filled] : filled == EIGHTHS ? "#" : "-");
    }
    return out;
}
