/* weftctl top: the nodes and what they do, again and again; once if standard output is no terminal. */
#include <stdio.h>
#include <time.h>

#include "node/ctl/health.h"
#include "node/ctl/human.h"
#include "node/ctl/moves.h"
#include "node/ctl/nodes.h"
#include "node/ctl/watch.h"

static void clock_print(FILE *out) {
    struct timespec now;
    char text[HUMAN_BYTES_MAX];
    clock_gettime(CLOCK_REALTIME, &now);
    fprintf(out, "%s", human_time((double)now.tv_sec * 1000, text));
}

static void title_print(const struct terminal *terminal, const struct overview *overview, FILE *out) {
    char name[128];
    terminal_clean(overview->cluster, name, sizeof name);
    fprintf(out, "%s%s%s  ", terminal_tint(terminal, TINT_TITLE), name, terminal_tint(terminal, TINT_NONE));
    if (terminal->is_terminal) {
        clock_print(out);
        fputs("  ", out);
    }
    fprintf(out, "%zu node%s, %zu ranges, %s, %zu move%s under way\n", overview->nodes_count,
            overview->nodes_count == 1 ? "" : "s", overview->ranges_count,
            overview->is_paused     ? "balancing paused"
            : overview->is_balanced ? "balanced"
                                    : "balancing",
            overview->moves_count, overview->moves_count == 1 ? "" : "s");
}

static void sums_print(const struct overview *overview, FILE *out) {
    double deliveries = 0, writes = 0, connections = 0, slow = 0;
    char a[HUMAN_BYTES_MAX], b[HUMAN_BYTES_MAX], c[HUMAN_BYTES_MAX], d[HUMAN_BYTES_MAX];
    for (size_t i = 0; i < overview->nodes_count; i++) {
        deliveries += overview->nodes[i].load.deliveries_per_second;
        connections += overview->nodes[i].load.connections;
        slow += overview->nodes[i].load.slow_clients;
    }
    for (size_t i = 0; i < overview->ranges_count; i++)
        writes += overview->ranges[i].writes_per_second;
    fprintf(out, "%s deliveries/s, %s writes/s, %s connections, %s slow clients\n", human_count(deliveries, a),
            human_count(writes, b), human_count(connections, c), human_count(slow, d));
}

static bool look(void *context, struct watch *watch, const struct overview *overview, int *rc) {
    (void)context;
    (void)rc;
    const struct terminal *terminal = &watch->ctl->terminal;
    struct health health;
    FILE *out = screen_begin(&watch->screen);
    health_look(overview, &health);
    title_print(terminal, overview, out);
    sums_print(overview, out);
    health_print(terminal, overview, &health, "", out);
    fputc('\n', out);
    nodes_print(terminal, overview, NODES_AT_WORK, out);
    fputs(overview->moves_count > 0 ? "\n" : "", out);
    moves_print(terminal, overview, out);
    if (terminal->is_terminal)
        fprintf(out, "\n%sq quits%s\n", terminal_tint(terminal, TINT_FAINT), terminal_tint(terminal, TINT_NONE));
    screen_show(&watch->screen);
    return !terminal->is_terminal;
}

int top_run(struct ctl *ctl) {
    return watch_run(ctl, true, look, NULL);
}
