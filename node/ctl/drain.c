/* weftctl drain: a node is emptied and ends; with --watch until it has. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/bar.h"
#include "node/ctl/moves.h"
#include "node/ctl/watch.h"

#define BAR_COLUMNS 30
#define ID_BYTES_MAX 64
#define NAME_BYTES_MAX 128

struct drain {
    char id[ID_BYTES_MAX];
    char name[NAME_BYTES_MAX];
    double held_most, held_last; /* ranges it holds or learns */
    bool was_draining;
};

static double held_by(const struct node *node) {
    return node->in_sync + node->learning;
}

static void draw(const struct drain *drain, struct watch *watch, const struct overview *overview) {
    const struct terminal *terminal = &watch->ctl->terminal;
    char bar[BAR_BYTES_MAX];
    double done = drain->held_most > 0 ? 1 - drain->held_last / drain->held_most : 0;
    FILE *out = screen_begin(&watch->screen);
    fprintf(out, "draining %s  %s %3.0f %%  %.0f of %.0f ranges left\n", drain->name,
            bar_draw(terminal, done, BAR_COLUMNS, bar), done * 100, drain->held_last, drain->held_most);
    fputs(overview->moves_count > 0 ? "\n" : "", out);
    moves_print(terminal, overview, out);
    screen_show(&watch->screen);
}

static void draw_end(struct watch *watch, const char *words, const char *name) {
    if (!watch->ctl->terminal.is_terminal)
        return;
    FILE *out = screen_begin(&watch->screen);
    fprintf(out, "%s %s\n", name, words);
    screen_show(&watch->screen);
}

static bool look_at_end(struct drain *drain, struct watch *watch, const char *words) {
    watch_tell(watch, "%s %s", drain->name, words);
    draw_end(watch, words, drain->name);
    return true;
}

static bool look_at_node(struct drain *drain, struct watch *watch, const struct overview *overview,
                         const struct node *node, int *rc) {
    double held = held_by(node);
    if (held != drain->held_last)
        watch_tell(watch, "%s: %.0f ranges left", drain->name, held);
    drain->held_last = held;
    drain->held_most = held > drain->held_most ? held : drain->held_most;
    if (!node->is_draining && drain->was_draining) {
        *rc = ctl_complain(watch->ctl, EXIT_REFUSED, "%s is not draining any more: somebody cancelled it", drain->name);
        return true;
    }
    drain->was_draining |= node->is_draining;
    if (held > 0 && watch_is_in_vain(watch, overview)) {
        *rc = EXIT_REFUSED;
        return true;
    }
    if (watch->ctl->terminal.is_terminal)
        draw(drain, watch, overview);
    return false;
}

static bool look(void *context, struct watch *watch, const struct overview *overview, int *rc) {
    struct drain *drain = context;
    const struct node *node = overview_node(overview, drain->id);
    if (arguments_have(watch->ctl->arguments, OPTION_JSON)) {
        ctl_print_json(overview->root, true);
        fflush(stdout);
        return node == NULL || (!node->is_alive && held_by(node) == 0);
    }
    if (node == NULL || (!node->is_alive && held_by(node) == 0))
        return look_at_end(drain, watch, "holds nothing any more and has ended");
    return look_at_node(drain, watch, overview, node, rc);
}

static int ask(struct ctl *ctl, const struct drain *drain) {
    char path[ADMIN_PATH_BYTES_MAX];
    bool is_cancel = arguments_have(ctl->arguments, OPTION_CANCEL);
    bool is_watched = arguments_have(ctl->arguments, OPTION_WATCH) && !is_cancel;
    snprintf(path, sizeof path, "/admin/nodes/%s/drain", drain->id);
    if (is_cancel)
        return ctl_ask(ctl, "DELETE", path, NULL, "%s is not to be drained any more; it takes ranges again",
                       drain->name);
    if (is_watched)
        return ctl_ask(ctl, "POST", path, NULL, "%s is being drained", drain->name);
    return ctl_ask(ctl, "POST", path, NULL, "%s is being drained; weftctl drain %s --watch shows it until the end",
                   drain->name, drain->name);
}

static int node_choose(struct ctl *ctl, struct drain *drain) {
    struct overview overview;
    int rc = overview_get(&ctl->admin, &overview);
    if (rc != EXIT_DONE)
        return rc;
    const struct node *node = overview_find(&ctl->admin, &overview, ctl->arguments->words.items[1]);
    if (node != NULL) {
        snprintf(drain->id, sizeof drain->id, "%s", node->id);
        terminal_clean(node->name, drain->name, sizeof drain->name);
    }
    overview_close(&overview);
    return node != NULL ? EXIT_DONE : EXIT_REFUSED;
}

int drain_run(struct ctl *ctl) {
    struct drain drain = {.held_last = -1};
    if (arguments_have(ctl->arguments, OPTION_WATCH) && arguments_have(ctl->arguments, OPTION_CANCEL))
        return usage_wrong("drain: --watch and --cancel do not go together");
    int rc = node_choose(ctl, &drain);
    if (rc == EXIT_DONE)
        rc = ask(ctl, &drain);
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_WATCH))
        rc = watch_run(ctl, false, look, &drain);
    return rc;
}
