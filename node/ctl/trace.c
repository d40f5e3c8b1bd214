/* weftctl trace: the way of a message from its receipt to everyone who was told of it. */
#include <stdio.h>
#include <string.h>

#include "node/ctl/ctl.h"
#include "node/ctl/fields.h"
#include "node/ctl/human.h"
#include "node/ctl/way_print.h"

#define TEXT_BYTES_MAX 512
#define WORD_BYTES_MAX 300 /* of an id, with room for being escaped */

static void clean_print(const char *text) {
    char clean[TEXT_BYTES_MAX];
    terminal_clean(text, clean, sizeof clean);
    fputs(clean, stdout);
}

/* To the microsecond, in the zone of whoever looks. */
static void moment_print(double us) {
    char text[HUMAN_BYTES_MAX];
    printf("%s.%06.0f", human_time(us / 1000, text), us - (double)((long long)us / 1000000 * 1000000));
}

/* ---- what it is, and whose ---- */

static void when_print(const json_t *message, const char *name, const char *word) {
    char text[HUMAN_BYTES_MAX];
    double time_ms = field_number(message, name);
    if (time_ms > 0)
        printf(", %s %s", word, human_time(time_ms, text));
}

static void message_print(const json_t *answer) {
    const json_t *message = field_object(answer, "message");
    const char *sender = way_user(field_object(message, "sender"));
    if (message != NULL) {
        fputs("message   ", stdout);
        clean_print(field_text(message, "id"));
        fputs(", ", stdout);
        clean_print(field_text(message, "type"));
        fputs(sender[0] != 0 ? ", from " : "", stdout);
        clean_print(sender);
        when_print(message, "createdAt", "sent");
        when_print(message, "editedAt", "edited");
        when_print(message, "deletedAt", "deleted");
        putchar('\n');
    }
    fputs("thread    ", stdout);
    clean_print(field_text(answer, "thread"));
    putchar('\n');
}

static void names_print(const char *title, const json_t *nodes, const json_t *ids, const char *except) {
    bool is_first = true;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (id == NULL || strcmp(id, except) == 0)
            continue;
        fputs(is_first ? title : ", ", stdout);
        clean_print(way_node_name(nodes, id));
        is_first = false;
    }
}

static void owner_print(const json_t *answer, const json_t *nodes) {
    const json_t *owner = field_object(answer, "owner");
    const json_t *in_sync = field_array(owner, "inSync"), *learners = field_array(owner, "learners");
    const char *primary = field_text(owner, "primary");
    if (owner == NULL)
        return;
    fputs("owner     ", stdout);
    clean_print(primary[0] != 0 ? way_node_name(nodes, primary) : "nobody");
    printf(" leads range %.0f, epoch %.0f", field_number(owner, "range"), field_number(owner, "epoch"));
    names_print("; in sync: ", nodes, in_sync, primary);
    names_print("; learning: ", nodes, learners, "");
    putchar('\n');
}

/* ---- what is lacking ---- */

static bool text_is(const json_t *object, const char *name, const char *text) {
    return strcmp(field_text(object, name), text) == 0;
}

/* By the message, where the change itself is not remembered; 0: not known. */
static double changed_us(const json_t *answer, const struct way *way) {
    const json_t *message = field_object(answer, "message");
    const char *name = strcmp(way->kind, "messageEdited") == 0    ? "editedAt"
                       : strcmp(way->kind, "messageDeleted") == 0 ? "deletedAt"
                                                                  : "createdAt";
    return way->began_us > 0 ? way->began_us : field_number(message, name) * 1000;
}

static void forgotten_print(const struct terminal *terminal, const json_t *node, const char *name, const char *what,
                            double changed_us) {
    double from_us = field_number(node, name);
    if (from_us == 0 || (changed_us > 0 && changed_us >= from_us))
        return;
    fputs(terminal_tint(terminal, TINT_CAUTION), stdout);
    clean_print(field_text(node, "name"));
    fputs(changed_us > 0 ? " no longer remembers " : " remembers no further back ", stdout);
    printf("%s: only from ", what);
    moment_print(from_us);
    printf(" on%s\n", terminal_tint(terminal, TINT_NONE));
}

static void memory_print(const struct terminal *terminal, const json_t *node, double changed_us) {
    if (text_is(node, "answer", "off")) {
        clean_print(field_text(node, "name"));
        puts(" remembers nothing: trace_events is 0 there");
        return;
    }
    forgotten_print(terminal, node, "logFromUs", "the log", changed_us);
    forgotten_print(terminal, node, "toldFromUs", "whom it told", changed_us);
    if (field_is(node, "isCut")) {
        clean_print(field_text(node, "name"));
        puts(" remembers more than it could tell");
    }
}

