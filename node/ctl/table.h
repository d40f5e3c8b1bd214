#pragma once
/* Rows and columns of text, aligned, and made to fit: columns that say nothing are left out, then those that matter
 * least, then the widest text is cut. */
#include <stdio.h>

#include "node/ctl/terminal.h"

#define CELL_BYTES_MAX 256
#define TABLE_COLUMNS_MAX 24

struct column {
    const char *title;
    bool is_number;    /* to the right */
    unsigned is_spare; /* 0: always shown. Otherwise left out for want of width, the largest first */
};

struct cell {
    char text[CELL_BYTES_MAX]; /* clean */
    enum tint tint;
};

struct table {
    const struct column *columns; /* kept */
    size_t columns_count;
    struct cell *cells; /* row by row */
    size_t cells_count;
    size_t cells_room;
};

void table_init(struct table *table, const struct column *columns, size_t columns_count);
void table_close(struct table *table);

/* The next cell, from left to right; after the last column comes the first of the next row. */
__attribute__((format(printf, 3, 4))) void table_add(struct table *table, enum tint tint, const char *format, ...);

/* `terminal` gives width and colours. Nothing at all if there are no rows. */
void table_print(const struct table *table, const struct terminal *terminal, FILE *out);
