/* weftctl import: a dump becomes part of the cluster, by its admin interface. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node/ctl/advance.h"
#include "node/ctl/dump.h"
#include "node/ctl/exporting.h"
#include "node/ctl/fields.h"
#include "node/ctl/importing.h"
#include "node/ctl/watch.h"

#define PATH_BYTES_MAX 4096
#define BATCH_MESSAGES_MAX 200
#define BATCH_BYTES_MAX (256U * 1024) /* of lines; a node takes 1 MB, and one line of 28 KB escaped may have 170 KB */
#define PATIENCE_S 120.0              /* with nodes that end, start or hand over */
#define PAUSE_S 0.5
#define REFUSALS_SHOWN_MAX 20

struct import {
    struct ctl *ctl;
    struct advance advance;
    struct dump dump;
    struct dump_counts totals;
    char state_path[PATH_BYTES_MAX];
    char exported_on[64];
    uint64_t threads_new, messages_new, users_new, refused, attachments;
    bool is_thread_refused; /* the one whose messages come */
    json_t *batch;
    size_t batch_bytes;
    uint64_t thread_position;         /* where the thread begins whose messages come */
    struct dump_counts counts_before; /* the thread */
};

/* ---- asking ---- */

static void pause_a_while(void) {
    struct timespec left = {.tv_nsec = (long)(PAUSE_S * 1e9)};
    nanosleep(&left, NULL);
}

/* Whatever was asked may be asked again, so silence is no reason to end at once. */
static int ask(struct import *import, const char *method, const char *path, const json_t *body, bool *is_new) {
    double end_s = watch_now_s() + PATIENCE_S;
    json_t *answer;
    int rc;
    while ((rc = admin_call(&import->ctl->admin, method, path, body, &answer)) == EXIT_UNREACHABLE &&
           watch_now_s() < end_s)
        pause_a_while();
    *is_new = rc == EXIT_DONE && field_is(answer, "isNew");
    json_decref(answer);
    return rc;
}

/* A refusal of one thing leaves the others to go on with. */
static int refusal_tell(struct import *import, int rc, const char *what, const char *id) {
    if (rc != EXIT_REFUSED)
        return rc;
    import->refused++;
    advance_end(&import->advance);
    if (import->refused <= REFUSALS_SHOWN_MAX)
        fprintf(stderr, "weftctl: %s %s: %s\n", what, id, import->ctl->admin.complaint);
    if (import->refused == REFUSALS_SHOWN_MAX)
        fputs("weftctl: further refusals are only counted\n", stderr);
    import->ctl->admin.complaint[0] = 0;
    return EXIT_DONE;
}

/* ---- how far an earlier run has come ---- */

static int state_write(struct import *import) {
    char next[PATH_BYTES_MAX + 8];
    const struct dump_counts *counts = &import->counts_before;
    json_t *state = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "exportedOn", import->exported_on, "position",
                              (json_int_t)import->thread_position, "users", (json_int_t)counts->users, "threads",
                              (json_int_t)counts->threads, "messages", (json_int_t)counts->messages, "deletedThreads",
                              (json_int_t)counts->deleted_threads);
    snprintf(next, sizeof next, "%s.next", import->state_path);
    bool is_written = json_dump_file(state, next, JSON_COMPACT) == 0 && rename(next, import->state_path) == 0;
    json_decref(state);
    return is_written ? EXIT_DONE
                      : ctl_complain(import->ctl, EXIT_REFUSED, "%s: %s", import->state_path, strerror(errno));
}

/* False: there is none, or of another dump. */
static bool state_read(struct import *import, uint64_t *position, struct dump_counts *counts) {
    json_error_t error;
    json_t *state = json_load_file(import->state_path, 0, &error);
    bool is_of_this = state != NULL && strcmp(field_text(state, "exportedOn"), import->exported_on) == 0;
    *position = (uint64_t)field_number(state, "position");
    *counts = (struct dump_counts){.users = (uint64_t)field_number(state, "users"),
                                   .threads = (uint64_t)field_number(state, "threads"),
                                   .messages = (uint64_t)field_number(state, "messages"),
                                   .deleted_threads = (uint64_t)field_number(state, "deletedThreads")};
    json_decref(state);
    return is_of_this && *position > 0;
}

