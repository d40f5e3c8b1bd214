#include "node/ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define GAP 2U           /* columns between columns */
#define NARROWEST_TEXT 6 /* a text is cut to no less */

struct layout {
    size_t widths[TABLE_COLUMNS_MAX]; /* 0: left out */
};

void table_init(struct table *table, const struct column *columns, size_t columns_count) {
    check(columns_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.columns = columns, .columns_count = columns_count};
}

void table_close(struct table *table) {
    free(table->cells);
    *table = (struct table){0};
}

static struct cell *cell_new(struct table *table) {
    if (table->cells_count == table->cells_room) {
        table->cells_room = table->cells_room == 0 ? 8 * table->columns_count : 2 * table->cells_room;
        table->cells = realloc(table->cells, table->cells_room * sizeof *table->cells);
        check(table->cells != NULL);
    }
    return &table->cells[table->cells_count++];
}

void table_add(struct table *table, enum tint tint, const char *format, ...) {
    struct cell *cell = cell_new(table);
    char raw[CELL_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    terminal_clean(raw, cell->text, sizeof cell->text);
    cell->tint = tint;
}

static size_t width_natural(const struct table *table, size_t column) {
    size_t width = 0;
    for (size_t i = column; i < table->cells_count; i += table->columns_count) {
        size_t columns = terminal_columns(table->cells[i].text);
        width = columns > width ? columns : width;
    }
    size_t title = strlen(table->columns[column].title);
    return width == 0 ? 0 : width > title ? width : title;
}

static size_t width_all(const struct table *table, const struct layout *layout) {
    size_t all = 0;
    for (size_t i = 0; i < table->columns_count; i++)
        if (layout->widths[i] > 0)
            all += layout->widths[i] + (all > 0 ? GAP : 0);
    return all;
}

/* False: nothing more can be left out. */
static bool leave_out_sparest(const struct table *table, struct layout *layout) {
    size_t sparest = table->columns_count;
    unsigned most = 0;
    for (size_t i = 0; i < table->columns_count; i++) {
        if (layout->widths[i] > 0 && table->columns[i].is_spare > most) {
            most = table->columns[i].is_spare;
            sparest = i;
        }
    }
    if (sparest == table->columns_count)
        return false;
    layout->widths[sparest] = 0;
    return true;
}

static bool cut_widest(const struct table *table, struct layout *layout) {
    size_t *widest = NULL;
    for (size_t i = 0; i < table->columns_count; i++)
        if (!table->columns[i].is_number && (widest == NULL || layout->widths[i] > *widest))
            widest = &layout->widths[i];
    if (widest == NULL || *widest <= NARROWEST_TEXT)
        return false;
    (*widest)--;
    return true;
}

static void lay_out(const struct table *table, size_t width, struct layout *layout) {
    for (size_t i = 0; i < table->columns_count; i++)
        layout->widths[i] = width_natural(table, i);
    if (width == 0)
        return;
    while (width_all(table, layout) > width && leave_out_sparest(table, layout))
        ;
    while (width_all(table, layout) > width && cut_widest(table, layout))
        ;
}

static void cell_print(const struct terminal *terminal, const struct column *column, const struct cell *cell,
                       size_t width, bool is_last, FILE *out) {
    size_t columns = terminal_columns(cell->text);
    bool is_cut = columns > width;
    size_t bytes = is_cut ? terminal_prefix(cell->text, width - 1) : strlen(cell->text);
    size_t padding = is_cut ? 0 : width - columns;
    fprintf(out, "%*s", column->is_number ? (int)padding : 0, "");
    fprintf(out, "%s%.*s", cell->tint == TINT_NONE ? "" : terminal_tint(terminal, cell->tint), (int)bytes, cell->text);
    fputs(!is_cut ? "" : terminal->has_unicode ? "…" : "~", out);
    fputs(cell->tint == TINT_NONE ? "" : terminal_tint(terminal, TINT_NONE), out);
    fprintf(out, "%*s", column->is_number || is_last ? 0 : (int)padding, "");
}

static void row_print(const struct table *table, const struct terminal *terminal, const struct layout *layout,
                      const struct cell *cells, FILE *out) {
    size_t last = table->columns_count;
    while (last > 0 && (layout->widths[last - 1] == 0 || cells[last - 1].text[0] == 0))
        last--;
    bool is_first = true;
    for (size_t i = 0; i < last; i++) {
        if (layout->widths[i] == 0)
            continue;
        fprintf(out, "%*s", is_first ? 0 : (int)GAP, "");
        cell_print(terminal, &table->columns[i], &cells[i], layout->widths[i], i + 1 == last, out);
        is_first = false;
    }
    fputc('\n', out);
}

void table_print(const struct table *table, const struct terminal *terminal, FILE *out) {
    if (table->cells_count == 0)
        return;
    check(table->cells_count % table->columns_count == 0);
    struct layout layout;
    struct cell titles[TABLE_COLUMNS_MAX];
    lay_out(table, terminal->width, &layout);
    for (size_t i = 0; i < table->columns_count; i++) {
        snprintf(titles[i].text, sizeof titles[i].text, "%s", table->columns[i].title);
        titles[i].tint = TINT_TITLE;
    }
    row_print(table, terminal, &layout, titles, out);
    for (size_t i = 0; i < table->cells_count; i += table->columns_count)
        row_print(table, terminal, &layout, &table->cells[i], out);
}