static void memories_print(const struct terminal *terminal, const json_t *nodes, double changed_us) {
    for (size_t i = 0; i < json_array_size(nodes); i++)
        memory_print(terminal, json_array_get(nodes, i), changed_us);
}

/* Every node remembers whom it told of the change. */
static bool is_all_remembered(const json_t *nodes, double changed_us) {
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        bool remembers = text_is(node, "answer", "remembers") && !field_is(node, "isCut");
        if (!remembers || changed_us == 0 || changed_us < field_number(node, "toldFromUs"))
            return false;
    }
    return true;
}

/* Who was not heard, by name; false: everybody was. */
static bool unheard_name(const json_t *nodes, char *out, size_t out_bytes) {
    out[0] = 0;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        bool is_silent = text_is(node, "answer", "silent");
        size_t used = strlen(out);
        if (is_silent || text_is(node, "answer", "none"))
            snprintf(out + used, out_bytes - used, "%s%s %s", used > 0 ? ", " : "", field_text(node, "name"),
                     is_silent ? "is silent" : "did not answer in time");
    }
    return out[0] != 0;
}

/* ---- when ---- */

/* How far apart clocks are, where it is more than how exactly that is known. */
static void clocks_print(const json_t *nodes) {
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        double ahead_us = field_number(node, "aheadUs"), uncertain_us = field_number(node, "uncertainUs");
        double apart_us = ahead_us < 0 ? -ahead_us : ahead_us;
        if (uncertain_us == 0)
            continue;
        fputs("clock     ", stdout);
        clean_print(field_text(node, "name"));
        if (apart_us > uncertain_us)
            printf(": %.3f ms %s, give or take %.3f; its times are set right by that\n", apart_us / 1000,
                   ahead_us < 0 ? "behind" : "ahead", uncertain_us / 1000);
        else
            printf(": agrees within %.3f ms\n", uncertain_us / 1000);
    }
}

static const char *kind_words(const char *kind) {
    static const char *const words[][2] = {{"messageReceived", "message received"},
                                           {"messageEdited", "message edited"},
                                           {"messageDeleted", "message deleted"},
                                           {"threadCreated", "thread created"},
                                           {"threadUpdated", "thread updated"},
                                           {"participantsAdded", "participants added"},
                                           {"participantsRemoved", "participants removed"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], kind) == 0)
            return words[i][1];
    return "change";
}

static void change_print(const struct terminal *terminal, const json_t *answer, const json_t *object) {
    const json_t *nodes = field_array(answer, "nodes");
    struct way way;
    way_take(object, &way);
    printf("\n%s%s%s, offset %.0f", terminal_tint(terminal, TINT_TITLE), kind_words(way.kind),
           terminal_tint(terminal, TINT_NONE), way.offset);
    if (way.began_us > 0) {
        fputs(": milliseconds from ", stdout);
        moment_print(way.began_us);
        puts(" on\n");
    } else {
        puts(": nothing of it is remembered any more\n");
    }
    double when_us = changed_us(answer, &way);
    way_print(terminal, nodes, field_text(field_object(answer, "owner"), "primary"), &way,
              is_all_remembered(nodes, when_us), stdout);
    memories_print(terminal, nodes, when_us);
    way_close(&way);
}

static void answer_print(const struct terminal *terminal, const json_t *answer) {
    const json_t *nodes = field_array(answer, "nodes"), *changes = field_array(answer, "changes");
    message_print(answer);
    owner_print(answer, nodes);
    clocks_print(nodes);
    for (size_t i = 0; i < json_array_size(changes); i++)
        change_print(terminal, answer, json_array_get(changes, i));
}

int trace_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    char thread[ADMIN_PATH_BYTES_MAX], message[ADMIN_PATH_BYTES_MAX], path[2 * ADMIN_PATH_BYTES_MAX + 16];
    char unheard[COMPLAINT_BYTES_MAX];
    json_t *answer;
    if (strlen(words->items[1]) > WORD_BYTES_MAX || strlen(words->items[2]) > WORD_BYTES_MAX)
        return usage_wrong("trace: an id has at most %d bytes", WORD_BYTES_MAX);
    snprintf(path, sizeof path, "/admin/trace/%s/%s", admin_segment(words->items[1], thread),
             admin_segment(words->items[2], message));
    int rc = admin_call(&ctl->admin, "GET", path, NULL, &answer);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(answer, false);
    else
        answer_print(&ctl->terminal, answer);
    fflush(stdout);
    if (unheard_name(field_array(answer, "nodes"), unheard, sizeof unheard))
        rc = ctl_complain(ctl, EXIT_REFUSED, "%s: what is known there is lacking", unheard);
    json_decref(answer);
    return rc;
}