/* ---- messages ---- */

static int messages_ask(struct import *import, json_t *messages, bool *is_new) {
    char segment[ADMIN_PATH_BYTES_MAX], path[ADMIN_PATH_BYTES_MAX + 40];
    json_t *body = json_pack("{s:O}", "messages", messages);
    /* Not the dump's thread: it may have gone on to the next. */
    const char *thread = field_text(json_array_get(messages, 0), "thread");
    snprintf(path, sizeof path, "/admin/import/threads/%s/messages", admin_segment(thread, segment));
    int rc = ask(import, "POST", path, body, is_new);
    import->messages_new += *is_new ? json_array_size(messages) : 0;
    json_decref(body);
    return rc;
}

/* Of a batch that is refused each message is tried by itself, so that one that cannot be taken keeps no other out. */
static int messages_ask_singly(struct import *import) {
    const json_t *message;
    size_t i;
    int rc = EXIT_DONE;
    json_array_foreach(import->batch, i, message) {
        bool is_new;
        json_t *one = json_pack("[O]", message);
        rc = refusal_tell(import, messages_ask(import, one, &is_new), "message", field_text(message, "id"));
        json_decref(one);
        if (rc != EXIT_DONE)
            break;
    }
    return rc;
}

static int batch_send(struct import *import) {
    bool is_new;
    if (json_array_size(import->batch) == 0)
        return EXIT_DONE;
    int rc = messages_ask(import, import->batch, &is_new);
    if (rc == EXIT_REFUSED)
        rc = messages_ask_singly(import);
    json_array_clear(import->batch);
    import->batch_bytes = 0;
    advance_show(&import->advance, import->dump.counts.messages, import->totals.messages, "");
    return rc;
}

static int message_take(struct import *import, json_t *message) {
    const json_t *content = field_object(message, "content");
    if (import->is_thread_refused)
        return EXIT_DONE;
    bool is_full = json_array_size(import->batch) == BATCH_MESSAGES_MAX ||
                   import->batch_bytes + import->dump.line_bytes > BATCH_BYTES_MAX;
    int rc = is_full ? batch_send(import) : EXIT_DONE;
    import->attachments += json_array_size(json_object_get(content, "attachments")) > 0;
    json_array_append(import->batch, message);
    import->batch_bytes += import->dump.line_bytes;
    return rc;
}

/* ---- threads ---- */

/* What lies before is done: its last batch goes first. */
static int thread_take(struct import *import, const json_t *thread, bool *is_new) {
    char segment[ADMIN_PATH_BYTES_MAX], path[ADMIN_PATH_BYTES_MAX + 40];
    const char *id = field_text(thread, "id");
    uint64_t refused_before = import->refused;
    snprintf(path, sizeof path, "/admin/import/threads/%s", admin_segment(id, segment));
    int rc = refusal_tell(import, ask(import, "PUT", path, thread, is_new), "thread", id);
    import->is_thread_refused = import->refused > refused_before;
    import->threads_new += *is_new;
    return rc;
}

static int line_take(struct import *import, enum dump_kind kind, json_t *line, const struct dump_counts *before,
                     bool *is_new) {
    int rc = kind == DUMP_MESSAGE ? message_take(import, line) : batch_send(import);
    if (rc != EXIT_DONE || kind != DUMP_THREAD)
        return rc;
    import->thread_position = import->dump.position;
    import->counts_before = *before;
    rc = thread_take(import, line, is_new);
    return rc == EXIT_DONE ? state_write(import) : rc;
}

static int dump_complain(struct import *import) {
    return ctl_complain(import->ctl, EXIT_REFUSED, "the dump cannot be read: %s", import->dump.reason);
}

