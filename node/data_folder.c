#include "node/data_folder.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/coordinator/local.h"
#include "node/secret_file.h"
#include "proto/check.h"
#include "storage/store_lmdb.h"

#define CONNECTION_STRING_NAME "connection-string"
#define ADMIN_TOKEN_NAME "admin-token"
#define STORE_READERS_MAX 1024

static bool file_exists(const struct config *config, const char *name) {
    char path[CONFIG_TEXT_MAX + 64];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", config->data, name);
    return stat(path, &status) == 0;
}

/* As mkdir -p, owner only. */
static int folder_make(const char *folder) {
    char path[CONFIG_TEXT_MAX];
    snprintf(path, sizeof(path), "%s", folder);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return STATUS_STORAGE_FAILED;
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? STATUS_OK : STATUS_STORAGE_FAILED;
}

static int store_open(const struct config *config, struct data_folder *folder, const char **reason) {
    struct store_lmdb_options options = {.folder = config->data,
                                         .map_bytes = (size_t)config->storage_map_initial_mb << 20,
                                         .bytes_max = (size_t)config->storage_max_mb << 20,
                                         .readers_max = STORE_READERS_MAX};
    /* A new master key could open nothing of an old database. */
    if (file_exists(config, "data.mdb") && !file_exists(config, "master.key")) {
        *reason = "there is a database but no master.key; put the key back";
        return STATUS_CONFLICT;
    }
    int rc = master_key_load(config->data, &folder->master, reason);
    return rc == STATUS_OK ? store_lmdb_open(&options, &folder->store, reason) : rc;
}

int data_folder_open_existing(const struct config *config, struct data_folder *folder, const char **reason) {
    *folder = (struct data_folder){0};
    arena_init(&folder->arena);
    if (!file_exists(config, "data.mdb")) {
        *reason = "there is no database in it";
        return STATUS_STORE_MISSING;
    }
    int rc = store_open(config, folder, reason);
    if (rc != STATUS_OK)
        return rc;
    folder->coordinator = coordinator_local_new(folder->store, &folder->master);
    folder->settings.range_count = settings_range_count(folder->coordinator);
    return STATUS_OK;
}

int data_folder_open(const struct config *config, struct data_folder *folder, const char **reason) {
    *folder = (struct data_folder){0};
    arena_init(&folder->arena);
    if (folder_make(config->data) != STATUS_OK) {
        *reason = strerror(errno);
        return STATUS_STORAGE_FAILED;
    }
    int rc = store_open(config, folder, reason);
    if (rc != STATUS_OK)
        return rc;
    struct settings_wishes wishes = {.resource_id = config->resource_id,
                                     .access_key_primary = config->access_key_primary,
                                     .access_key_secondary = config->access_key_secondary,
                                     .range_count = (uint32_t)config->range_count};
    folder->coordinator = coordinator_local_new(folder->store, &folder->master);
    rc = settings_load(folder->coordinator, &wishes, &folder->arena, &folder->settings, reason);
    if (rc != STATUS_OK)
        data_folder_close(folder);
    return rc;
}

void data_folder_close(struct data_folder *folder) {
    if (folder->coordinator != NULL)
        coordinator_close(folder->coordinator);
    if (folder->store != NULL)
        store_lmdb_close(folder->store);
    sodium_memzero(&folder->master, sizeof(folder->master));
    arena_close(&folder->arena);
    *folder = (struct data_folder){0};
}

bool data_folder_public_host(const struct config *config, char *host, size_t size) {
    const char *start = strstr(config->public_url, "://");
    if (start == NULL)
        return false;
    start += 3;
    bool is_bracketed = *start == '[';
    if (is_bracketed)
        start++;
    size_t length = strcspn(start, is_bracketed ? "]" : ":/");
    if (length == 0 || length >= size)
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    return true;
}

/* Clients on this machine reach a node that listens everywhere by a loopback address: the name localhost may mean ::1
 * first, and older Node.js then does not try 127.0.0.1. */
static struct bytes endpoint_make(struct arena *arena, const struct config *config, uint16_t port) {
    const char *host = config->listen.host;
    if (config->public_url[0] != '\0')
        return arena_copy(arena, bytes_of_text(config->public_url));
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    if (strcmp(host, "::") == 0)
        host = "::1";
    bool is_ipv6 = strchr(host, ':') != NULL;
    return arena_printf(arena, "https://%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

int data_folder_announce(const struct data_folder *folder, const struct config *config, uint16_t port,
                         const char **reason) {
    struct arena arena;
    arena_init(&arena);
    struct bytes key = folder->settings.primary_key;
    size_t size = sodium_base64_ENCODED_LEN(key.size, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_alloc(&arena, size);
    sodium_bin2base64(text, size, key.data, key.size, sodium_base64_VARIANT_ORIGINAL);
    struct bytes connection =
        arena_printf(&arena, "endpoint=%.*s/;accesskey=%s", BYTES_ARG(endpoint_make(&arena, config, port)), text);
    int rc = secret_file_write(config->data, CONNECTION_STRING_NAME, connection);
    if (rc == STATUS_OK)
        rc = secret_file_write(config->data, ADMIN_TOKEN_NAME, folder->settings.admin_token);
    if (rc != STATUS_OK)
        *reason = "connection-string and admin-token cannot be written";
    sodium_memzero(text, size);
    arena_close(&arena);
    return rc;
}

int data_folder_read_connection_string(const struct config *config, struct buffer *out, const char **reason) {
    char path[CONFIG_TEXT_MAX + 64];
    char line[4096];
    snprintf(path, sizeof(path), "%s/" CONNECTION_STRING_NAME, config->data);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        *reason = "no node has written its connection-string there yet";
        if (file != NULL)
            fclose(file);
        return STATUS_STORE_MISSING;
    }
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    buffer_append_text(out, line);
    sodium_memzero(line, sizeof(line));
    return STATUS_OK;
}
