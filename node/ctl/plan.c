#include "node/ctl/plan.h"

#include <stdlib.h>

#include "node/ctl/bar.h"
#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"
#include "node/ctl/human.h"
#include "node/ctl/moves.h"
#include "node/ctl/table.h"

#define BAR_COLUMNS 16

int plan_get(struct admin *admin, struct plan *plan) {
    *plan = (struct plan){0};
    int rc = admin_call(admin, "GET", "/admin/plan", NULL, &plan->root);
    if (rc != EXIT_DONE)
        return rc;
    plan->moves = moves_take(field_array(plan->root, "moves"), &plan->moves_count);
    plan->bytes = field_number(plan->root, "bytes");
    plan->seconds = field_number(plan->root, "seconds");
    plan->is_blocked = field_is(plan->root, "isBlocked");
    plan->is_cut = json_is_false(json_object_get(plan->root, "isComplete"));
    return EXIT_DONE;
}

void plan_close(struct plan *plan) {
    free(plan->moves);
    json_decref(plan->root);
    *plan = (struct plan){0};
}

static void share_cells(struct table *table, const struct terminal *terminal, double share, double largest) {
    char bar[BAR_BYTES_MAX], text[HUMAN_BYTES_MAX];
    double fraction = largest > 0 ? share / largest : 0;
    table_add(table, TINT_NONE, "%s", human_percent(share, text));
    table_add(table, TINT_NONE, "%s", terminal->is_terminal ? bar_draw(terminal, fraction, BAR_COLUMNS, bar) : "");
}

static double largest_of(const json_t *shares, double largest) {
    const char *id;
    json_t *share;
    json_object_foreach((json_t *)shares, id, share) {
        double value = json_number_value(share);
        largest = value > largest ? value : largest;
    }
    return largest;
}

static void shares_print(const struct terminal *terminal, const struct overview *overview, const struct plan *plan) {
    static const struct column columns[] = {
        {"NODE", false, 0}, {"NOW", true, 0}, {"", false, 1}, {"THEN", true, 0}, {"", false, 1}};
    const json_t *before = field_object(plan->root, "before"), *after = field_object(plan->root, "after");
    double largest = largest_of(after, largest_of(before, 0));
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < overview->nodes_count; i++) {
        const struct node *node = &overview->nodes[i];
        table_add(&table, TINT_NONE, "%s", node->name);
        share_cells(&table, terminal, field_number(before, node->id), largest);
        share_cells(&table, terminal, field_number(after, node->id), largest);
    }
    table_print(&table, terminal, stdout);
    table_close(&table);
}

static void moves_summary_print(const struct plan *plan) {
    char bytes[HUMAN_BYTES_MAX], seconds[HUMAN_BYTES_MAX];
    printf("%zu move%s%s, %s to copy", plan->moves_count, plan->moves_count == 1 ? "" : "s",
           plan->is_cut ? " and more" : "", human_bytes(plan->bytes, bytes));
    if (plan->seconds > 0)
        printf(", about %s", human_seconds(plan->seconds, seconds));
    fputs("\n\n", stdout);
}

static void plan_print(const struct terminal *terminal, const struct overview *overview, const struct plan *plan) {
    if (plan->moves_count == 0) {
        puts("nothing to move");
    } else {
        moves_summary_print(plan);
        moves_planned_print(terminal, overview, plan->moves, plan->moves_count, stdout);
    }
    putchar('\n');
    shares_print(terminal, overview, plan);
    if (overview->is_paused && plan->moves_count > 0)
        puts("\nBalancing is paused: nothing of this begins before weftctl resume.");
    if (plan->is_blocked)
        puts("\nA node that is to be emptied keeps some ranges: no other node is there to take them.");
}

int plan_run(struct ctl *ctl) {
    struct plan plan;
    struct overview overview = {0};
    int rc = plan_get(&ctl->admin, &plan);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON)) {
        ctl_print_json(plan.root, false);
    } else {
        rc = overview_get(&ctl->admin, &overview);
        if (rc == EXIT_DONE)
            plan_print(&ctl->terminal, &overview, &plan);
    }
    overview_close(&overview);
    plan_close(&plan);
    return rc;
}
