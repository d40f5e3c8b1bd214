#pragma once
/* "██████▌    ": how much of something is done. */
#include "node/ctl/terminal.h"

#define BAR_COLUMNS_MAX 40
#define BAR_BYTES_MAX (3 * BAR_COLUMNS_MAX + 1)

/* `fraction` outside of 0..1 counts as the nearer end. `columns`: at most BAR_COLUMNS_MAX. Returns `out`. */
char *bar_draw(const struct terminal *terminal, double fraction, size_t columns, char out[static BAR_BYTES_MAX]);
