/* weftctl events: who gets server events, samples of them, what is sent again, and what was given up. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"
#include "node/ctl/letters.h"
#include "node/ctl/subscriptions.h"
#include "node/ctl/table.h"

#define SUBSCRIPTIONS "/admin/events/subscriptions"
#define PATH_BYTES_MAX (sizeof SUBSCRIPTIONS + ADMIN_PATH_BYTES_MAX + 16)

enum { OF_CREATE = OPTION_URL | OPTION_SCHEMA | OPTION_FILE, OF_VERBS = OF_CREATE | OPTION_TYPE | OPTION_FROM };

static const struct column columns[] = {{.title = "NAME"},
                                        {.title = "STATE"},
                                        {.title = "SCHEMA", .is_spare = 1},
                                        {.title = "TYPES", .is_number = true, .is_spare = 2},
                                        {.title = "ENDPOINT"}};

static const char *path_of(const struct ctl *ctl, const char *behind, char path[static PATH_BYTES_MAX]) {
    char segment[ADMIN_PATH_BYTES_MAX];
    snprintf(path, PATH_BYTES_MAX, "%s/%s%s", SUBSCRIPTIONS, admin_segment(ctl->arguments->words.items[2], segment),
             behind);
    return path;
}

static void row_add(struct table *table, const json_t *subscription) {
    const char *state = field_text(subscription, "state");
    bool is_active = strcmp(state, "active") == 0;
    const json_t *types = field_array(field_object(subscription, "filter"), "includedEventTypes");
    table_add(table, TINT_NONE, "%s", field_text(subscription, "name"));
    table_add(table, is_active ? TINT_NONE : TINT_CAUTION, "%s", is_active ? "active" : "not validated");
    table_add(table, TINT_NONE, "%s", field_text(subscription, "schema"));
    table_add(table, TINT_NONE, "%zu", json_array_size(types));
    table_add(table, TINT_NONE, "%s", field_text(subscription, "endpoint"));
}

static void list_print(const struct ctl *ctl, const json_t *answer) {
    const json_t *value = field_array(answer, "value");
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < json_array_size(value); i++)
        row_add(&table, json_array_get(value, i));
    table_print(&table, &ctl->terminal, stdout);
    table_close(&table);
    if (json_array_size(value) == 0)
        puts("nobody gets server events; weftctl events create makes a subscription");
}

static int list(struct ctl *ctl) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", SUBSCRIPTIONS, NULL, &answer);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else
        list_print(ctl, answer);
    json_decref(answer);
    return EXIT_DONE;
}

static int show(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", path_of(ctl, "", path), NULL, &answer);
    if (rc == EXIT_DONE)
        ctl_print_json(answer, false);
    json_decref(answer);
    return rc;
}

static int delete_(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    return ctl_ask(ctl, "DELETE", path_of(ctl, "", path), NULL, "%s gets no more events",
                   ctl->arguments->words.items[2]);
}

static void line_print(const char *title, const char *value) {
    char text[4096];
    terminal_clean(value, text, sizeof text);
    if (text[0] != 0)
        printf("%-10s %s\n", title, text);
}

void subscription_print(const json_t *subscription) {
    const json_t *secrets = field_array(subscription, "secrets");
    line_print("name", field_text(subscription, "name"));
    line_print("state", field_text(subscription, "state"));
    line_print("until", field_text(subscription, "validateUntil"));
    line_print("because", field_text(subscription, "message"));
    for (size_t i = 0; i < json_array_size(secrets); i++)
        line_print("secret", json_string_value(json_array_get(secrets, i)));
    if (json_array_size(secrets) > 0)
        puts("The secret is not shown again. Deliveries are signed with it (Standard Webhooks).");
}

static int validate(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    return ctl_ask_shown(ctl, "POST", path_of(ctl, "/validate", path), NULL, subscription_print);
}

/* NULL, after saying why. */
static json_t *request_from_file(const char *file) {
    json_error_t error;
    json_t *body = json_load_file(file, 0, &error);
    if (body == NULL && error.line > 0)
        usage_wrong("%s, line %d: %s", file, error.line, error.text);
    else if (body == NULL)
        usage_wrong("%s", error.text);
    return body;
}

