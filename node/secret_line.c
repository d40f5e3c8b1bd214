#include "node/secret_line.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/status.h"

#define CHARACTERS_MAX 1024

static int file_check(FILE *file, const char **reason) {
    struct stat status;
    *reason = "it is not a file";
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode))
        return STATUS_CONFLICT;
    *reason = "it may be read by others; give it mode 0600";
    return (status.st_mode & 077) == 0 ? STATUS_OK : STATUS_CONFLICT;
}

static int line_read(FILE *file, size_t characters_min, struct arena *arena, struct bytes *line, const char **reason) {
    char text[CHARACTERS_MAX + 2];
    text[0] = '\0';
    if (fgets(text, sizeof(text), file) == NULL && ferror(file)) {
        *reason = strerror(errno);
        return STATUS_STORAGE_FAILED;
    }
    size_t size = strcspn(text, "\r\n");
    if (size < characters_min || size > CHARACTERS_MAX)
        *reason = size > CHARACTERS_MAX ? "its first line is too long" : "its first line is too short for a secret";
    else
        *line = arena_copy(arena, bytes_of(text, size));
    sodium_memzero(text, sizeof(text));
    return size < characters_min || size > CHARACTERS_MAX ? STATUS_CONFLICT : STATUS_OK;
}

int secret_line_read(const char *path, size_t characters_min, struct arena *arena, struct bytes *line,
                     const char **reason) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        *reason = strerror(errno);
        return STATUS_STORAGE_FAILED;
    }
    int rc = file_check(file, reason);
    if (rc == STATUS_OK)
        rc = line_read(file, characters_min, arena, line, reason);
    fclose(file);
    return rc;
}
