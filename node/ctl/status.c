#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/health.h"
#include "node/ctl/human.h"
#include "node/ctl/moves.h"
#include "node/ctl/nodes.h"
#include "node/ctl/show.h"

#define INDENT "          "

static void cluster_print(const struct overview *overview, const struct health *health) {
    char name[128];
    terminal_clean(overview->cluster, name, sizeof name);
    printf("cluster   %s: %zu node%s, %zu alive", name, overview->nodes_count, overview->nodes_count == 1 ? "" : "s",
           health->nodes_alive);
    if (health->nodes_draining > 0)
        printf(", %zu draining", health->nodes_draining);
    printf("\nranges    %zu, %.0f cop%s of each", overview->ranges_count, health->copies_wanted,
           health->copies_wanted == 1 ? "y" : "ies");
    if (health->copies_wanted < overview->replication_factor)
        printf(" (%.0f with more nodes)", overview->replication_factor);
    printf(", writes need %.0f\n", overview->min_in_sync);
}

static void load_print(const struct overview *overview) {
    char stored[HUMAN_BYTES_MAX], writes[HUMAN_BYTES_MAX], deliveries[HUMAN_BYTES_MAX], connections[HUMAN_BYTES_MAX];
    struct load all = {0};
    for (size_t i = 0; i < overview->nodes_count; i++) {
        const struct load *load = &overview->nodes[i].load;
        all.connections += load->connections;
        all.deliveries_per_second += load->deliveries_per_second;
        all.stored_bytes += load->stored_bytes;
    }
    for (size_t i = 0; i < overview->ranges_count; i++)
        all.writes_per_second += overview->ranges[i].writes_per_second;
    printf("load      %s stored, %s writes/s, %s deliveries/s, %s connections\n", human_bytes(all.stored_bytes, stored),
           human_count(all.writes_per_second, writes), human_count(all.deliveries_per_second, deliveries),
           human_count(all.connections, connections));
}

static void balancer_print(const struct terminal *terminal, const struct overview *overview) {
    char name[128];
    enum tint tint = overview->is_paused ? TINT_CAUTION : overview->is_balanced ? TINT_GOOD : TINT_CAUTION;
    terminal_clean(overview_name(overview, overview->balancer), name, sizeof name);
    printf("balance   %s%s%s, %zu move%s under way; %s%s\n", terminal_tint(terminal, tint),
           overview->is_paused     ? "paused"
           : overview->is_balanced ? "even"
                                   : "being made even",
           terminal_tint(terminal, TINT_NONE), overview->moves_count, overview->moves_count == 1 ? "" : "s",
           name[0] != 0 ? "decided by " : "nobody decides now", name);
}

static void health_lines_print(const struct terminal *terminal, const struct overview *overview,
                               const struct health *health) {
    if (health_is_good(overview, health)) {
        printf("health    %sgood%s\n", terminal_tint(terminal, TINT_GOOD), terminal_tint(terminal, TINT_NONE));
        return;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);
    if (lines == NULL)
        return;
    health_print(terminal, overview, health, INDENT, lines);
    fclose(lines);
    printf("health    %s", size > sizeof INDENT - 1 ? text + sizeof INDENT - 1 : "\n");
    free(text);
}

static void status_print(const struct terminal *terminal, const struct overview *overview) {
    struct health health;
    health_look(overview, &health);
    cluster_print(overview, &health);
    load_print(overview);
    balancer_print(terminal, overview);
    health_lines_print(terminal, overview, &health);
    putchar('\n');
    nodes_print(terminal, overview, NODES_AT_WORK, stdout);
    if (overview->moves_count > 0)
        putchar('\n');
    moves_print(terminal, overview, stdout);
}

int status_run(struct ctl *ctl) {
    return show_overview(ctl, status_print);
}
