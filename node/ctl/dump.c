#define _GNU_SOURCE
#include "node/ctl/dump.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "node/ctl/reading.h"
#include "node/ctl/terminal.h"
#include "proto/check.h"

static const char *const kinds[] = {
    [DUMP_HEADER] = "header",   [DUMP_USER] = "user", [DUMP_THREAD] = "thread",
    [DUMP_MESSAGE] = "message", [DUMP_END] = "end",   [DUMP_DELETED_THREAD] = "deletedThread",
    [DUMP_NOTHING] = "nothing"};

void dump_open(struct dump *dump, FILE *file) {
    *dump = (struct dump){.file = file};
}

void dump_close(struct dump *dump) {
    free(dump->line);
    free(dump->thread);
}

__attribute__((format(printf, 2, 3))) static int refuse(struct dump *dump, const char *format, ...) {
    char raw[DUMP_REASON_BYTES_MAX];
    va_list arguments;
    int size = snprintf(raw, sizeof raw, "line %" PRIu64 ": ", dump->line_number);
    va_start(arguments, format);
    vsnprintf(raw + size, sizeof raw - (size_t)size, format, arguments);
    va_end(arguments);
    terminal_clean(raw, dump->reason, sizeof dump->reason);
    return EXIT_REFUSED;
}

static void line_add(struct dump *dump, int sign) {
    if (dump->line_bytes == dump->line_capacity) {
        dump->line_capacity = dump->line_capacity == 0 ? 4096 : dump->line_capacity * 2;
        dump->line = realloc(dump->line, dump->line_capacity);
        check(dump->line != NULL);
    }
    dump->line[dump->line_bytes++] = (char)sign;
}

/* *is_whole: it ends with a line feed; a file that is being written, or was cut off, may end without. */
static int line_take(struct dump *dump, bool *is_whole) {
    int sign = 0;
    dump->line_bytes = 0;
    dump->line_number++;
    while (sign != '\n' && dump->line_bytes < DUMP_LINE_BYTES_MAX && (sign = getc_unlocked(dump->file)) != EOF)
        line_add(dump, sign);
    *is_whole = sign == '\n';
    if (!*is_whole && dump->line_bytes == DUMP_LINE_BYTES_MAX)
        return refuse(dump, "it has more than %u bytes", DUMP_LINE_BYTES_MAX);
    if (ferror(dump->file))
        return refuse(dump, "it cannot be read");
    dump->position = dump->next_position;
    dump->next_position += *is_whole ? dump->line_bytes : 0;
    return EXIT_DONE;
}

static int kind_find(struct dump *dump, const json_t *object, enum dump_kind *kind) {
    const char *name = field_text(object, "kind");
    for (enum dump_kind known = DUMP_HEADER; known <= DUMP_END; known++) {
        if (strcmp(name, kinds[known]) == 0) {
            *kind = known;
            return EXIT_DONE;
        }
    }
    return refuse(dump, "there is no kind \"%s\"", name);
}

static int header_check(struct dump *dump, const json_t *object) {
    if (dump->has_header)
        return refuse(dump, "a second header");
    if (strcmp(field_text(object, "format"), DUMP_FORMAT) != 0)
        return refuse(dump, "it is no dump: the format is \"%s\", not \"" DUMP_FORMAT "\"",
                      field_text(object, "format"));
    if (json_integer_value(json_object_get(object, "version")) != DUMP_VERSION)
        return refuse(dump, "the dump's version is not %d; another weftctl wrote it", DUMP_VERSION);
    dump->has_header = true;
    return EXIT_DONE;
}

static int id_check(struct dump *dump, const json_t *object) {
    return field_text(object, "id")[0] != 0 ? EXIT_DONE : refuse(dump, "it has no id");
}

/* Numbers of the dump itself are JSON numbers. */
static bool number_take(const json_t *object, const char *name, uint64_t *number) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static int thread_begin(struct dump *dump, const json_t *object) {
    int rc = id_check(dump, object);
    if (rc != EXIT_DONE)
        return rc;
    if (!number_take(object, "messages", &dump->messages_expected))
        return refuse(dump, "a thread without the number of its messages");
    free(dump->thread);
    dump->thread = strdup(field_text(object, "id"));
    dump->messages_seen = 0;
    dump->version_seen = 0;
    dump->counts.threads++;
    return EXIT_DONE;
}

