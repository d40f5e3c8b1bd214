#pragma once
/* The node's data folder: the master key, the store, the cluster's settings, and the small files by which tools reach
 * the node (`connection-string`, `admin-token`, `tls/`). Opened once at start, by one process at a time. With
 * etcd_endpoints in the configuration the key and the settings are those of the cluster, and the coordinator is etcd.
 */
#include "node/config.h"
#include "node/coordinator/coordinator.h"
#include "node/settings.h"
#include "proto/node_record.h"
#include "storage/seal.h"

struct data_folder {
    struct arena arena; /* of the settings */
    bool is_in_cluster;
    uint8_t admission_key[NODE_ADMISSION_KEY_BYTES]; /* of the cluster: node_record_admit */
    struct seal_key master;
    struct store *store;
    struct coordinator *coordinator;
    struct settings settings;
};

/* Makes the folder (0700) and what is missing in it. Negative status with a sentence in `reason`. A cluster that etcd
 * knows nothing of begins with this node: its key and settings become those of the cluster. Waits for etcd up to
 * DATA_FOLDER_ETCD_TRIES times COORDINATOR_CALL_MS_MAX, as machines that start together start in any order. */
#define DATA_FOLDER_ETCD_TRIES 10
int data_folder_make(const char *folder); /* as mkdir -p, owner only; STATUS_STORAGE_FAILED */
int data_folder_open(const struct config *config, struct data_folder *folder, const char **reason);
void data_folder_close(struct data_folder *folder);

/* Opens the store only, of a folder that exists: for fsck. Of the settings only `range_count` is filled, with 0 when
 * they are missing or damaged. */
int data_folder_open_existing(const struct config *config, struct data_folder *folder, const char **reason);

/* Writes `connection-string` and `admin-token`, both 0600. `port` is the one really bound. */
int data_folder_announce(const struct data_folder *folder, const struct config *config, uint16_t port,
                         const char **reason);
/* This node has left its cluster: it was to be emptied, and is. The file `left` says so to who starts nodes, until the
 * next start (data_folder_announce). Logged if it cannot be written. */
void data_folder_note_left(const struct config *config);
/* The connection string that the node of this folder wrote at its last start. */
int data_folder_read_connection_string(const struct config *config, struct buffer *out, const char **reason);

/* The host of public_url, without scheme and port. False: none is configured. */
bool data_folder_public_host(const struct config *config, char *host, size_t size);
