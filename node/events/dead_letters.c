#include "node/events/dead_letters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/json_tree.h"
#include "proto/rfc3339.h"

#define PATH_BYTES 512

enum age { THE_NEWER, THE_OLDER };

/* False: it would be too long. */
static bool path_format(const struct dead_letters *self, struct bytes name, enum age age, char path[PATH_BYTES]) {
    int size =
        snprintf(path, PATH_BYTES, "%s/%.*s%s.jsonl", self->folder, BYTES_ARG(name), age == THE_OLDER ? ".older" : "");
    return size > 0 && size < PATH_BYTES;
}

static void time_set(json_t *object, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_ms(time_ms, text);
    json_text_set(object, name, bytes_of_text(text));
}

/* The event with members of the vendor's dead letters (contract 12), and the end of the line. */
static void line_write(const struct dead_letter *letter, struct buffer *line) {
    json_t *object = json_copy((json_t *)(uintptr_t)letter->envelope);
    json_text_set(object, "deadLetterReason", bytes_of_text(letter->reason));
    json_member_set(object, "deliveryAttempts", json_integer(letter->attempts));
    json_text_set(object, "lastDeliveryOutcome", bytes_of_text(letter->outcome));
    time_set(object, "publishTime", letter->happened_ms);
    if (letter->last_attempt_ms != 0)
        time_set(object, "lastDeliveryAttemptTime", letter->last_attempt_ms);
    json_append_take(line, object);
    buffer_append_text(line, "\n");
}

/* A line that was cut would take the next one with it. */
static bool line_end(int file) {
    char last;
    off_t size = lseek(file, 0, SEEK_END);
    return size <= 0 || (pread(file, &last, 1, size - 1) == 1 && (last == '\n' || write(file, "\n", 1) == 1));
}

static int file_append(const char *path, struct bytes line) {
    int file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return STATUS_STORAGE_FAILED;
    bool is_whole = line_end(file) && write(file, line.data, line.size) == (ssize_t)line.size && fdatasync(file) == 0;
    return close(file) == 0 && is_whole ? STATUS_OK : STATUS_STORAGE_FAILED;
}

static int make_room(const struct dead_letters *self, struct bytes name, const char *path, size_t size) {
    char older[PATH_BYTES];
    struct stat facts;
    if (stat(path, &facts) != 0)
        return errno == ENOENT ? STATUS_OK : STATUS_STORAGE_FAILED;
    if (facts.st_size == 0 || facts.st_size + (int64_t)size <= self->file_bytes_max)
        return STATUS_OK;
    bool is_done = path_format(self, name, THE_OLDER, older) && rename(path, older) == 0;
    return is_done ? STATUS_OK : STATUS_STORAGE_FAILED;
}

int dead_letters_add(const struct dead_letters *self, struct bytes name, const struct dead_letter *letters,
                     size_t count) {
    char path[PATH_BYTES];
    struct buffer lines;
    if (!path_format(self, name, THE_NEWER, path) || (mkdir(self->folder, 0700) != 0 && errno != EEXIST))
        return STATUS_STORAGE_FAILED;
    buffer_init(&lines);
    for (size_t i = 0; i < count; i++)
        line_write(&letters[i], &lines);
    int rc = make_room(self, name, path, lines.size);
    if (rc == STATUS_OK)
        rc = file_append(path, buffer_bytes(&lines));
    buffer_close(&lines);
    return rc;
}

/* ---- reading ---- */

static int file_read(const char *path, struct buffer *out) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? STATUS_OK : STATUS_STORAGE_FAILED;
    size_t size;
    do {
        size = fread(buffer_reserve(out, 64 * 1024), 1, 64 * 1024, file);
        buffer_added(out, size);
    } while (size > 0);
    int rc = ferror(file) ? STATUS_STORAGE_FAILED : STATUS_OK;
    fclose(file);
    return rc;
}

/* Where the last `count` lines begin. */
static size_t lines_begin(struct bytes text, size_t count) {
    size_t at = text.size;
    while (at > 0 && (text.data[at - 1] != '\n' || at == text.size || count-- > 1))
        at--;
    return at;
}

static void lines_parse(struct bytes text, json_t *letters) {
    while (text.size > 0) {
        json_error_t error;
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        json_t *letter = json_loadb((const char *)text.data, size, 0, &error);
        if (json_is_object(letter))
            json_item_add(letters, letter);
        else
            json_decref(letter);
        size_t taken = end == NULL ? size : size + 1;
        text = bytes_of(text.data + taken, text.size - taken);
    }
}

int dead_letters_read(const struct dead_letters *self, struct bytes name, size_t count_max, json_t **letters) {
    static const enum age ages[] = {THE_OLDER, THE_NEWER};
    char path[PATH_BYTES];
    struct buffer text;
    int rc = STATUS_OK;
    buffer_init(&text);
    for (size_t i = 0; i < 2 && rc == STATUS_OK; i++)
        rc = path_format(self, name, ages[i], path) ? file_read(path, &text) : STATUS_STORAGE_FAILED;
    *letters = json_array_new();
    struct bytes all = buffer_bytes(&text);
    size_t at = count_max == 0 ? all.size : lines_begin(all, count_max);
    lines_parse(bytes_of(all.data + at, all.size - at), *letters);
    buffer_close(&text);
    return rc;
}

void dead_letters_remove(const struct dead_letters *self, struct bytes name) {
    char path[PATH_BYTES];
    if (path_format(self, name, THE_OLDER, path))
        unlink(path);
    if (path_format(self, name, THE_NEWER, path))
        unlink(path);
}
