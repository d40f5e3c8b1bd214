#include "node/ctl/health.h"

static void look_at_range(const struct overview *overview, const struct range *range, struct health *health) {
    double copies = (double)json_array_size(range->in_sync);
    health->ranges_without_primary += range->primary[0] == 0;
    health->ranges_that_refuse += copies < overview->min_in_sync;
    health->ranges_with_few_copies += copies < health->copies_wanted;
}

void health_look(const struct overview *overview, struct health *health) {
    *health = (struct health){0};
    for (size_t i = 0; i < overview->nodes_count; i++) {
        health->nodes_alive += overview->nodes[i].is_alive;
        health->nodes_draining += overview->nodes[i].is_alive && overview->nodes[i].is_draining;
    }
    double nodes = (double)overview->nodes_count;
    health->copies_wanted = overview->replication_factor < nodes ? overview->replication_factor : nodes;
    for (size_t i = 0; i < overview->ranges_count; i++)
        look_at_range(overview, &overview->ranges[i], health);
}

bool health_is_good(const struct overview *overview, const struct health *health) {
    return health->nodes_alive == overview->nodes_count && health->ranges_without_primary == 0 &&
           health->ranges_that_refuse == 0 && health->ranges_with_few_copies == 0;
}

static void line_print(const struct terminal *terminal, enum tint tint, const char *indent, size_t count,
                       const char *one, const char *many, FILE *out) {
    if (count > 0)
        fprintf(out, "%s%s%zu %s%s\n", indent, terminal_tint(terminal, tint), count, count == 1 ? one : many,
                terminal_tint(terminal, TINT_NONE));
}

void health_print(const struct terminal *terminal, const struct overview *overview, const struct health *health,
                  const char *indent, FILE *out) {
    for (size_t i = 0; i < overview->nodes_count; i++) {
        char name[128];
        terminal_clean(overview->nodes[i].name, name, sizeof name);
        if (!overview->nodes[i].is_alive)
            fprintf(out, "%s%s%s is silent%s\n", indent, terminal_tint(terminal, TINT_BAD), name,
                    terminal_tint(terminal, TINT_NONE));
    }
    line_print(terminal, TINT_BAD, indent, health->ranges_without_primary, "range has no primary",
               "ranges have no primary", out);
    line_print(terminal, TINT_BAD, indent, health->ranges_that_refuse,
               "range refuses writes: it has too few copies in sync",
               "ranges refuse writes: they have too few copies in sync", out);
    line_print(terminal, TINT_CAUTION, indent, health->ranges_with_few_copies, "range lacks copies",
               "ranges lack copies", out);
}
