/* weftctl rebalance: whether the cluster is balanced, and what is under way; with --watch until it is. */
#include <stdlib.h>

#include "node/ctl/bar.h"
#include "node/ctl/human.h"
#include "node/ctl/moves.h"
#include "node/ctl/nodes.h"
#include "node/ctl/plan.h"
#include "node/ctl/show.h"
#include "node/ctl/watch.h"

#define BAR_COLUMNS 30
#define PLAN_EVERY 5 /* looks: a dry run costs the node that makes it more than telling how things are */

struct rebalance {
    struct overview before; /* what the last look saw; empty at first */
    size_t looks;
    double bytes_planned, seconds_planned; /* of what has not begun, by the last plan */
    size_t moves_planned;
    double bytes_most, moves_most; /* that there ever were to do */
    bool has_plan;
};

static bool is_over(const struct overview *overview) {
    return overview->is_balanced && overview->moves_count == 0;
}

static const char *balance_words(const struct overview *overview) {
    if (overview->is_paused)
        return "balancing is paused until weftctl resume";
    if (overview->is_balanced)
        return "balanced";
    return overview->balancer[0] != 0 ? "not balanced" : "not balanced, and no node decides now what is to move";
}

static void print_once(const struct terminal *terminal, const struct overview *overview) {
    bool has_moves = overview->moves_count > 0;
    printf("%s, %zu move%s under way\n", balance_words(overview), overview->moves_count,
           overview->moves_count == 1 ? "" : "s");
    fputs(has_moves ? "\n" : "", stdout);
    moves_print(terminal, overview, stdout);
    fputs(has_moves ? "\n" : "", stdout);
    if (!is_over(overview) && !overview->is_paused)
        puts("weftctl rebalance --watch shows it until the end, weftctl plan what is to come");
}

static void plan_look(struct rebalance *rebalance, struct ctl *ctl) {
    struct plan plan;
    if (rebalance->looks++ % PLAN_EVERY != 0)
        return;
    rebalance->has_plan = plan_get(&ctl->admin, &plan) == EXIT_DONE;
    if (!rebalance->has_plan)
        return;
    rebalance->bytes_planned = plan.bytes;
    rebalance->seconds_planned = plan.seconds;
    rebalance->moves_planned = plan.moves_count;
    plan_close(&plan);
}

/* What the moves under way still have to copy, and how fast they do. */
static double bytes_left(const struct overview *overview, double *per_second) {
    double left = 0;
    *per_second = 0;
    for (size_t i = 0; i < overview->moves_count; i++) {
        const struct move *move = &overview->moves[i];
        left += move->bytes_total > move->bytes_done ? move->bytes_total - move->bytes_done : 0;
        *per_second += move->bytes_per_second;
    }
    return left;
}

/* What is done of what there ever was to do: 0..1, by bytes, and by moves where nothing is to be copied. */
static double part_done(struct rebalance *rebalance, double bytes, double moves) {
    rebalance->bytes_most = bytes > rebalance->bytes_most ? bytes : rebalance->bytes_most;
    rebalance->moves_most = moves > rebalance->moves_most ? moves : rebalance->moves_most;
    if (rebalance->bytes_most > 0)
        return 1 - bytes / rebalance->bytes_most;
    return rebalance->moves_most > 0 ? 1 - moves / rebalance->moves_most : 0;
}

static void draw_copying(const struct rebalance *rebalance, double bytes, double rate, FILE *out) {
    char bytes_text[HUMAN_BYTES_MAX], rate_text[HUMAN_BYTES_MAX], time_text[HUMAN_BYTES_MAX];
    double seconds = rate > 0 ? bytes / rate : rebalance->seconds_planned;
    if (bytes > 0)
        fprintf(out, "; %s to copy", human_bytes(bytes, bytes_text));
    if (bytes > 0 && rate > 0)
        fprintf(out, " at %s/s", human_bytes(rate, rate_text));
    if (bytes > 0 && seconds > 0)
        fprintf(out, ", about %s left", human_seconds(seconds, time_text));
}

