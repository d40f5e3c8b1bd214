/* weftctl bridges: who may act for users of Teams. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"
#include "node/ctl/subscriptions.h"
#include "node/ctl/table.h"

#define BRIDGES "/admin/bridges"
#define SUBSCRIPTIONS "/admin/events/subscriptions"
#define PATH_BYTES_MAX (sizeof SUBSCRIPTIONS + ADMIN_PATH_BYTES_MAX + 1)
#define FILTER_BYTES_MAX 512

static const struct column columns[] = {{.title = "NAME"}, {.title = "ACTS FOR"}};

static const char *path_of(const struct ctl *ctl, const char *folder, char path[static PATH_BYTES_MAX]) {
    char segment[ADMIN_PATH_BYTES_MAX];
    snprintf(path, PATH_BYTES_MAX, "%s/%s", folder, admin_segment(ctl->arguments->words.items[2], segment));
    return path;
}

/* A line for each identity, the name in front of the first. */
static void rows_add(struct table *table, const json_t *bridge) {
    const json_t *identities = field_array(bridge, "identities");
    for (size_t i = 0; i < json_array_size(identities); i++) {
        const char *identity = json_string_value(json_array_get(identities, i));
        table_add(table, TINT_NONE, "%s", i == 0 ? field_text(bridge, "name") : "");
        table_add(table, TINT_NONE, "%s", identity == NULL ? "" : identity);
    }
}

static void bridges_print(const struct ctl *ctl, const json_t *bridges) {
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < json_array_size(bridges); i++)
        rows_add(&table, json_array_get(bridges, i));
    table_print(&table, &ctl->terminal, stdout);
    table_close(&table);
}

static int list(struct ctl *ctl) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", BRIDGES, NULL, &answer);
    if (rc != EXIT_DONE)
        return rc;
    const json_t *value = field_array(answer, "value");
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else if (json_array_size(value) == 0)
        puts("nobody acts for users of Teams; weftctl bridges create makes a bridge");
    else
        bridges_print(ctl, value);
    json_decref(answer);
    return EXIT_DONE;
}

static int show(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", path_of(ctl, BRIDGES, path), NULL, &answer);
    if (rc == EXIT_DONE)
        ctl_print_json(answer, false);
    json_decref(answer);
    return rc;
}

/* Of every event there is one for each person it is told to, whose id ends its subject. */
static json_t *filter_of(const struct list *identities) {
    json_t *values = json_array();
    for (size_t i = 0; i < identities->count; i++) {
        char value[FILTER_BYTES_MAX];
        int size = snprintf(value, sizeof value, "/recipient/%s", identities->items[i]);
        if (size > 0 && size < (int)sizeof value && value[size - 1] == '*')
            value[size - 1] = 0;
        json_array_append_new(values, json_string(value));
    }
    return json_pack("{s:[{s:s,s:s,s:o}]}", "advancedFilters", "operatorType", "StringContains", "key", "subject",
                     "values", values);
}

static int subscribe(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    json_t *body =
        json_pack("{s:s,s:o}", "endpoint", ctl->arguments->url, "filter", filter_of(&ctl->arguments->identities));
    if (body == NULL)
        return usage_wrong("bridges create: --url and --identity must be UTF-8");
    int rc = ctl_ask_shown(ctl, "PUT", path_of(ctl, SUBSCRIPTIONS, path), body, subscription_print);
    json_decref(body);
    return rc;
}

static int create(struct ctl *ctl) {
    const struct list *identities = &ctl->arguments->identities;
    char path[PATH_BYTES_MAX];
    if (identities->count == 0)
        return usage_wrong("bridges create NAME: at least one --identity says for whom it may act");
    json_t *list = json_array();
    for (size_t i = 0; i < identities->count; i++)
        json_array_append_new(list, json_string(identities->items[i]));
    json_t *body = json_pack("{s:o}", "identities", list);
    int rc =
        ctl_ask(ctl, "PUT", path_of(ctl, BRIDGES, path), body, "%s may act for them", ctl->arguments->words.items[2]);
    json_decref(body);
    return rc == EXIT_DONE && ctl->arguments->url != NULL ? subscribe(ctl) : rc;
}

static int delete_(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    return ctl_ask(ctl, "DELETE", path_of(ctl, BRIDGES, path), NULL, "%s acts for nobody any more",
                   ctl->arguments->words.items[2]);
}

static const struct verb {
    const char *name;
    size_t words;
    unsigned options; /* of those that not every verb takes */
    int (*run)(struct ctl *ctl);
} verbs[] = {
    {"list", 2, 0, list},
    {"show", 3, 0, show},
    {"create", 3, OPTION_IDENTITY | OPTION_URL, create},
    {"delete", 3, 0, delete_},
};

int bridges_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words->items[1], verbs[i].name) == 0 && words->count == verbs[i].words &&
            (ctl->arguments->given & (OPTION_IDENTITY | OPTION_URL) & ~verbs[i].options) == 0)
            return verbs[i].run(ctl);
    return usage_wrong("bridges: list, or one of show, create, delete and a NAME; see weftctl bridges --help");
}
