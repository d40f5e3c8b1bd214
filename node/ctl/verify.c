/* weftctl import verify: a dump, and what the users of a cluster see, by the official REST interface. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/advance.h"
#include "node/ctl/differences.h"
#include "node/ctl/dump.h"
#include "node/ctl/exporting.h"
#include "node/ctl/fields.h"
#include "node/ctl/importing.h"
#include "node/ctl/side_by_side.h"
#include "proto/check.h"

#define THREADS_AT_ONCE 64
#define MESSAGES_AT_ONCE 20000 /* a round ends behind the thread with which there are so many in memory */
#define DIFFERENCES_SHOWN_MAX 50

struct verify;

struct verify_thread {
    struct verify *verify;
    char *id;
    size_t number; /* of the source */
    struct reading dumped;
    uint64_t differences;
};

struct verify {
    struct ctl *ctl;
    struct source source;
    struct dump dump;
    struct advance advance;
    struct verify_thread threads[THREADS_AT_ONCE];
    size_t threads_count, messages_at_once;
    pthread_mutex_t mutex; /* guards what follows */
    uint64_t shown, differences, threads_different, messages_seen;
};

/* ---- what the dump has ---- */

static void viewers_add(struct verify *self, size_t thread, const json_t *people) {
    const json_t *person;
    size_t i;
    json_array_foreach(people, i, person) {
        size_t user = source_user_add(&self->source, source_raw_id(field_object(person, "communicationIdentifier")));
        if (self->source.users[user].state != SOURCE_USER_FOREIGN)
            source_viewer_add(&self->source, thread, user);
    }
}

/* A dump adds places in the thread, which no participant of REST has. */
static json_t *without_places(const json_t *people) {
    json_t *plain = json_array();
    const json_t *person;
    size_t i;
    json_array_foreach(people, i, person) {
        json_t *copy = json_copy((json_t *)person);
        json_object_del(copy, "joinedOffset");
        json_array_append_new(plain, copy);
    }
    return plain;
}

static void thread_begin(struct verify *self, json_t *line) {
    struct verify_thread *thread = &self->threads[self->threads_count++];
    *thread = (struct verify_thread){.verify = self, .id = strdup(field_text(line, "id"))};
    check(thread->id != NULL);
    thread->number = source_thread_add(&self->source, thread->id);
    thread->dumped = (struct reading){.properties = json_incref(line),
                                      .participants = without_places(field_array(line, "participants")),
                                      .receipts = json_incref(json_object_get(line, "receipts"))};
    viewers_add(self, thread->number, field_array(line, "participants"));
    viewers_add(self, thread->number, field_array(line, "formerParticipants"));
}

/* Whole threads, as many as are compared in one round. */
static int threads_read(struct verify *self, bool *is_end) {
    enum dump_kind kind;
    json_t *line;
    *is_end = false;
    do {
        if (dump_read(&self->dump, &kind, &line) != EXIT_DONE)
            return ctl_complain(self->ctl, EXIT_REFUSED, "the dump cannot be read: %s", self->dump.reason);
        if (kind == DUMP_THREAD)
            thread_begin(self, line);
        if (kind == DUMP_MESSAGE)
            self->messages_at_once += reading_add(&self->threads[self->threads_count - 1].dumped, line);
        json_decref(line);
        *is_end = kind == DUMP_NOTHING;
    } while (!*is_end && (!dump_is_between(&self->dump) ||
                          (self->threads_count < THREADS_AT_ONCE && self->messages_at_once < MESSAGES_AT_ONCE)));
    return EXIT_DONE;
}

/* ---- comparing ---- */

static void on_told(void *context, const char *sentence) {
    const struct verify_thread *thread = context;
    struct verify *self = thread->verify;
    char raw[COMPLAINT_BYTES_MAX], text[COMPLAINT_BYTES_MAX];
    pthread_mutex_lock(&self->mutex);
    if (self->shown < DIFFERENCES_SHOWN_MAX) {
        snprintf(raw, sizeof raw, "%s: %s", thread->id, sentence);
        terminal_clean(raw, text, sizeof text);
        advance_end(&self->advance);
        puts(text);
    }
    self->shown++;
    pthread_mutex_unlock(&self->mutex);
}

