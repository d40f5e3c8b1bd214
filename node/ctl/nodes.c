#include "node/ctl/nodes.h"

#include <string.h>

#include "node/ctl/bar.h"
#include "node/ctl/ctl.h"
#include "node/ctl/human.h"
#include "node/ctl/table.h"

#define BAR_COLUMNS 12

/* The same cells for both views; what is left out first for want of width differs. */
static const struct column columns[][18] = {
    [NODES_AT_WORK] = {{"NODE", false, 0},
                       {"STATE", false, 0},
                       {"ZONE", false, 8},
                       {"LOAD", false, 4},
                       {"SHARE", true, 0},
                       {"PRIMARY", true, 0},
                       {"COPIES", true, 0},
                       {"LEARNS", true, 7},
                       {"STORED", true, 5},
                       {"CONNECTIONS", true, 2},
                       {"SESSIONS", true, 12},
                       {"SLOW", true, 10},
                       {"WRITES/S", true, 6},
                       {"DELIVERIES/S", true, 1},
                       {"COMMIT P50", true, 9},
                       {"COMMIT P99", true, 3},
                       {"ADDRESS", false, 13},
                       {"ID", false, 11}},
    [NODES_IN_BALANCE] = {{"NODE", false, 0},
                          {"STATE", false, 0},
                          {"ZONE", false, 4},
                          {"LOAD", false, 1},
                          {"SHARE", true, 0},
                          {"PRIMARY", true, 0},
                          {"COPIES", true, 0},
                          {"LEARNS", true, 3},
                          {"STORED", true, 2},
                          {"CONNECTIONS", true, 8},
                          {"SESSIONS", true, 12},
                          {"SLOW", true, 10},
                          {"WRITES/S", true, 6},
                          {"DELIVERIES/S", true, 5},
                          {"COMMIT P50", true, 9},
                          {"COMMIT P99", true, 7},
                          {"ADDRESS", false, 13},
                          {"ID", false, 11}},
};

const char *node_state(const struct node *node) {
    return !node->is_alive ? "silent" : node->is_draining ? "draining" : "alive";
}

enum tint node_state_tint(const struct node *node) {
    return !node->is_alive ? TINT_BAD : node->is_draining ? TINT_CAUTION : TINT_GOOD;
}

double nodes_largest_share(const struct overview *overview) {
    double largest = 0;
    for (size_t i = 0; i < overview->nodes_count; i++)
        largest = overview->nodes[i].load.share > largest ? overview->nodes[i].load.share : largest;
    return largest;
}

/* A silent one copies nothing, though the records go on naming it until somebody takes its place. */
static void cells_of_ranges(struct table *table, const struct node *node) {
    char text[HUMAN_BYTES_MAX];
    bool is_learning = node->is_alive && node->learning > 0;
    table_add(table, TINT_NONE, "%.0f", node->primary);
    table_add(table, TINT_NONE, "%.0f", node->in_sync);
    table_add(table, TINT_CAUTION, "%s", is_learning ? human_count(node->learning, text) : "");
    table_add(table, TINT_NONE, "%s", human_bytes(node->load.stored_bytes, text));
}

static void cells_of_load(struct table *table, const struct load *load) {
    char text[HUMAN_BYTES_MAX];
    table_add(table, TINT_NONE, "%s", human_count(load->connections, text));
    table_add(table, TINT_NONE, "%s", human_count(load->sessions, text));
    table_add(table, TINT_CAUTION, "%s", load->slow_clients > 0 ? human_count(load->slow_clients, text) : "");
    table_add(table, TINT_NONE, "%s", human_count(load->writes_per_second, text));
    table_add(table, TINT_NONE, "%s", human_count(load->deliveries_per_second, text));
    table_add(table, TINT_NONE, "%s ms", human_ms(load->commit_ms_p50, text));
    table_add(table, TINT_NONE, "%s ms", human_ms(load->commit_ms_p99, text));
}

static void row_add(struct table *table, const struct terminal *terminal, const struct node *node, double largest) {
    char bar[BAR_BYTES_MAX], text[HUMAN_BYTES_MAX];
    double fraction = largest > 0 ? node->load.share / largest : 0;
    table_add(table, TINT_NONE, "%s", node->name);
    table_add(table, node_state_tint(node), "%s", node_state(node));
    table_add(table, TINT_NONE, "%s", node->zone);
    table_add(table, TINT_NONE, "%s", terminal->is_terminal ? bar_draw(terminal, fraction, BAR_COLUMNS, bar) : "");
    table_add(table, TINT_NONE, "%s", human_percent(node->load.share, text));
    cells_of_ranges(table, node);
    cells_of_load(table, &node->load);
    table_add(table, TINT_NONE, "%s", node->public_url);
    table_add(table, TINT_FAINT, "%s", node->id);
}

void nodes_print(const struct terminal *terminal, const struct overview *overview, enum nodes_view view, FILE *out) {
    struct table table;
    table_init(&table, columns[view], sizeof columns[view] / sizeof *columns[view]);
    double largest = nodes_largest_share(overview);
    for (size_t i = 0; i < overview->nodes_count; i++)
        row_add(&table, terminal, &overview->nodes[i], largest);
    table_print(&table, terminal, out);
    table_close(&table);
}

static void names_print(const struct overview *overview) {
    char name[CELL_BYTES_MAX];
    for (size_t i = 0; i < overview->nodes_count; i++) {
        terminal_clean(overview->nodes[i].name, name, sizeof name);
        puts(name);
    }
}

int nodes_run(struct ctl *ctl) {
    struct overview overview;
    int rc = overview_get(&ctl->admin, &overview);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(json_object_get(overview.root, "nodes"), false);
    else if (arguments_have(ctl->arguments, OPTION_NAMES))
        names_print(&overview);
    else
        nodes_print(&ctl->terminal, &overview, NODES_AT_WORK, stdout);
    overview_close(&overview);
    return EXIT_DONE;
}
