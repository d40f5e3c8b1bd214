#include "node/data_folder.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/cluster_keys.h"
#include "node/coordinator/etcd.h"
#include "node/coordinator/local.h"
#include "node/log.h"
#include "node/secret_file.h"
#include "node/secret_line.h"
#include "proto/check.h"
#include "storage/store_lmdb.h"

#define CONNECTION_STRING_NAME "connection-string"
#define ADMIN_TOKEN_NAME "admin-token"
#define LEFT_NAME "left"
#define STORE_READERS_MAX 1024

static bool file_exists(const struct config *config, const char *name) {
    char path[CONFIG_TEXT_MAX + 64];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", config->data, name);
    return stat(path, &status) == 0;
}

int data_folder_make(const char *folder) {
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

/* A new master key could open nothing of an old database. The other nodes rely on what a node of that name has said to
 * hold, so one that has lost it must not come back as the same. */
static int folder_is_whole(const struct config *config, const char **reason) {
    bool has_database = file_exists(config, "data.mdb");
    bool has_lost_key = has_database && !file_exists(config, "master.key");
    bool has_lost_database = !has_database && file_exists(config, "node.key");
    if (has_lost_key)
        *reason = "there is a database but no master.key; put the key back";
    if (has_lost_database)
        *reason = "there is a node.key but no database; put it back, or remove node.key to join as another node";
    return has_lost_key || has_lost_database ? STATUS_CONFLICT : STATUS_OK;
}

/* With the master key that the folder has by now. */
static int store_open(const struct config *config, struct data_folder *folder, const char **reason) {
    struct store_lmdb_options options = {.folder = config->data,
                                         .map_bytes = (size_t)config->storage_map_initial_mb << 20,
                                         .bytes_max = (size_t)config->storage_max_mb << 20,
                                         .readers_max = STORE_READERS_MAX};
    int rc = folder_is_whole(config, reason);
    if (rc == STATUS_OK)
        rc = master_key_load(config->data, &folder->master, reason);
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
    struct settings_place place = {.coordinator = folder->coordinator};
    folder->settings.range_count = settings_range_count(&place);
    return STATUS_OK;
}

static int master_key_write(const struct config *config, const struct seal_key *key, const char **reason) {
    char text[SEAL_KEY_BYTES * 2 + 1];
    sodium_bin2hex(text, sizeof(text), key->bytes, sizeof(key->bytes));
    int rc = secret_file_write(config->data, "master.key", bytes_of_text(text));
    sodium_memzero(text, sizeof(text));
    if (rc != STATUS_OK)
        *reason = "master.key cannot be written";
    return rc;
}

static struct coordinator *etcd_new(const struct config *config) {
    struct etcd_options options = {.endpoints = config->etcd_endpoints,
                                   .prefix = config->cluster_name,
                                   .user = config->etcd_user,
                                   .password = config->etcd_password,
                                   .ca_file = config->etcd_ca_file,
                                   .cert_file = config->etcd_cert_file,
                                   .key_file = config->etcd_key_file};
    return coordinator_etcd_new(&options);
}

/* Gives the folder the cluster's master key, or the cluster the folder's. */
static int keys_agree(const struct config *config, struct data_folder *folder, struct bytes secret,
                      const char **reason) {
    struct cluster_keys keys = {0};
    bool has_key = file_exists(config, "master.key");
    int rc = has_key ? master_key_load(config->data, &folder->master, reason) : STATUS_OK;
    if (rc != STATUS_OK)
        return rc;
    rc = STATUS_SERVICE_UNAVAILABLE;
    for (int i = 0; i < DATA_FOLDER_ETCD_TRIES && rc == STATUS_SERVICE_UNAVAILABLE; i++)
        rc = cluster_keys_open(folder->coordinator, secret, has_key ? &folder->master : NULL, &keys, reason);
    if (rc == STATUS_OK && !has_key)
        rc = master_key_write(config, &keys.master, reason);
    if (rc == STATUS_OK)
        memcpy(folder->admission_key, keys.admission_key, sizeof(folder->admission_key));
    cluster_keys_close(&keys);
    return rc;
}

static int cluster_join(const struct config *config, struct data_folder *folder, const char **reason) {
    struct bytes secret;
    int rc = folder_is_whole(config, reason);
    if (rc != STATUS_OK)
        return rc;
    rc = secret_line_read(config->cluster_secret_file, CLUSTER_SECRET_CHARACTERS_MIN, &folder->arena, &secret, reason);
    if (rc != STATUS_OK) {
        log_error("cluster_secret_file %s: %s", config->cluster_secret_file, *reason);
        *reason = "the secret of the cluster cannot be read";
        return rc;
    }
    folder->is_in_cluster = true;
    folder->coordinator = etcd_new(config);
    return keys_agree(config, folder, secret, reason);
}

/* The cluster's settings are the node's, or the other way round for the first node. */
static int settings_agree(const struct settings_wishes *wishes, struct data_folder *folder, const char **reason) {
    struct coordinator *local = coordinator_local_new(folder->store, &folder->master);
    struct settings_place own = {.coordinator = local};
    struct settings_place cluster = {.coordinator = folder->coordinator, .seal = &folder->master};
    int rc = settings_publish(&own, &cluster, reason);
    if (rc == STATUS_OK)
        rc = settings_load(&cluster, wishes, &folder->arena, &folder->settings, reason);
    if (rc == STATUS_OK)
        rc = settings_keep(&cluster, &own, reason);
    coordinator_close(local);
    return rc;
}

static int settings_of_own(const struct settings_wishes *wishes, struct data_folder *folder, const char **reason) {
    folder->coordinator = coordinator_local_new(folder->store, &folder->master);
    struct settings_place place = {.coordinator = folder->coordinator};
    return settings_load(&place, wishes, &folder->arena, &folder->settings, reason);
}

/* The others may hold what is not here, and lead it; and nobody here could say which of the newest entries of the log
 * are committed. */
static int may_be_alone(const struct config *config, const char **reason) {
    int rc = folder_is_whole(config, reason);
    if (rc != STATUS_OK || !file_exists(config, "node.key"))
        return rc;
    *reason = "it is of a node of a cluster (it has a node.key), which cannot go on alone; configure etcd_endpoints, "
              "cluster_name and cluster_secret_file as before";
    return STATUS_CONFLICT;
}

static int folder_open(const struct config *config, struct data_folder *folder, const char **reason) {
    struct settings_wishes wishes = {.resource_id = config->resource_id,
                                     .access_key_primary = config->access_key_primary,
                                     .access_key_secondary = config->access_key_secondary,
                                     .range_count = (uint32_t)config->range_count};
    bool has_etcd = config->etcd_endpoints[0] != '\0';
    int rc = has_etcd ? cluster_join(config, folder, reason) : may_be_alone(config, reason);
    if (rc == STATUS_OK)
        rc = store_open(config, folder, reason);
    if (rc != STATUS_OK)
        return rc;
    return has_etcd ? settings_agree(&wishes, folder, reason) : settings_of_own(&wishes, folder, reason);
}

int data_folder_open(const struct config *config, struct data_folder *folder, const char **reason) {
    *folder = (struct data_folder){0};
    arena_init(&folder->arena);
    if (data_folder_make(config->data) != STATUS_OK) {
        *reason = strerror(errno);
        return STATUS_STORAGE_FAILED;
    }
    int rc = folder_open(config, folder, reason);
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
    sodium_memzero(folder->admission_key, sizeof(folder->admission_key));
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

void data_folder_note_left(const struct config *config) {
    if (secret_file_write(config->data, LEFT_NAME, BYTES_LITERAL("this node was drained")) != STATUS_OK)
        log_error("%s/" LEFT_NAME " cannot be written: whoever starts this node will not know that it has left",
                  config->data);
}

/* Whoever starts it wants it in the cluster again. */
static void left_forget(const struct config *config) {
    char path[CONFIG_TEXT_MAX + 64];
    snprintf(path, sizeof(path), "%s/" LEFT_NAME, config->data);
    unlink(path);
}

int data_folder_announce(const struct data_folder *folder, const struct config *config, uint16_t port,
                         const char **reason) {
    struct arena arena;
    left_forget(config);
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