static json_t *request_from_options(const struct arguments *arguments) {
    const char *schema = arguments->schema != NULL ? arguments->schema : "eventgrid";
    bool is_cloud = strcmp(schema, "cloudevents") == 0;
    if (!is_cloud && strcmp(schema, "eventgrid") != 0) {
        usage_wrong("--schema is eventgrid or cloudevents, not \"%s\"", schema);
        return NULL;
    }
    json_t *types = json_array();
    for (size_t i = 0; i < arguments->types.count; i++)
        json_array_append_new(types, json_string(arguments->types.items[i]));
    return json_pack("{s:s,s:s,s:{s:o}}", "endpoint", arguments->url, "schema",
                     is_cloud ? "CloudEventSchemaV1_0" : "EventGridSchema", "filter", "includedEventTypes", types);
}

static int create(struct ctl *ctl) {
    const struct arguments *arguments = ctl->arguments;
    char path[PATH_BYTES_MAX];
    bool has_others = (arguments->given & (OPTION_URL | OPTION_SCHEMA | OPTION_TYPE)) != 0;
    if ((arguments->file != NULL) == (arguments->url != NULL) || (arguments->file != NULL && has_others))
        return usage_wrong("events create NAME: either --url URL [--schema SCHEMA] [--type TYPE]..., or --file FILE");
    json_t *body = arguments->file != NULL ? request_from_file(arguments->file) : request_from_options(arguments);
    if (body == NULL)
        return EXIT_USAGE;
    int rc = ctl_ask_shown(ctl, "PUT", path_of(ctl, "", path), body, subscription_print);
    json_decref(body);
    return rc;
}

static void sample_print(const json_t *answer) {
    char status[32] = "";
    double took_ms = field_number(answer, "tookMs");
    if (field_number(answer, "statusCode") > 0)
        snprintf(status, sizeof status, "%.0f", field_number(answer, "statusCode"));
    line_print("delivered", field_is(answer, "isDelivered") ? "yes" : "no");
    line_print("answer", status);
    line_print("because", field_text(answer, "failure"));
    printf("%-10s %.0f ms\n", "took", took_ms);
    line_print("event", field_text(field_object(answer, "event"), "id"));
    if (!field_is(answer, "isWanted"))
        puts("Its filter leaves such an event out; samples are sent all the same.");
}

static int test(struct ctl *ctl) {
    const struct list *types = &ctl->arguments->types;
    char path[PATH_BYTES_MAX];
    json_t *answer;
    if (types->count > 1)
        return usage_wrong("events test takes one --type");
    json_t *body = types->count == 0 ? NULL : json_pack("{s:s}", "eventType", types->items[0]);
    int rc = admin_call(&ctl->admin, "POST", path_of(ctl, "/test", path), body, &answer);
    json_decref(body);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else
        sample_print(answer);
    rc = field_is(answer, "isDelivered") ? EXIT_DONE : ctl_complain(ctl, EXIT_REFUSED, "the sample was not accepted");
    json_decref(answer);
    return rc;
}

static void replay_print(const json_t *answer) {
    line_print("name", field_text(answer, "name"));
    line_print("from", field_text(answer, "replayedFrom"));
    line_print("but", field_text(answer, "message"));
}

static int replay(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    if (ctl->arguments->from == NULL)
        return usage_wrong("events replay NAME --from TIME, which is as 2026-01-31T12:00:00Z");
    json_t *body = json_pack("{s:s}", "from", ctl->arguments->from);
    if (body == NULL)
        return usage_wrong("--from is not UTF-8");
    int rc = ctl_ask_shown(ctl, "POST", path_of(ctl, "/replay", path), body, replay_print);
    json_decref(body);
    return rc;
}

static int dead_letters(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    return letters_show(ctl, path_of(ctl, "/dead-letters", path));
}

static const struct verb {
    const char *name;
    size_t words;
    unsigned options; /* of those that not every verb takes */
    int (*run)(struct ctl *ctl);
} verbs[] = {
    {"list", 2, 0, list},
    {"show", 3, 0, show},
    {"create", 3, OF_CREATE | OPTION_TYPE, create},
    {"validate", 3, 0, validate},
    {"test", 3, OPTION_TYPE, test},
    {"delete", 3, 0, delete_},
    {"replay", 3, OPTION_FROM, replay},
    {"dead-letters", 3, 0, dead_letters},
};

int events_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words->items[1], verbs[i].name) == 0 && words->count == verbs[i].words &&
            (ctl->arguments->given & OF_VERBS & ~verbs[i].options) == 0)
            return verbs[i].run(ctl);
    return usage_wrong("events: list, or one of show, create, validate, test, replay, dead-letters, delete and a NAME; "
                       "see weftctl events --help");
}
