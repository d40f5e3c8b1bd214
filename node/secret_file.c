#include "node/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/status.h"

#define PATH_MAX_BYTES 4096
#define HEX_BYTES (SECRET_KEY_BYTES * 2)

_Static_assert(SEAL_KEY_BYTES == SECRET_KEY_BYTES, "the master key is such a key");

static const struct secret_key_file MASTER_KEY_FILE = SECRET_KEY_FILE("master.key");

static bool path_join(char path[PATH_MAX_BYTES], const char *folder, const char *name) {
    int size = snprintf(path, PATH_MAX_BYTES, "%s/%s", folder, name);
    return size > 0 && size < PATH_MAX_BYTES;
}

static int all_write(int fd, const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return STATUS_STORAGE_FAILED;
        data += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

static void folder_sync(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Whether the file is there already as it is to be: then nothing needs to be written, which a full disk would refuse.
 */
static bool file_holds(const char *path, struct bytes content) {
    bool holds = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t size = content.size + 2;
    uint8_t *found = malloc(size);
    check(found != NULL);
    ssize_t got = read(fd, found, size);
    struct stat status;
    if (got == (ssize_t)content.size + 1 && fstat(fd, &status) == 0 && (status.st_mode & 077) == 0)
        holds = found[content.size] == '\n' && bytes_equal(bytes_of(found, content.size), content);
    sodium_memzero(found, size);
    free(found);
    close(fd);
    return holds;
}

int secret_file_write(const char *folder, const char *name, struct bytes content) {
    char path[PATH_MAX_BYTES];
    char temporary[PATH_MAX_BYTES];
    char temporary_name[256];
    snprintf(temporary_name, sizeof(temporary_name), ".%s.new", name);
    if (!path_join(path, folder, name) || !path_join(temporary, folder, temporary_name))
        return STATUS_STORAGE_FAILED;
    if (file_holds(path, content))
        return STATUS_OK;
    int fd = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return STATUS_STORAGE_FAILED;
    int rc = all_write(fd, content.data, content.size);
    if (rc == STATUS_OK)
        rc = all_write(fd, (const uint8_t *)"\n", 1);
    if (rc == STATUS_OK && fsync(fd) != 0)
        rc = STATUS_STORAGE_FAILED;
    close(fd);
    if (rc == STATUS_OK && rename(temporary, path) != 0)
        rc = STATUS_STORAGE_FAILED;
    if (rc == STATUS_OK)
        folder_sync(folder);
    else
        unlink(temporary);
    return rc;
}

static int key_make(const char *folder, const struct secret_key_file *file, uint8_t key[SECRET_KEY_BYTES],
                    const char **reason) {
    char text[HEX_BYTES + 1];
    randombytes_buf(key, SECRET_KEY_BYTES);
    sodium_bin2hex(text, sizeof(text), key, SECRET_KEY_BYTES);
    int rc = secret_file_write(folder, file->name, bytes_of_text(text));
    sodium_memzero(text, sizeof(text));
    if (rc != STATUS_OK)
        *reason = file->not_written;
    return rc;
}

static int key_read(int fd, const struct secret_key_file *file, uint8_t key[SECRET_KEY_BYTES], const char **reason) {
    char text[HEX_BYTES + 2];
    struct stat status;
    size_t size = 0;
    if (fstat(fd, &status) != 0 || (status.st_mode & 077) != 0) {
        *reason = file->not_private;
        return STATUS_CONFLICT;
    }
    ssize_t got = read(fd, text, sizeof(text));
    bool is_key = (got == HEX_BYTES || (got == HEX_BYTES + 1 && text[HEX_BYTES] == '\n')) &&
                  sodium_hex2bin(key, SECRET_KEY_BYTES, text, HEX_BYTES, NULL, &size, NULL) == 0 &&
                  size == SECRET_KEY_BYTES;
    sodium_memzero(text, sizeof(text));
    if (!is_key)
        *reason = file->not_a_key;
    return is_key ? STATUS_OK : STATUS_CONFLICT;
}

int secret_key_load(const char *folder, const struct secret_key_file *file, uint8_t key[SECRET_KEY_BYTES],
                    const char **reason) {
    char path[PATH_MAX_BYTES];
    bool is_short = path_join(path, folder, file->name);
    int fd = is_short ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (is_short && fd < 0 && errno == ENOENT)
        return key_make(folder, file, key, reason);
    if (fd < 0) {
        *reason = file->not_opened;
        return STATUS_STORAGE_FAILED;
    }
    int rc = key_read(fd, file, key, reason);
    close(fd);
    return rc;
}

int master_key_load(const char *folder, struct seal_key *key, const char **reason) {
    return secret_key_load(folder, &MASTER_KEY_FILE, key->bytes, reason);
}
