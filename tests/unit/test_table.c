#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "node/ctl/bar.h"
#include "node/ctl/table.h"

static const struct column columns[] = {{"NAME", false, 0}, {"SIZE", true, 1}, {"ZONE", false, 2}, {"N", true, 0}};
#define COLUMNS_COUNT (sizeof columns / sizeof *columns)

/* Prints rows of four cells each, NULL at the end, `width` columns wide (0: no limit). The caller frees it. */
static char *print(struct terminal terminal, const char *const *cells) {
    struct table table;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    table_init(&table, columns, COLUMNS_COUNT);
    for (; *cells != NULL; cells++)
        table_add(&table, TINT_GOOD, "%s", *cells);
    table_print(&table, &terminal, out);
    table_close(&table);
    fclose(out);
    return text;
}

static void assert_prints(struct terminal terminal, const char *const *cells, const char *expected) {
    char *text = print(terminal, cells);
    assert_string_equal(text, expected);
    free(text);
}

static const char *const two_rows[] = {"a", "10 B", "west", "7", "longer name", "9 B", "", "1234", NULL};

static void columns_are_aligned_and_lines_do_not_end_in_spaces(void **state) {
    (void)state;
    assert_prints((struct terminal){.width = 0}, two_rows,
                  "NAME         SIZE  ZONE     N\na            10 B  west     7\nlonger name   9 B        1234\n");
    static const char *const short_row[] = {"a", "1 B", "x", "", "b", "", "", "", NULL};
    assert_prints((struct terminal){.width = 0}, short_row, "NAME  SIZE  ZONE\na      1 B  x\nb\n");
}

static void what_matters_least_is_left_out_first_and_then_text_is_cut(void **state) {
    (void)state;
    struct terminal terminal = {.width = 25, .has_unicode = true};
    assert_prints(terminal, two_rows, "NAME         SIZE     N\na            10 B     7\nlonger name   9 B  1234\n");
    terminal.width = 17;
    assert_prints(terminal, two_rows, "NAME            N\na               7\nlonger name  1234\n");
    terminal.width = 14;
    assert_prints(terminal, two_rows, "NAME         N\na            7\nlonger …  1234\n");
    terminal.has_unicode = false;
    assert_prints(terminal, two_rows, "NAME         N\na            7\nlonger ~  1234\n");
}

static void a_column_without_anything_in_it_is_not_shown(void **state) {
    (void)state;
    static const char *const cells[] = {"a", "", "", "1", "b", "", "", "2", NULL};
    assert_prints((struct terminal){.width = 0}, cells, "NAME  N\na     1\nb     2\n");
    static const char *const none[] = {NULL};
    assert_prints((struct terminal){.width = 0}, none, "");
}

static void colours_have_no_width(void **state) {
    (void)state;
    static const char *const cells[] = {"ab", "", "", "1", NULL};
    assert_prints((struct terminal){.width = 10, .has_colour = true}, cells,
                  "\033[1mNAME\033[0m  \033[1mN\033[0m\n\033[32mab\033[0m    \033[32m1\033[0m\n");
}

static void what_a_terminal_would_obey_is_not_shown(void **state) {
    (void)state;
    static const struct {
        const char *text, *clean;
        size_t columns;
    } examples[] = {
        {"", "", 0},
        {"plain", "plain", 5},
        {"\033[2J\n\t\r\b\177", "?[2J?????", 9},
        {"\xc2\x9b"
         "31m",
         "?31m", 4},
        {"é界", "é界", 3},
        {"\xff\xc3", "??", 2},
        {"e\xcc\x81x", "e\xcc\x81x", 2},
    };
    char out[64];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        assert_int_equal(terminal_clean(examples[i].text, out, sizeof out), examples[i].columns);
        assert_string_equal(out, examples[i].clean);
        assert_int_equal(terminal_columns(out), examples[i].columns);
    }
    assert_int_equal(terminal_clean("aé界", out, 5), 2);
    assert_string_equal(out, "aé");
    assert_int_equal(terminal_prefix("aé界x", 3), strlen("aé"));
}

static void a_bar_has_its_width_whatever_the_part(void **state) {
    (void)state;
    char out[BAR_BYTES_MAX];
    struct terminal terminal = {.has_unicode = true};
    assert_string_equal(bar_draw(&terminal, 0.5, 4, out), "██░░");
    assert_string_equal(bar_draw(&terminal, 0.3, 4, out), "█▏░░");
    assert_string_equal(bar_draw(&terminal, 1, BAR_COLUMNS_MAX, out) + 3 * (BAR_COLUMNS_MAX - 1), "█");
    assert_string_equal(bar_draw(&terminal, 7, 2, out), "██");
    assert_string_equal(bar_draw(&terminal, -1, 2, out), "░░");
    assert_string_equal(bar_draw(&terminal, 0.0 / 0.0, 2, out), "░░");
    terminal.has_unicode = false;
    assert_string_equal(bar_draw(&terminal, 0.6, 4, out), "##--");
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_and_lines_do_not_end_in_spaces),
        cmocka_unit_test(what_matters_least_is_left_out_first_and_then_text_is_cut),
        cmocka_unit_test(a_column_without_anything_in_it_is_not_shown),
        cmocka_unit_test(colours_have_no_width),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_shown),
        cmocka_unit_test(a_bar_has_its_width_whatever_the_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