static void draw_total(struct rebalance *rebalance, const struct terminal *terminal, const struct overview *overview,
                       FILE *out) {
    char bar[BAR_BYTES_MAX];
    double rate, bytes = bytes_left(overview, &rate) + rebalance->bytes_planned;
    double moves = (double)(overview->moves_count + rebalance->moves_planned);
    double done = is_over(overview) ? 1 : part_done(rebalance, bytes, moves);
    const char *title = is_over(overview) ? "balanced" : overview->is_paused ? "paused" : "balancing";
    fprintf(out, "%s  %s %3.0f %%\n", title, bar_draw(terminal, done, BAR_COLUMNS, bar), done * 100);
    fprintf(out, "%zu move%s under way", overview->moves_count, overview->moves_count == 1 ? "" : "s");
    if (!is_over(overview) && rebalance->has_plan)
        fprintf(out, ", %zu to come", rebalance->moves_planned);
    if (!is_over(overview))
        draw_copying(rebalance, bytes, rate, out);
    fputs("\n\n", out);
}

static void draw(struct rebalance *rebalance, struct watch *watch, const struct overview *overview) {
    const struct terminal *terminal = &watch->ctl->terminal;
    FILE *out = screen_begin(&watch->screen);
    draw_total(rebalance, terminal, overview, out);
    moves_print(terminal, overview, out);
    fputs(overview->moves_count > 0 ? "\n" : "", out);
    nodes_print(terminal, overview, NODES_IN_BALANCE, out);
    screen_show(&watch->screen);
}

static bool has_move(const struct overview *overview, const struct move *move) {
    for (size_t i = 0; i < overview->moves_count; i++)
        if (move_is_same(&overview->moves[i], move))
            return true;
    return false;
}

/* What began and what ended between two looks, a line each. */
static void tell_changes(const struct rebalance *rebalance, const struct watch *watch,
                         const struct overview *overview) {
    char words[MOVE_WORDS_BYTES_MAX], bytes[HUMAN_BYTES_MAX];
    for (size_t i = 0; i < rebalance->before.moves_count; i++)
        if (!has_move(overview, &rebalance->before.moves[i]))
            watch_tell(watch, "ended: %s", move_words(&rebalance->before, &rebalance->before.moves[i], words));
    for (size_t i = 0; i < overview->moves_count; i++)
        if (!has_move(&rebalance->before, &overview->moves[i]))
            watch_tell(watch, "under way: %s, %s", move_words(overview, &overview->moves[i], words),
                       human_bytes(overview->moves[i].bytes_total, bytes));
}

/* Keeps what this look saw for the next. */
static void remember(struct rebalance *rebalance, struct admin *admin, const struct overview *overview) {
    overview_close(&rebalance->before);
    overview_take(admin, json_incref(overview->root), &rebalance->before);
}

static bool look(void *context, struct watch *watch, const struct overview *overview, int *rc) {
    struct rebalance *rebalance = context;
    bool is_even = is_over(overview);
    if (arguments_have(watch->ctl->arguments, OPTION_JSON)) {
        ctl_print_json(overview->root, true);
        fflush(stdout);
    } else if (watch->ctl->terminal.is_terminal) {
        plan_look(rebalance, watch->ctl);
        draw(rebalance, watch, overview);
    } else {
        tell_changes(rebalance, watch, overview);
        remember(rebalance, &watch->ctl->admin, overview);
        if (is_even)
            watch_tell(watch, "balanced");
    }
    bool is_vain = !is_even && watch_is_in_vain(watch, overview);
    *rc = is_vain ? EXIT_REFUSED : EXIT_DONE;
    return is_even || is_vain;
}

int rebalance_run(struct ctl *ctl) {
    struct rebalance rebalance = {0};
    if (arguments_have(ctl->arguments, OPTION_CANCEL)) {
        int rc = ctl_ask(ctl, "POST", "/admin/rebalance/cancel", NULL, "moves under way are cancelled");
        if (rc != EXIT_DONE || !arguments_have(ctl->arguments, OPTION_WATCH))
            return rc;
    }
    if (!arguments_have(ctl->arguments, OPTION_WATCH))
        return show_overview(ctl, print_once);
    int rc = watch_run(ctl, false, look, &rebalance);
    overview_close(&rebalance.before);
    return rc;
}
