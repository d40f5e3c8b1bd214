/* weftctl move: a wish about one range, by hand. */
#include <stdio.h>
#include <stdlib.h>

#include "node/ctl/ctl.h"
#include "node/ctl/overview.h"

#define RANGE_DIGITS_MAX 6

/* What to ask for, in words and as the body; both name nodes of the overview. */
struct wish {
    const struct node *from, *to, *primary; /* NULL: not given */
};

static int range_choose(struct ctl *ctl, const struct overview *overview, const struct range **range) {
    const char *word = ctl->arguments->words.items[1];
    char *end;
    unsigned long number = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != 0 || end - word > RANGE_DIGITS_MAX)
        return usage_wrong("move: a range is a number as in weftctl ranges, not \"%s\"", word);
    *range = overview_range(overview, (unsigned)number);
    if (*range != NULL)
        return EXIT_DONE;
    return ctl_complain(ctl, EXIT_REFUSED, "there is no range %lu; the cluster has %zu, weftctl ranges lists them",
                        number, overview->ranges_count);
}

/* `word` NULL: nothing to look for. */
static int node_choose(struct ctl *ctl, const struct overview *overview, const char *word, const struct node **node) {
    *node = word != NULL ? overview_find(&ctl->admin, overview, word) : NULL;
    return word == NULL || *node != NULL ? EXIT_DONE : EXIT_REFUSED;
}

static int ask(struct ctl *ctl, const struct range *range, const struct wish *wish) {
    char path[64];
    int rc;
    snprintf(path, sizeof path, "/admin/ranges/%u/move", range->number);
    json_t *body = wish->primary != NULL ? json_pack("{s:s}", "primary", wish->primary->id)
                                         : json_pack("{s:s,s:s}", "from", wish->from->id, "to", wish->to->id);
    if (wish->primary != NULL)
        rc = ctl_ask(ctl, "POST", path, body, "%s is to lead range %u; weftctl rebalance shows it", wish->primary->name,
                     range->number);
    else
        rc = ctl_ask(ctl, "POST", path, body, "range %u goes from %s to %s; weftctl rebalance shows it", range->number,
                     wish->from->name, wish->to->name);
    json_decref(body);
    return rc;
}

static int choose_and_ask(struct ctl *ctl, const struct overview *overview) {
    const struct arguments *arguments = ctl->arguments;
    const struct range *range;
    struct wish wish;
    int rc = range_choose(ctl, overview, &range);
    if (rc == EXIT_DONE)
        rc = node_choose(ctl, overview, arguments->from, &wish.from);
    if (rc == EXIT_DONE)
        rc = node_choose(ctl, overview, arguments->to, &wish.to);
    if (rc == EXIT_DONE)
        rc = node_choose(ctl, overview, arguments->primary, &wish.primary);
    return rc == EXIT_DONE ? ask(ctl, range, &wish) : rc;
}

int move_run(struct ctl *ctl) {
    const struct arguments *arguments = ctl->arguments;
    bool has_primary = arguments->primary != NULL;
    bool has_ends = arguments->from != NULL && arguments->to != NULL;
    if (has_primary ? arguments->from != NULL || arguments->to != NULL : !has_ends)
        return usage_wrong("move: either --from NODE and --to NODE, or --primary NODE");
    struct overview overview;
    int rc = overview_get(&ctl->admin, &overview);
    if (rc == EXIT_DONE)
        rc = choose_and_ask(ctl, &overview);
    overview_close(&overview);
    return rc;
}
