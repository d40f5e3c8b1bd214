/* weftctl bots: users that are programs, and are told what happens in their threads. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"
#include "node/ctl/table.h"

#define BOTS "/admin/bots"
#define PATH_BYTES_MAX (sizeof BOTS + ADMIN_PATH_BYTES_MAX + 1)

enum { OF_CREATE = OPTION_URL | OPTION_USER | OPTION_FILE };

static const struct column columns[] = {
    {.title = "NAME"}, {.title = "MODE", .is_spare = 1}, {.title = "USER", .is_spare = 2}, {.title = "ENDPOINT"}};

static const char *path_of(const struct ctl *ctl, char path[static PATH_BYTES_MAX]) {
    char segment[ADMIN_PATH_BYTES_MAX];
    snprintf(path, PATH_BYTES_MAX, "%s/%s", BOTS, admin_segment(ctl->arguments->words.items[2], segment));
    return path;
}

static void list_print(const struct ctl *ctl, const json_t *answer) {
    const json_t *value = field_array(answer, "value");
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *bot = json_array_get(value, i);
        table_add(&table, TINT_NONE, "%s", field_text(bot, "name"));
        table_add(&table, TINT_NONE, "%s", field_text(bot, "deliveryMode"));
        table_add(&table, TINT_NONE, "%s", field_text(bot, "userId"));
        table_add(&table, TINT_NONE, "%s", field_text(bot, "endpoint"));
    }
    table_print(&table, &ctl->terminal, stdout);
    table_close(&table);
    if (json_array_size(value) == 0)
        puts("there are no bots; weftctl bots create makes one");
}

static int list(struct ctl *ctl) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", BOTS, NULL, &answer);
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else if (rc == EXIT_DONE)
        list_print(ctl, answer);
    json_decref(answer);
    return rc;
}

static int show(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", path_of(ctl, path), NULL, &answer);
    if (rc == EXIT_DONE)
        ctl_print_json(answer, false);
    json_decref(answer);
    return rc;
}

static int delete_(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    return ctl_ask(ctl, "DELETE", path_of(ctl, path), NULL, "%s is told nothing more; its user stays",
                   ctl->arguments->words.items[2]);
}

static void line_print(const char *title, const char *value) {
    char text[4096];
    terminal_clean(value, text, sizeof text);
    if (text[0] != 0)
        printf("%-9s %s\n", title, text);
}

static void bot_print(const json_t *bot) {
    line_print("name", field_text(bot, "name"));
    line_print("user", field_text(bot, "userId"));
    line_print("endpoint", field_text(bot, "endpoint"));
    line_print("mode", field_text(bot, "deliveryMode"));
    line_print("secret", field_text(bot, "secret"));
    if (field_text(bot, "secret")[0] != 0)
        puts(
            "The secret is not shown again. Activities are signed with it (Standard Webhooks), and it gets the bot its "
            "tokens.");
}

/* A token of the named user, or of a new one. */
static int token_make(struct ctl *ctl, const char *user, json_t **answer) {
    json_t *body = json_pack("{s:[s]}", "scopes", "chat");
    if (user != NULL)
        json_object_set_new(body, "userId", json_string(user));
    int rc = admin_call(&ctl->admin, "POST", "/admin/tokens", body, answer);
    json_decref(body);
    return rc;
}

static int is_there(struct ctl *ctl, bool *there) {
    json_t *answer;
    int rc = admin_call(&ctl->admin, "GET", BOTS, NULL, &answer);
    const json_t *value = field_array(answer, "value");
    *there = false;
    for (size_t i = 0; rc == EXIT_DONE && i < json_array_size(value); i++)
        *there = *there || strcmp(field_text(json_array_get(value, i), "name"), ctl->arguments->words.items[2]) == 0;
    json_decref(answer);
    return rc;
}

/* A new bot whose user is not named gets a new one. */
static int user_complete(struct ctl *ctl, json_t *body) {
    json_t *answer;
    bool there;
    if (json_object_get(body, "userId") != NULL)
        return EXIT_DONE;
    int rc = is_there(ctl, &there);
    if (rc != EXIT_DONE || there)
        return rc;
    rc = token_make(ctl, NULL, &answer);
    if (rc == EXIT_DONE)
        json_object_set(body, "userId", json_object_get(answer, "userId"));
    json_decref(answer);
    return rc;
}

/* NULL, after saying why. */
static json_t *request(const struct arguments *arguments) {
    json_error_t error;
    json_t *body = NULL;
    if (arguments->file == NULL) {
        body = json_pack("{s:s}", "endpoint", arguments->url);
    } else {
        body = json_load_file(arguments->file, 0, &error);
        if (!json_is_object(body))
            usage_wrong("%s: %s", arguments->file, body == NULL ? error.text : "it is no JSON object");
    }
    if (json_is_object(body) && arguments->user != NULL)
        json_object_set_new(body, "userId", json_string(arguments->user));
    if (json_is_object(body))
        return body;
    json_decref(body);
    return NULL;
}

static int create(struct ctl *ctl) {
    const struct arguments *arguments = ctl->arguments;
    char path[PATH_BYTES_MAX];
    if ((arguments->file != NULL) == (arguments->url != NULL))
        return usage_wrong("bots create NAME: either --url URL, or --file FILE, and perhaps --user ID");
    json_t *body = request(arguments);
    if (body == NULL)
        return EXIT_USAGE;
    int rc = user_complete(ctl, body);
    if (rc == EXIT_DONE)
        rc = ctl_ask_shown(ctl, "PUT", path_of(ctl, path), body, bot_print);
    json_decref(body);
    return rc;
}

static int token(struct ctl *ctl) {
    char path[PATH_BYTES_MAX];
    json_t *bot, *answer = NULL;
    int rc = admin_call(&ctl->admin, "GET", path_of(ctl, path), NULL, &bot);
    if (rc == EXIT_DONE)
        rc = token_make(ctl, field_text(bot, "userId"), &answer);
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_JSON)) {
        ctl_print_json(answer, false);
    } else if (rc == EXIT_DONE) {
        line_print("user", field_text(answer, "userId"));
        line_print("expires", field_text(answer, "expiresOn"));
        line_print("token", field_text(answer, "token"));
    }
    json_decref(bot);
    json_decref(answer);
    return rc;
}

static const struct verb {
    const char *name;
    size_t words;
    unsigned options; /* of those that not every verb takes */
    int (*run)(struct ctl *ctl);
} verbs[] = {
    {"list", 2, 0, list},      {"show", 3, 0, show},   {"create", 3, OF_CREATE, create},
    {"delete", 3, 0, delete_}, {"token", 3, 0, token},
};

int bots_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words->items[1], verbs[i].name) == 0 && words->count == verbs[i].words &&
            (ctl->arguments->given & OF_CREATE & ~verbs[i].options) == 0)
            return verbs[i].run(ctl);
    return usage_wrong("bots: list, or one of show, create, delete, token and a NAME; see weftctl bots --help");
}