/* From where the dump stands to its end. *is_other: the thread that an earlier run came to is not there. */
static int lines_take(struct import *import, bool is_resumed, bool *is_other) {
    enum dump_kind kind = DUMP_NOTHING;
    json_t *line;
    int rc = EXIT_DONE;
    *is_other = false;
    do {
        struct dump_counts before = import->dump.counts;
        bool is_new = false;
        if (dump_read(&import->dump, &kind, &line) != EXIT_DONE)
            return dump_complain(import);
        rc = line_take(import, kind, line, &before, &is_new);
        json_decref(line);
        *is_other = is_resumed && kind == DUMP_THREAD && is_new;
        is_resumed = is_resumed && kind != DUMP_THREAD;
    } while (rc == EXIT_DONE && kind != DUMP_END && kind != DUMP_NOTHING && !*is_other);
    return rc;
}

/* ---- users ---- */

static int user_take(struct import *import, const char *id) {
    char segment[ADMIN_PATH_BYTES_MAX], path[ADMIN_PATH_BYTES_MAX + 40];
    bool is_new;
    snprintf(path, sizeof path, "/admin/import/users/%s", admin_segment(id, segment));
    int rc = ask(import, "PUT", path, NULL, &is_new);
    import->users_new += is_new;
    bool was_deleted = rc == EXIT_REFUSED && strstr(import->ctl->admin.complaint, "ImportUserDeleted") != NULL;
    return was_deleted ? refusal_tell(import, rc, "user", id) : rc;
}

static int users_take(struct import *import, const json_t *users) {
    const json_t *user;
    size_t i;
    int rc = EXIT_DONE;
    advance_begin(&import->advance, "users", 0);
    json_array_foreach(users, i, user) {
        advance_show(&import->advance, i, json_array_size(users), "");
        if ((rc = user_take(import, json_string_value(user))) != EXIT_DONE)
            break;
    }
    advance_end(&import->advance);
    return rc;
}

/* ---- the whole ---- */

/* Reads all of it once: what is not whole is not begun with. Users may be named behind their threads. */
static int look_through(struct import *import, json_t *users) {
    enum dump_kind kind = DUMP_NOTHING;
    json_t *line;
    do {
        if (dump_read(&import->dump, &kind, &line) != EXIT_DONE)
            return dump_complain(import);
        bool has_no_list = field_is(line, "isGone") || field_is(line, "isForeign");
        if (kind == DUMP_HEADER)
            snprintf(import->exported_on, sizeof import->exported_on, "%s", field_text(line, "exportedOn"));
        if (kind == DUMP_USER && !has_no_list)
            json_array_append(users, json_object_get(line, "id"));
        json_decref(line);
    } while (kind != DUMP_NOTHING);
    import->totals = import->dump.counts;
    return import->dump.has_end ? EXIT_DONE
                                : ctl_complain(import->ctl, EXIT_REFUSED,
                                               "the dump is not whole: it has no end. An export goes on where it was "
                                               "with the same command");
}

static int dump_rewind(struct import *import, FILE *file) {
    dump_close(&import->dump);
    dump_open(&import->dump, file);
    import->is_thread_refused = false;
    return fseeko(file, 0, SEEK_SET) == 0 ? EXIT_DONE : dump_complain(import);
}

static int threads_take(struct import *import, bool is_resumed, bool *is_other) {
    advance_begin(&import->advance, "messages", import->dump.counts.messages);
    int rc = lines_take(import, is_resumed, is_other);
    advance_end(&import->advance);
    return rc;
}

