/* weftctl tokens: users' tokens made and revoked by the operator. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"

static json_t *request(const struct arguments *arguments) {
    json_t *scopes = json_array();
    for (size_t i = 0; i < arguments->scopes.count; i++)
        json_array_append_new(scopes, json_string(arguments->scopes.items[i]));
    if (arguments->scopes.count == 0)
        json_array_append_new(scopes, json_string("chat"));
    json_t *body = json_pack("{s:o,s:i}", "scopes", scopes, "expiresInMinutes", (int)arguments->minutes);
    if (arguments->user != NULL)
        json_object_set_new(body, "userId", json_string(arguments->user));
    return body;
}

static void line_print(const char *title, const char *value) {
    char text[4096];
    terminal_clean(value, text, sizeof text);
    printf("%-8s %s\n", title, text);
}

static int create(struct ctl *ctl) {
    json_t *answer, *body = request(ctl->arguments);
    int rc = admin_call(&ctl->admin, "POST", "/admin/tokens", body, &answer);
    json_decref(body);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON)) {
        ctl_print_json(answer, false);
    } else {
        line_print("user", field_text(answer, "userId"));
        line_print("expires", field_text(answer, "expiresOn"));
        line_print("token", field_text(answer, "token"));
    }
    json_decref(answer);
    return EXIT_DONE;
}

static int revoke(struct ctl *ctl) {
    const char *user = ctl->arguments->words.items[2];
    char segment[ADMIN_PATH_BYTES_MAX], path[ADMIN_PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "/admin/tokens/%s", admin_segment(user, segment));
    return ctl_ask(ctl, "DELETE", path, NULL, "every token of %s made until now is revoked", user);
}

int tokens_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    const unsigned of_create = OPTION_USER | OPTION_SCOPE | OPTION_MINUTES;
    if (strcmp(words->items[1], "create") == 0 && words->count == 2)
        return create(ctl);
    if (strcmp(words->items[1], "revoke") == 0 && words->count == 3 && (ctl->arguments->given & of_create) == 0)
        return revoke(ctl);
    return usage_wrong("tokens: either create [--user ID] [--scope chat] [--expires-in MINUTES], or revoke ID");
}
