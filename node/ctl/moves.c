#include "node/ctl/moves.h"

#include <string.h>

#include "node/ctl/bar.h"
#include "node/ctl/human.h"
#include "node/ctl/table.h"

#define BAR_COLUMNS 16

static const char *end_of(const struct overview *overview, const char *id) {
    return id[0] != 0 ? overview_name(overview, id) : "-";
}

static void cells_of_bytes(struct table *table, const struct terminal *terminal, const struct move *move) {
    char bar[BAR_BYTES_MAX], text[HUMAN_BYTES_MAX];
    double done = move->bytes_total > 0 ? move->bytes_done / move->bytes_total : 0;
    bool has_bytes = move->bytes_total > 0, has_rate = has_bytes && move->bytes_per_second > 0;
    double left = move->bytes_total - move->bytes_done;
    bool has_bar = has_bytes && terminal->is_terminal;
    table_add(table, TINT_NONE, "%s", has_bar ? bar_draw(terminal, done, BAR_COLUMNS, bar) : "");
    table_add(table, TINT_NONE, "%s", has_bytes ? human_percent(done < 1 ? done : 1, text) : "-");
    table_add(table, TINT_NONE, "%s", has_bytes ? human_bytes(move->bytes_total, text) : "-");
    table_add(table, TINT_NONE, "%s%s", has_rate ? human_bytes(move->bytes_per_second, text) : "-",
              has_rate ? "/s" : "");
    table_add(table, TINT_NONE, "%s", has_rate ? human_seconds(left / move->bytes_per_second, text) : "-");
}

void moves_print(const struct terminal *terminal, const struct overview *overview, FILE *out) {
    static const struct column columns[] = {
        {"RANGE", true, 0},     {"MOVE", false, 0}, {"FROM", false, 0}, {"TO", false, 0},  {"STATE", false, 4},
        {"PROGRESS", false, 1}, {"DONE", true, 0},  {"OF", true, 3},    {"RATE", true, 2}, {"LEFT", true, 0}};
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < overview->moves_count; i++) {
        const struct move *move = &overview->moves[i];
        table_add(&table, TINT_NONE, "%u", move->range);
        table_add(&table, TINT_NONE, "%s", move->kind);
        table_add(&table, TINT_NONE, "%s", end_of(overview, move->from));
        table_add(&table, TINT_NONE, "%s", end_of(overview, move->to));
        table_add(&table, TINT_FAINT, "%s", move->state);
        cells_of_bytes(&table, terminal, move);
    }
    table_print(&table, terminal, out);
    table_close(&table);
}

void moves_planned_print(const struct terminal *terminal, const struct overview *overview, const struct move *moves,
                         size_t count, FILE *out) {
    static const struct column columns[] = {
        {"RANGE", true, 0}, {"MOVE", false, 0}, {"FROM", false, 0}, {"TO", false, 0}, {"BYTES", true, 0}};
    struct table table;
    char text[HUMAN_BYTES_MAX];
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        table_add(&table, TINT_NONE, "%u", moves[i].range);
        table_add(&table, TINT_NONE, "%s", moves[i].kind);
        table_add(&table, TINT_NONE, "%s", end_of(overview, moves[i].from));
        table_add(&table, TINT_NONE, "%s", end_of(overview, moves[i].to));
        table_add(&table, TINT_NONE, "%s", moves[i].bytes_total > 0 ? human_bytes(moves[i].bytes_total, text) : "-");
    }
    table_print(&table, terminal, out);
    table_close(&table);
}

char *move_words(const struct overview *overview, const struct move *move, char out[static MOVE_WORDS_BYTES_MAX]) {
    char raw[MOVE_WORDS_BYTES_MAX];
    bool has_from = move->from[0] != 0, has_to = move->to[0] != 0;
    snprintf(raw, sizeof raw, "%s of range %u%s%s%s%s", move->kind, move->range, has_from ? " from " : "",
             overview_name(overview, move->from), has_to ? " to " : "", overview_name(overview, move->to));
    terminal_clean(raw, out, MOVE_WORDS_BYTES_MAX);
    return out;
}

bool move_is_same(const struct move *a, const struct move *b) {
    return a->range == b->range && strcmp(a->kind, b->kind) == 0 && strcmp(a->from, b->from) == 0 &&
           strcmp(a->to, b->to) == 0;
}