static int take_all(struct import *import, FILE *file, const json_t *users) {
    uint64_t position;
    struct dump_counts counts;
    bool is_other = false;
    int rc = dump_rewind(import, file);
    if (rc == EXIT_DONE && state_read(import, &position, &counts)) {
        rc = dump_go_on(&import->dump, position, &counts);
        if (rc == EXIT_DONE)
            rc = threads_take(import, true, &is_other);
        if (rc != EXIT_DONE || !is_other)
            return rc;
        fprintf(stderr, "weftctl: %s tells of an import into another cluster; beginning anew\n", import->state_path);
        json_array_clear(import->batch);
        rc = dump_rewind(import, file);
    }
    if (rc == EXIT_DONE)
        rc = users_take(import, users);
    return rc == EXIT_DONE ? threads_take(import, false, &is_other) : rc;
}

static int summary_print(struct import *import, const char *file) {
    const struct dump_counts *totals = &import->totals;
    printf("%s: %" PRIu64 " threads, %" PRIu64 " messages; new in this run: %" PRIu64 " users, %" PRIu64
           " threads, %" PRIu64 " messages\n",
           file, totals->threads, totals->messages, import->users_new, import->threads_new, import->messages_new);
    if (totals->deleted_threads > 0)
        printf("%" PRIu64 " deleted threads are not taken over: nothing is left of them but their names\n",
               totals->deleted_threads);
    if (import->attachments > 0)
        printf("%" PRIu64 " messages had attachments, which messages here do not have; the dump keeps what it knows of "
               "them\n",
               import->attachments);
    if (import->refused == 0)
        return EXIT_DONE;
    return ctl_complain(import->ctl, EXIT_REFUSED, "%" PRIu64 " users, threads or messages were refused",
                        import->refused);
}

static int import_file(struct import *import, FILE *file, const char *name) {
    json_t *users = json_array();
    dump_open(&import->dump, file);
    int rc = look_through(import, users);
    if (rc == EXIT_DONE)
        rc = take_all(import, file, users);
    json_decref(users);
    dump_close(&import->dump);
    return rc == EXIT_DONE ? summary_print(import, name) : rc;
}

int import_dump(struct ctl *ctl, const char *file) {
    struct import import = {.ctl = ctl, .batch = json_array()};
    FILE *opened = fopen(file, "r");
    int rc = EXIT_DONE;
    if (opened == NULL)
        rc = usage_wrong("cannot read %s: %s", file, strerror(errno));
    else if ((size_t)snprintf(import.state_path, sizeof import.state_path, "%s.imported", file) >= PATH_BYTES_MAX)
        rc = usage_wrong("the name of the file is too long");
    else
        rc = import_file(&import, opened, file);
    if (opened != NULL)
        fclose(opened);
    json_decref(import.batch);
    return rc;
}

/* What was exported by an earlier run is not asked for again. */
static int export_before(struct ctl *ctl, const char *file) {
    static struct connection connection;
    if (ctl->arguments->from_connection == NULL || access(file, F_OK) == 0)
        return EXIT_DONE;
    int rc = export_connection_choose("--from-connection-string", ctl->arguments->from_connection, &connection);
    return rc == EXIT_DONE ? export_to(ctl, &connection, file) : rc;
}

int import_run(struct ctl *ctl) {
    const struct list *words = &ctl->arguments->words;
    const unsigned of_export = OPTION_FROM_CONNECTION | OPTION_USERS | OPTION_USER;
    bool is_verify = words->count == 3 && strcmp(words->items[1], "verify") == 0;
    if (words->count == 3 && !is_verify)
        return usage_wrong("import: either FILE, or verify FILE");
    if (is_verify && (ctl->arguments->given & of_export) != 0)
        return usage_wrong("import verify: it takes --connection-string and --beside only");
    if (is_verify)
        return verify_dump(ctl, words->items[2]);
    if (arguments_have(ctl->arguments, OPTION_CONNECTION))
        return usage_wrong("import: --from-connection-string says where from, --endpoint where to");
    int rc = access_choose(ctl->arguments, &ctl->access);
    if (rc == EXIT_DONE)
        rc = export_before(ctl, words->items[1]);
    return rc == EXIT_DONE ? import_dump(ctl, words->items[1]) : rc;
}