static int message_check(struct dump *dump, const json_t *object) {
    uint64_t offset = 0, version = reading_number(object, "version");
    const char *thread = field_text(object, "thread");
    if (dump_is_between(dump))
        return refuse(dump, "a message that no thread before it counts");
    if (strcmp(thread, dump->thread) != 0)
        return refuse(dump, "a message of thread %s among those of %s", thread, dump->thread);
    if (!number_take(object, "offset", &offset) || offset != dump->messages_seen + 1)
        return refuse(dump, "a message with offset %" PRIu64 " where %" PRIu64 " comes next", offset,
                      dump->messages_seen + 1);
    if (reading_number(object, "id") == 0 || reading_number(object, "sequenceId") == 0 || version == 0)
        return refuse(dump, "a message without id, sequenceId or version");
    if (version < dump->version_seen)
        return refuse(dump, "a message with a version below that of the one before it");
    dump->version_seen = version;
    dump->messages_seen++;
    dump->counts.messages++;
    return EXIT_DONE;
}

static int end_check(struct dump *dump, const json_t *object) {
    const struct dump_counts *counts = &dump->counts;
    const struct {
        const char *name;
        uint64_t seen;
    } told[] = {{"users", counts->users},
                {"threads", counts->threads},
                {"messages", counts->messages},
                {"deletedThreads", counts->deleted_threads}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        uint64_t number = 0;
        if (!number_take(object, told[i].name, &number) || number != told[i].seen)
            return refuse(dump, "the end tells of %" PRIu64 " %s, but there were %" PRIu64, number, told[i].name,
                          told[i].seen);
    }
    dump->has_end = true;
    return EXIT_DONE;
}

static int line_check(struct dump *dump, const json_t *object, enum dump_kind kind) {
    if (!dump->has_header && kind != DUMP_HEADER)
        return refuse(dump, "the header is missing: it is no dump, or its beginning was cut off");
    if (dump->has_end)
        return refuse(dump, "something behind the end");
    if (kind != DUMP_MESSAGE && !dump_is_between(dump))
        return refuse(dump, "thread %s has %" PRIu64 " messages, but only %" PRIu64 " are here", dump->thread,
                      dump->messages_expected, dump->messages_seen);
    switch (kind) {
    case DUMP_HEADER:
        return header_check(dump, object);
    case DUMP_USER:
        dump->counts.users++;
        return id_check(dump, object);
    case DUMP_THREAD:
        return thread_begin(dump, object);
    case DUMP_MESSAGE:
        return message_check(dump, object);
    case DUMP_DELETED_THREAD:
        dump->counts.deleted_threads++;
        return id_check(dump, object);
    case DUMP_END:
        return end_check(dump, object);
    case DUMP_NOTHING:
        break;
    }
    return EXIT_DONE;
}

int dump_read(struct dump *dump, enum dump_kind *kind, json_t **object) {
    bool is_whole = false;
    json_error_t error;
    *kind = DUMP_NOTHING;
    *object = NULL;
    int rc = line_take(dump, &is_whole);
    if (rc != EXIT_DONE || !is_whole)
        return rc;
    *object = json_loadb(dump->line, dump->line_bytes, 0, &error);
    if (!json_is_object(*object))
        rc = refuse(dump, "it is no JSON object: %s", *object == NULL ? error.text : "it is of another type");
    if (rc == EXIT_DONE)
        rc = kind_find(dump, *object, kind);
    if (rc == EXIT_DONE)
        rc = line_check(dump, *object, *kind);
    if (rc != EXIT_DONE) {
        json_decref(*object);
        *object = NULL;
        *kind = DUMP_NOTHING;
    }
    return rc;
}

int dump_go_on(struct dump *dump, uint64_t position, const struct dump_counts *counts) {
    if (fseeko(dump->file, (off_t)position, SEEK_SET) != 0)
        return refuse(dump, "it cannot be read from where it was left");
    dump->next_position = position;
    dump->counts = *counts;
    dump->has_header = true;
    return EXIT_DONE;
}
