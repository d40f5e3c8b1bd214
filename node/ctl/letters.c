#include "node/ctl/letters.h"

#include <stdio.h>
#include <string.h>

#include "node/ctl/fields.h"
#include "node/ctl/table.h"

static const struct column columns[] = {{.title = "NODE", .is_spare = 2},
                                        {.title = "HAPPENED"},
                                        {.title = "REASON"},
                                        {.title = "OUTCOME", .is_spare = 1},
                                        {.title = "TRIES", .is_number = true},
                                        {.title = "TYPE"},
                                        {.title = "ID", .is_spare = 3}};

/* ---- asked ---- */

/* False: nobody says where it is. */
static bool access_to(const struct ctl *ctl, const json_t *node, struct access *access) {
    const char *url = field_text(node, "publicUrl");
    *access = ctl->access;
    access->endpoints_count = 1;
    if (field_is(node, "isThisNode")) {
        memcpy(access->endpoints[0], ctl->access.endpoints[ctl->admin.current], sizeof access->endpoints[0]);
        return true;
    }
    return access_endpoint_read(url, access->endpoints[0], sizeof access->endpoints[0]) == NULL;
}

static void silence_say(const json_t *node, const char *why) {
    char name[256], clean[COMPLAINT_BYTES_MAX];
    terminal_clean(field_text(node, "name"), name, sizeof name);
    terminal_clean(why, clean, sizeof clean);
    fprintf(stderr, "weftctl: what %s has given up is not known: %s\n", name, clean);
}

static void letters_add(json_t *all, const json_t *node, const json_t *answer) {
    const json_t *letters = field_array(answer, "value");
    for (size_t i = 0; i < json_array_size(letters); i++) {
        json_t *letter = json_copy(json_array_get(letters, i));
        json_object_set_new(letter, "node", json_string(field_text(node, "name")));
        json_array_append_new(all, letter);
    }
}

static int node_ask(const struct ctl *ctl, const json_t *node, const char *path, json_t *all) {
    struct access access;
    struct admin admin;
    json_t *answer;
    if (!field_is(node, "isAlive") || !access_to(ctl, node, &access)) {
        silence_say(node, field_is(node, "isAlive") ? "it does not say where it is" : "it is silent");
        return EXIT_UNREACHABLE;
    }
    admin_init(&admin, &access);
    int rc = admin_call(&admin, "GET", path, NULL, &answer);
    if (rc == EXIT_DONE)
        letters_add(all, node, answer);
    else
        silence_say(node, admin.complaint);
    json_decref(answer);
    admin_close(&admin);
    return rc;
}

/* ---- shown ---- */

static const char *type_of(const json_t *letter) {
    static const char prefix[] = "Microsoft.Communication.";
    const char *grid = field_text(letter, "eventType");
    const char *type = grid[0] != 0 ? grid : field_text(letter, "type");
    return strncmp(type, prefix, sizeof prefix - 1) == 0 ? type + sizeof prefix - 1 : type;
}

static void letters_print(const struct ctl *ctl, const json_t *all) {
    struct table table;
    table_init(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *letter = json_array_get(all, i);
        table_add(&table, TINT_NONE, "%s", field_text(letter, "node"));
        table_add(&table, TINT_NONE, "%s", field_text(letter, "publishTime"));
        table_add(&table, TINT_CAUTION, "%s", field_text(letter, "deadLetterReason"));
        table_add(&table, TINT_NONE, "%s", field_text(letter, "lastDeliveryOutcome"));
        table_add(&table, TINT_NONE, "%.0f", field_number(letter, "deliveryAttempts"));
        table_add(&table, TINT_NONE, "%s", type_of(letter));
        table_add(&table, TINT_NONE, "%s", field_text(letter, "id"));
    }
    table_print(&table, &ctl->terminal, stdout);
    table_close(&table);
}

int letters_show(struct ctl *ctl, const char *path) {
    json_t *cluster, *all = json_array();
    int rc = admin_call(&ctl->admin, "GET", "/admin/cluster", NULL, &cluster);
    const json_t *nodes = field_array(cluster, "nodes");
    bool is_whole = true;
    for (size_t i = 0; rc == EXIT_DONE && i < json_array_size(nodes); i++)
        is_whole = node_ask(ctl, json_array_get(nodes, i), path, all) == EXIT_DONE && is_whole;
    if (rc == EXIT_DONE && arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(all, false);
    else if (rc == EXIT_DONE && is_whole && json_array_size(all) == 0)
        puts("nothing was given up");
    else if (rc == EXIT_DONE)
        letters_print(ctl, all);
    json_decref(all);
    json_decref(cluster);
    if (rc == EXIT_DONE && !is_whole)
        return ctl_complain(ctl, EXIT_REFUSED, "not every node was heard");
    return rc;
}
