#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/human.h"
#include "node/ctl/overview.h"
#include "node/ctl/table.h"

static const struct column columns[] = {
    {"RANGE", true, 0},    {"PRIMARY", false, 0}, {"IN SYNC", false, 0}, {"LEARNS", false, 0},
    {"GOES TO", false, 0}, {"STORED", true, 1},   {"WRITES/S", true, 2}, {"DELIVERIES/S", true, 3},
    {"EPOCH", true, 4},    {"FIRST", false, 5},   {"LAST", false, 5},
};

static void name_append(char out[static CELL_BYTES_MAX], const char *name) {
    size_t used = strlen(out);
    snprintf(out + used, CELL_BYTES_MAX - used, "%s%s", used > 0 ? " " : "", name);
}

/* The names of nodes in a row, `first` before the others if it is among them. */
static char *names_join(const struct overview *overview, const json_t *ids, const char *first,
                        char out[static CELL_BYTES_MAX]) {
    out[0] = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < json_array_size(ids); i++) {
            const char *id = json_string_value(json_array_get(ids, i));
            if (id != NULL && (strcmp(id, first) == 0) == (round == 0))
                name_append(out, overview_name(overview, id));
        }
    }
    return out;
}

static void row_add(struct table *table, const struct overview *overview, const struct range *range) {
    char names[CELL_BYTES_MAX], text[HUMAN_BYTES_MAX];
    bool is_short = (double)json_array_size(range->in_sync) < overview->replication_factor;
    bool is_led = range->primary[0] != 0;
    table_add(table, TINT_NONE, "%u", range->number);
    table_add(table, is_led ? TINT_NONE : TINT_BAD, "%s", is_led ? overview_name(overview, range->primary) : "nobody");
    table_add(table, is_short ? TINT_CAUTION : TINT_NONE, "%s",
              names_join(overview, range->in_sync, range->primary, names));
    table_add(table, TINT_CAUTION, "%s", names_join(overview, range->learners, "", names));
    table_add(table, TINT_CAUTION, "%s", names_join(overview, range->target_holders, range->target_primary, names));
    table_add(table, TINT_NONE, "%s", human_bytes(range->stored_bytes, text));
    table_add(table, TINT_NONE, "%s", human_count(range->writes_per_second, text));
    table_add(table, TINT_NONE, "%s", human_count(range->deliveries_per_second, text));
    table_add(table, TINT_NONE, "%.0f", range->epoch);
    table_add(table, TINT_FAINT, "%s", range->first);
    table_add(table, TINT_FAINT, "%s", range->last);
}

static bool list_has(const json_t *ids, const char *id) {
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *item = json_string_value(json_array_get(ids, i));
        if (item != NULL && strcmp(item, id) == 0)
            return true;
    }
    return false;
}

/* `id` NULL: every range is wanted. */
static bool is_wanted(const struct range *range, const char *id) {
    return id == NULL || strcmp(range->primary, id) == 0 || list_has(range->in_sync, id) ||
           list_has(range->learners, id) || list_has(range->target_holders, id);
}

static void ranges_print(const struct terminal *terminal, const struct overview *overview, const char *id) {
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < overview->ranges_count; i++)
        if (is_wanted(&overview->ranges[i], id))
            row_add(&table, overview, &overview->ranges[i]);
    table_print(&table, terminal, stdout);
    if (table.cells_count == 0)
        puts("none");
    table_close(&table);
}

static void ranges_print_json(const struct overview *overview, const char *id) {
    const json_t *all = json_object_get(overview->root, "ranges");
    json_t *wanted = json_array();
    for (size_t i = 0; i < overview->ranges_count; i++)
        if (is_wanted(&overview->ranges[i], id))
            json_array_append(wanted, json_array_get(all, i));
    ctl_print_json(wanted, false);
    json_decref(wanted);
}

int ranges_run(struct ctl *ctl) {
    const char *word = ctl->arguments->node, *id = NULL;
    struct overview overview;
    int rc = overview_get(&ctl->admin, &overview);
    if (rc != EXIT_DONE)
        return rc;
    if (word != NULL) {
        const struct node *node = overview_find(&ctl->admin, &overview, word);
        rc = node != NULL ? EXIT_DONE : EXIT_REFUSED;
        id = node != NULL ? node->id : NULL;
    }
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_JSON))
        ranges_print_json(&overview, id);
    else if (rc == EXIT_DONE)
        ranges_print(&ctl->terminal, &overview, id);
    overview_close(&overview);
    return rc;
}
