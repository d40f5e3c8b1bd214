/* weftctl export: a resource's threads, as its users see them, written down. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/ctl/advance.h"
#include "node/ctl/dump_write.h"
#include "node/ctl/exporting.h"
#include "node/ctl/fields.h"
#include "node/ctl/people_file.h"
#include "node/ctl/side_by_side.h"
#include "proto/check.h"

#define PATH_BYTES_MAX 4096

struct export {
    struct ctl *ctl;
    struct source source;
    struct advance advance;
    pthread_mutex_t mutex; /* guards what follows, while several write */
    FILE *file;
    struct dump_counts counts;
    uint64_t unseen, unreadable;
    json_t *users_written; /* by id */
    size_t *items;         /* numbers of the users or threads of this round */
    size_t items_count;
    size_t threads_before; /* done before this round */
};

int export_connection_choose(const char *option, const char *given, struct connection *connection) {
    const char *text = given != NULL ? given : getenv("WEFT_CONNECTION_STRING");
    const char *name = given != NULL ? option : "WEFT_CONNECTION_STRING";
    if (text == NULL || text[0] == 0)
        return usage_wrong("no connection string: give %s \"endpoint=https://host/;accesskey=...\", or set "
                           "WEFT_CONNECTION_STRING",
                           option);
    const char *wrong = connection_parse(text, connection);
    return wrong == NULL ? EXIT_DONE : usage_wrong("%s: %s", name, wrong);
}

/* ---- going on where an earlier run was ended ---- */

static void on_user(void *context, const char *id) {
    struct export *export = context;
    if (id[0] != 0)
        source_user_add(&export->source, id);
}

static void users_learn(struct export *export, const json_t *people) {
    const json_t *person;
    size_t i;
    json_array_foreach(people, i, person)
        on_user(export, source_raw_id(field_object(person, "communicationIdentifier")));
}

static int line_learn(struct export *export, enum dump_kind kind, const json_t *line) {
    const char *id = field_text(line, "id");
    if (kind == DUMP_HEADER && strcmp(field_text(line, "endpoint"), export->source.rest.connection->endpoint) != 0)
        return ctl_complain(export->ctl, EXIT_REFUSED, "the dump that was begun is of %s, not of %s",
                            field_text(line, "endpoint"), export->source.rest.connection->endpoint);
    if (kind == DUMP_USER)
        json_object_set_new(export->users_written, id, json_true());
    if (kind == DUMP_USER)
        on_user(export, id);
    if (kind == DUMP_THREAD || kind == DUMP_DELETED_THREAD) {
        size_t thread = source_thread_add(&export->source, id);
        export->source.threads[thread].is_done = true;
        export->unseen += (uint64_t)field_number(line, "unseen");
        users_learn(export, field_array(line, "participants"));
        users_learn(export, field_array(line, "formerParticipants"));
    }
    if (kind == DUMP_MESSAGE)
        on_user(export, source_raw_id(field_object(line, "senderCommunicationIdentifier")));
    return EXIT_DONE;
}

/* What counts is what lies before the last whole thread, which is then done. */
struct learned {
    uint64_t position;
    struct dump_counts counts;
};

/* A thread is done only when its last message is there: until then its name is kept aside. */
static int partial_read(struct export *export, struct dump *dump, struct learned *learned) {
    enum dump_kind kind;
    json_t *line, *thread = NULL;
    int rc;
    while ((rc = dump_read(dump, &kind, &line)) == EXIT_DONE && kind != DUMP_NOTHING && kind != DUMP_END) {
        if (kind == DUMP_THREAD) {
            json_decref(thread);
            thread = json_incref(line);
        } else {
            rc = line_learn(export, kind, line);
        }
        json_decref(line);
        if (rc != EXIT_DONE)
            break;
        if (dump_is_between(dump)) {
            if (thread != NULL)
                rc = line_learn(export, DUMP_THREAD, thread);
            json_decref(thread);
            thread = NULL;
            *learned = (struct learned){dump->next_position, dump->counts};
        }
    }
    if (rc == EXIT_DONE && kind == DUMP_END)
        json_decref(line);
    json_decref(thread);
    if (rc != EXIT_DONE && dump->reason[0] != 0)
        return ctl_complain(export->ctl, EXIT_REFUSED, "the dump that was begun cannot be gone on with: %s",
                            dump->reason);
    return rc;
}

static int partial_resume(struct export *export, const char *path) {
    struct learned learned = {0};
    struct dump dump;
    dump_open(&dump, export->file);
    int rc = partial_read(export, &dump, &learned);
    dump_close(&dump);
    if (rc != EXIT_DONE)
        return rc;
    export->counts = learned.counts;
    if (ftruncate(fileno(export->file), (off_t)learned.position) != 0 ||
        fseeko(export->file, (off_t)learned.position, SEEK_SET) != 0)
        return ctl_complain(export->ctl, EXIT_REFUSED, "%s: %s", path, strerror(errno));
    if (learned.position == 0)
        dump_write_header(export->file, export->source.rest.connection->endpoint);
    else
        fprintf(stderr, "weftctl: going on with %s: %" PRIu64 " threads with %" PRIu64 " messages are in it\n", path,
                learned.counts.threads, learned.counts.messages);
    return EXIT_DONE;
}

