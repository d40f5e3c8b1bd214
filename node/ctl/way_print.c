#include "node/ctl/way_print.h"

#include <string.h>

#include "node/ctl/fields.h"
#include "node/ctl/table.h"

#define UNTOLD_SHOWN 5
#define WIDE_COLUMNS 140 /* room for a whole id */

const char *way_node_name(const json_t *nodes, const char *id) {
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const char *name = field_text(node, "name");
        if (strcmp(field_text(node, "id"), id) == 0 && name[0] != 0)
            return name;
    }
    return id;
}

/* Milliseconds after the beginning; clocks that are compared inexactly may give a little less than nothing. */
static void time_add(struct table *table, const struct way *way, double time_us) {
    if (time_us > 0)
        table_add(table, TINT_NONE, "%.3f", (time_us - way->began_us) / 1000);
    else
        table_add(table, TINT_FAINT, "-");
}

static void log_print(const struct terminal *terminal, const json_t *nodes, const char *primary, const struct way *way,
                      FILE *out) {
    static const struct column columns[] = {{"NODE", false, 0},   {"", false, 3},         {"RECEIVED", true, 0},
                                            {"ON DISK", true, 0}, {"COMMITTED", true, 0}, {"APPLIED", true, 2},
                                            {"ARRIVED", true, 1}};
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < way->nodes_count; i++) {
        const struct way_node *node = &way->nodes[i];
        bool was_primary = node->received_us > 0 || node->committed_us > 0;
        bool is_primary = strcmp(node->id, primary) == 0;
        table_add(&table, TINT_NONE, "%s", way_node_name(nodes, node->id));
        table_add(&table, TINT_FAINT, "%s", was_primary && !is_primary ? "led then" : was_primary ? "leads" : "");
        time_add(&table, way, node->received_us);
        time_add(&table, way, node->written_us);
        time_add(&table, way, node->committed_us);
        time_add(&table, way, node->applied_us);
        time_add(&table, way, node->arrived_us);
    }
    table_print(&table, terminal, out);
    table_close(&table);
}

/* All users of a cluster have the same beginning, so where there is little room it is left out. */
static void recipient_add(struct table *table, const struct terminal *terminal, const char *recipient) {
    const char *end = strncmp(recipient, "8:acs:", 6) == 0 ? strrchr(recipient, '_') : NULL;
    bool is_narrow = terminal->width > 0 && terminal->width < WIDE_COLUMNS;
    if (recipient[0] == 0)
        table_add(table, TINT_FAINT, "(not in the thread any more)");
    else if (is_narrow && end != NULL)
        table_add(table, TINT_NONE, "%s", end + 1);
    else
        table_add(table, TINT_NONE, "%s", recipient);
}

static const char *outcome(const struct way_delivery *delivery, enum tint *tint) {
    *tint = TINT_NONE;
    if (delivery->dropped_us > 0) {
        *tint = TINT_BAD;
        return "too slow, resumes";
    }
    if (delivery->told_us > 0)
        return "live";
    if (delivery->repeated_us > 0)
        return "resumed";
    *tint = TINT_CAUTION;
    return delivery->kept_us > 0 ? "away, kept" : "";
}

static void deliveries_print(const struct terminal *terminal, const json_t *nodes, const struct way *way, FILE *out) {
    static const struct column columns[] = {{"RECIPIENT", false, 0}, {"NODE", false, 0},     {"BY", false, 1},
                                            {"CONNECTION", true, 3}, {"DELIVERED", true, 0}, {"ANSWERED", true, 2},
                                            {"HOW", false, 0}};
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < way->deliveries_count; i++) {
        const struct way_delivery *delivery = &way->deliveries[i];
        enum tint tint;
        const char *how = outcome(delivery, &tint);
        recipient_add(&table, terminal, delivery->recipient);
        table_add(&table, TINT_NONE, "%s", way_node_name(nodes, delivery->node));
        table_add(&table, TINT_NONE, "%s", delivery->protocol);
        table_add(&table, TINT_FAINT, "%.0f", delivery->connection);
        time_add(&table, way, way_delivered_us(delivery));
        time_add(&table, way, delivery->answered_us);
        table_add(&table, tint, "%s", how);
    }
    table_print(&table, terminal, out);
    table_close(&table);
}

/* Deliveries are in the order of time. */
static void summary_print(const struct way *way, FILE *out) {
    size_t told = 0, answered = 0;
    double first = 0, half = 0, last = 0;
    for (size_t i = 0; i < way->deliveries_count; i++) {
        told += way_delivered_us(&way->deliveries[i]) > 0;
        answered += way->deliveries[i].answered_us > 0;
    }
    for (size_t i = 0, count = 0; i < way->deliveries_count; i++) {
        double time_us = way_delivered_us(&way->deliveries[i]);
        if (time_us == 0)
            continue;
        first = count == 0 ? time_us : first;
        half = count == told / 2 ? time_us : half;
        last = time_us > last ? time_us : last;
        count++;
    }
    fprintf(out, "\ntold %zu connection%s", told, told == 1 ? "" : "s");
    if (told == 1)
        fprintf(out, " after %.3f ms", (first - way->began_us) / 1000);
    else if (told > 1)
        fprintf(out, ": the first after %.3f ms, half after %.3f, the last after %.3f", (first - way->began_us) / 1000,
                (half - way->began_us) / 1000, (last - way->began_us) / 1000);
    fprintf(out, answered > 0 ? "; %zu answered\n" : "\n", answered);
}

static void untold_print(const struct way *way, FILE *out) {
    size_t count = json_array_size(way->untold);
    if (count == 0)
        return;
    fprintf(out, "no connection of %zu user%s was told: ", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count && i < UNTOLD_SHOWN; i++) {
        char user[CELL_BYTES_MAX];
        terminal_clean(way_user(json_array_get(way->untold, i)), user, sizeof user);
        fprintf(out, "%s%s", i > 0 ? ", " : "", user);
    }
    fputs(count > UNTOLD_SHOWN ? " and others\n" : "\n", out);
}

void way_print(const struct terminal *terminal, const json_t *nodes, const char *primary, const struct way *way,
               bool is_all, FILE *out) {
    log_print(terminal, nodes, primary, way, out);
    fputs(way->nodes_count > 0 && way->deliveries_count > 0 ? "\n" : "", out);
    deliveries_print(terminal, nodes, way, out);
    if (way->began_us > 0)
        summary_print(way, out);
    if (is_all)
        untold_print(way, out);
}
