/* weftctl split: the cluster is to have more ranges; with --watch until it has them. */
#include <stdio.h>
#include <stdlib.h>

#include "node/ctl/bar.h"
#include "node/ctl/human.h"
#include "node/ctl/watch.h"

#define BAR_COLUMNS 30
#define NUMBER_DIGITS_MAX 6

struct split {
    size_t wanted;
    size_t before; /* ranges at the first look */
    size_t last;   /* at the last one; 0: there was none */
    double since_s;
};

static size_t leaderless(const struct overview *overview) {
    size_t count = 0;
    for (size_t i = 0; i < overview->ranges_count; i++)
        count += overview->ranges[i].primary[0] == 0;
    return count;
}

static void draw_time_left(const struct split *split, FILE *out) {
    char text[HUMAN_BYTES_MAX];
    double made = (double)(split->last - split->before), passed_s = watch_now_s() - split->since_s;
    if (made > 0 && split->last < split->wanted)
        fprintf(out, ", about %s left", human_seconds((double)(split->wanted - split->last) * passed_s / made, text));
}

static void draw(const struct split *split, struct watch *watch, const struct overview *overview) {
    const struct terminal *terminal = &watch->ctl->terminal;
    char bar[BAR_BYTES_MAX];
    size_t to_make = split->wanted - split->before, waiting = leaderless(overview);
    double done = to_make > 0 ? (double)(split->last - split->before) / (double)to_make : 1;
    FILE *out = screen_begin(&watch->screen);
    fprintf(out, "%s  %s %3.0f %%  %zu of %zu ranges", split->last < split->wanted ? "splitting" : "split    ",
            bar_draw(terminal, done, BAR_COLUMNS, bar), done * 100, split->last, split->wanted);
    draw_time_left(split, out);
    fputc('\n', out);
    if (waiting > 0)
        fprintf(out, "%s%zu range%s nobody to halve %s%s\n", terminal_tint(terminal, TINT_CAUTION), waiting,
                waiting == 1 ? " has" : "s have", waiting == 1 ? "it" : "them", terminal_tint(terminal, TINT_NONE));
    screen_show(&watch->screen);
}

static bool look(void *context, struct watch *watch, const struct overview *overview, int *rc) {
    struct split *split = context;
    size_t count = overview->ranges_count;
    (void)rc;
    if (split->last == 0) {
        split->before = count < split->wanted ? count : split->wanted;
        split->since_s = watch_now_s();
    }
    bool has_changed = count != split->last;
    split->last = count < split->before ? split->before : count;
    if (arguments_have(watch->ctl->arguments, OPTION_JSON)) {
        ctl_print_json(overview->root, true);
        fflush(stdout);
    } else if (watch->ctl->terminal.is_terminal) {
        draw(split, watch, overview);
    } else if (has_changed) {
        watch_tell(watch, "%zu of %zu ranges", count, split->wanted);
    }
    return count >= split->wanted;
}

static int ask(struct ctl *ctl, const struct split *split) {
    json_t *body = json_pack("{s:i}", "ranges", (int)split->wanted);
    int rc;
    if (arguments_have(ctl->arguments, OPTION_WATCH))
        rc = ctl_ask(ctl, "POST", "/admin/split", body, "ranges are halved until there are %zu", split->wanted);
    else
        rc = ctl_ask(ctl, "POST", "/admin/split", body,
                     "ranges are halved until there are %zu; weftctl split %zu --watch shows it until the end",
                     split->wanted, split->wanted);
    json_decref(body);
    return rc;
}

int split_run(struct ctl *ctl) {
    struct split split = {0};
    const char *word = ctl->arguments->words.items[1];
    char *end;
    split.wanted = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != 0 || end - word > NUMBER_DIGITS_MAX)
        return usage_wrong("split: how many ranges there should be is a number as 256, not \"%s\"", word);
    int rc = ask(ctl, &split);
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_WATCH))
        rc = watch_run(ctl, false, look, &split);
    return rc;
}