/* Readable by its owner only: it has what people wrote. */
static int partial_open(struct export *export, const char *path) {
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    export->file = descriptor >= 0 ? fdopen(descriptor, "r+") : NULL;
    if (export->file != NULL)
        return partial_resume(export, path);
    int rc = ctl_complain(export->ctl, EXIT_REFUSED, "%s: %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return rc;
}

/* ---- users and threads ---- */

static void user_write(struct export *export, size_t user) {
    const struct source_user *known = &export->source.users[user];
    if (json_object_get(export->users_written, known->id) != NULL)
        return;
    json_object_set_new(export->users_written, known->id, json_true());
    dump_write_user(export->file, known->id, known->state);
    export->counts.users++;
}

static int user_work(void *context, size_t item, CURL *line) {
    struct export *export = context;
    size_t user = export->items[item];
    int rc = source_list_threads(&export->source, line, user);
    if (rc != EXIT_DONE)
        return rc;
    pthread_mutex_lock(&export->mutex);
    pthread_mutex_lock(&export->source.mutex);
    user_write(export, user);
    pthread_mutex_unlock(&export->source.mutex);
    pthread_mutex_unlock(&export->mutex);
    return EXIT_DONE;
}

/* Whole, so that a run that is killed leaves at most one thread cut off, at the end. */
static void thread_write(struct export *export, const json_t *line, const struct reading *reading) {
    pthread_mutex_lock(&export->mutex);
    dump_write_thread(export->file, line, reading);
    fflush(export->file);
    export->counts.threads++;
    export->counts.messages += reading->messages_count;
    export->unseen += reading_unseen(reading);
    pthread_mutex_unlock(&export->mutex);
}

static void deleted_thread_write(struct export *export, const json_t *item) {
    pthread_mutex_lock(&export->mutex);
    dump_write_deleted_thread(export->file, item);
    export->counts.deleted_threads++;
    pthread_mutex_unlock(&export->mutex);
}

/* Those a thread names, while it is being written down. */
struct naming {
    struct export *export;
    bool has_unasked; /* one of them has not been asked yet, and may see more of it */
};

static void on_named(void *context, const char *id) {
    struct naming *naming = context;
    struct source *source = &naming->export->source;
    if (id[0] == 0)
        return;
    size_t user = source_user_add(source, id);
    pthread_mutex_lock(&source->mutex);
    naming->has_unasked |= source->users[user].state == SOURCE_USER_KNOWN;
    pthread_mutex_unlock(&source->mutex);
}

static void postpone(struct export *export, size_t thread) {
    pthread_mutex_lock(&export->source.mutex);
    export->source.threads[thread].is_done = false;
    pthread_mutex_unlock(&export->source.mutex);
}

/* What lacks messages waits until everybody it names has been asked. */
static void thread_write_or_postpone(struct export *export, size_t thread, const struct reading *reading) {
    struct naming naming = {.export = export};
    json_t *line = dump_thread_of(reading, on_named, &naming);
    if (naming.has_unasked && (reading_unseen(reading) > 0 || !reading->is_of_participant))
        postpone(export, thread);
    else
        thread_write(export, line, reading);
    json_decref(line);
}

static int thread_read_and_write(struct export *export, size_t thread, CURL *line) {
    struct reading reading;
    int rc = reading_take(&export->source, line, thread, &reading);
    if (rc == EXIT_DONE && reading.properties != NULL) {
        thread_write_or_postpone(export, thread, &reading);
    } else if (rc == EXIT_DONE) {
        pthread_mutex_lock(&export->mutex);
        export->unreadable++;
        pthread_mutex_unlock(&export->mutex);
    }
    reading_close(&reading);
    return rc;
}

static int thread_work(void *context, size_t item, CURL *line) {
    struct export *export = context;
    size_t thread = export->items[item];
    pthread_mutex_lock(&export->source.mutex);
    export->source.threads[thread].is_done = true;
    json_t *listed = json_incref(export->source.threads[thread].item);
    pthread_mutex_unlock(&export->source.mutex);
    bool is_deleted = field_text(listed, "deletedOn")[0] != 0;
    if (is_deleted)
        deleted_thread_write(export, listed);
    int rc = is_deleted ? EXIT_DONE : thread_read_and_write(export, thread, line);
    json_decref(listed);
    return rc;
}

/* ---- rounds ---- */

static void on_tick(void *context, size_t done, const char *what) {
    struct export *export = context;
    char more[120];
    pthread_mutex_lock(&export->mutex);
    uint64_t messages = export->counts.messages;
    pthread_mutex_unlock(&export->mutex);
    unsigned long throttled = atomic_load(&export->source.rest.throttled);
    int size = snprintf(more, sizeof more, "%" PRIu64 " messages", messages);
    if (throttled > 0)
        snprintf(more + size, sizeof more - (size_t)size, ", told to wait %lu times", throttled);
    export->advance.what = what;
    advance_show(&export->advance, export->threads_before + done, export->threads_before + export->items_count, more);
}

static void on_thread_tick(void *context, size_t done) {
    on_tick(context, done, "threads");
}

static void on_user_tick(void *context, size_t done) {
    struct export *export = context;
    size_t before = export->threads_before;
    export->threads_before = 0;
    on_tick(context, done, "users asked for their threads");
    export->threads_before = before;
}

static size_t threads_done(const struct export *export) {
    size_t done = 0;
    for (size_t i = 0; i < export->source.threads_count; i++)
        done += export->source.threads[i].is_done;
    return done;
}

static void items_gather(struct export *export, bool are_users) {
    const struct source *source = &export->source;
    size_t count = are_users ? source->users_count : source->threads_count;
    free(export->items);
    export->items = calloc(count + 1, sizeof *export->items);
    check(export->items != NULL);
    export->items_count = 0;
    export->threads_before = threads_done(export);
    for (size_t i = 0; i < count; i++)
        if (are_users ? source->users[i].state == SOURCE_USER_KNOWN : !source->threads[i].is_done)
            export->items[export->items_count++] = i;
}

/* Users list threads, threads name users, until nobody and nothing new is named. */
static int rounds(struct export *export) {
    size_t beside = (size_t) export->ctl->arguments->beside;
    int rc = EXIT_DONE;
    bool has_work = true, is_first = true;
    while (rc == EXIT_DONE && has_work) {
        items_gather(export, true);
        export->advance.already = is_first ? export->threads_before : export->advance.already;
        is_first = false;
        has_work = export->items_count > 0;
        rc = side_by_side(export->items_count, beside, user_work, on_user_tick, export);
        if (rc != EXIT_DONE)
            break;
        items_gather(export, false);
        has_work |= export->items_count > 0;
        rc = side_by_side(export->items_count, beside, thread_work, on_thread_tick, export);
    }
    return rc;
}

/* ---- the end ---- */

static void summary_print(const struct export *export, const char *file) {
    const struct dump_counts *counts = &export->counts;
    printf("%s: %" PRIu64 " threads, %" PRIu64 " messages, %" PRIu64 " users, %" PRIu64 " deleted threads\n", file,
           counts->threads, counts->messages, counts->users, counts->deleted_threads);
    unsigned long throttled = atomic_load(&export->source.rest.throttled);
    if (throttled > 0)
        printf("the resource said %lu times to wait\n", throttled);
    if (export->unseen > 0)
        printf("%" PRIu64
               " messages are shown to nobody who was asked: they are older than what the participants share\n",
               export->unseen);
    if (export->unreadable > 0)
        printf("%" PRIu64 " threads can be read by nobody who was asked any more\n", export->unreadable);
}

static int finish(struct export *export, const char *partial, const char *file) {
    for (size_t i = 0; i < export->source.users_count; i++)
        user_write(export, i);
    dump_write_end(export->file, &export->counts);
    bool is_written = fflush(export->file) == 0 && ferror(export->file) == 0 && fsync(fileno(export->file)) == 0;
    if (!is_written || rename(partial, file) != 0)
        return ctl_complain(export->ctl, EXIT_REFUSED, "%s: %s", partial, strerror(errno));
    summary_print(export, file);
    return EXIT_DONE;
}

static int export_run_to(struct export *export, const char *partial, const char *file) {
    int rc = partial_open(export, partial);
    if (rc == EXIT_DONE)
        rc = people_read(export->ctl->arguments, &export->source);
    if (rc == EXIT_DONE && export->source.users_count == 0)
        rc = usage_wrong("which users? give --users FILE with an id a line, or --user ID: others are found from them");
    if (rc != EXIT_DONE)
        return rc;
    advance_begin(&export->advance, "threads", 0);
    rc = rounds(export);
    advance_end(&export->advance);
    if (rc != EXIT_DONE)
        return ctl_complain(export->ctl, rc, "%s\n    The same command goes on from here: %s", export->source.reason,
                            partial);
    return finish(export, partial, file);
}

int export_to(struct ctl *ctl, const struct connection *connection, const char *file) {
    char partial[PATH_BYTES_MAX];
    struct export export = {.ctl = ctl};
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", file) >= sizeof partial)
        return usage_wrong("the name of the file is too long");
    if (access(file, F_OK) == 0)
        return usage_wrong("%s is there already", file);
    source_init(&export.source, connection, ctl->access.ca_file);
    export.users_written = json_object();
    pthread_mutex_init(&export.mutex, NULL);
    int rc = export_run_to(&export, partial, file);
    if (export.file != NULL && fclose(export.file) != 0 && rc == EXIT_DONE)
        rc = ctl_complain(ctl, EXIT_REFUSED, "%s: %s", file, strerror(errno));
    pthread_mutex_destroy(&export.mutex);
    source_close(&export.source);
    json_decref(export.users_written);
    free(export.items);
    return rc;
}

int export_run(struct ctl *ctl) {
    static struct connection connection;
    int rc = export_connection_choose("--connection-string", ctl->arguments->connection, &connection);
    return rc == EXIT_DONE ? export_to(ctl, &connection, ctl->arguments->words.items[1]) : rc;
}