static int compare(void *context, size_t item, CURL *line) {
    struct verify *self = context;
    struct verify_thread *thread = &self->threads[item];
    struct reading seen;
    int rc = reading_take(&self->source, line, thread->number, &seen);
    if (rc == EXIT_DONE && seen.properties == NULL) {
        on_told(thread, "nobody may read it");
        thread->differences = 1;
    } else if (rc == EXIT_DONE) {
        thread->differences = differences_tell(&thread->dumped, &seen, on_told, thread);
    }
    pthread_mutex_lock(&self->mutex);
    self->messages_seen += seen.messages_count;
    self->differences += thread->differences;
    self->threads_different += thread->differences > 0;
    pthread_mutex_unlock(&self->mutex);
    reading_close(&seen);
    return rc;
}

/* Of what has been read of the dump: how much more there is nobody knows yet. */
static void on_tick(void *context, size_t done) {
    struct verify *self = context;
    char more[60];
    pthread_mutex_lock(&self->mutex);
    snprintf(more, sizeof more, "%" PRIu64 " differences", self->differences);
    advance_show(&self->advance, self->dump.counts.threads - self->threads_count + done, self->dump.counts.threads,
                 more);
    pthread_mutex_unlock(&self->mutex);
}

static void round_close(struct verify *self) {
    for (size_t i = 0; i < self->threads_count; i++) {
        free(self->threads[i].id);
        reading_close(&self->threads[i].dumped);
    }
    self->threads_count = 0;
    self->messages_at_once = 0;
}

static int rounds(struct verify *self) {
    size_t beside = (size_t)self->ctl->arguments->beside;
    bool is_end = false;
    int rc = EXIT_DONE;
    while (rc == EXIT_DONE && !is_end) {
        rc = threads_read(self, &is_end);
        if (rc == EXIT_DONE)
            rc = side_by_side(self->threads_count, beside, compare, on_tick, self);
        round_close(self);
    }
    return rc;
}

static int judge(struct verify *self, int rc, const char *file) {
    if (rc != EXIT_DONE && self->source.reason[0] != 0)
        return ctl_complain(self->ctl, rc, "%s", self->source.reason);
    if (rc != EXIT_DONE)
        return rc;
    if (!self->dump.has_end)
        return ctl_complain(self->ctl, EXIT_REFUSED, "the dump is not whole: it has no end");
    printf("%s: %" PRIu64 " threads with %" PRIu64 " messages compared with %" PRIu64 " messages here: ", file,
           self->dump.counts.threads, self->dump.counts.messages, self->messages_seen);
    if (self->differences == 0) {
        puts("no difference");
        return EXIT_DONE;
    }
    printf("%" PRIu64 " differences in %" PRIu64 " threads\n", self->differences, self->threads_different);
    return EXIT_REFUSED;
}

int verify_dump(struct ctl *ctl, const char *file) {
    static struct connection connection;
    static struct verify self;
    int rc = export_connection_choose("--connection-string", ctl->arguments->connection, &connection);
    if (rc != EXIT_DONE)
        return rc;
    FILE *opened = fopen(file, "r");
    if (opened == NULL)
        return usage_wrong("cannot read %s: %s", file, strerror(errno));
    self.ctl = ctl;
    source_init(&self.source, &connection, ctl->access.ca_file);
    pthread_mutex_init(&self.mutex, NULL);
    dump_open(&self.dump, opened);
    advance_begin(&self.advance, "threads", 0);
    rc = rounds(&self);
    advance_end(&self.advance);
    rc = judge(&self, rc, file);
    dump_close(&self.dump);
    source_close(&self.source);
    pthread_mutex_destroy(&self.mutex);
    fclose(opened);
    return rc;
}
