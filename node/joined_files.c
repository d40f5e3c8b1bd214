#include "node/joined_files.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/config_learn.h"
#include "node/data_folder.h"
#include "node/log.h"
#include "node/secret_file.h"

#define PATH_BYTES_MAX 512

#define ETCD_CA_FILE "joined-etcd-ca.pem"
#define ETCD_CERT_FILE "joined-etcd-cert.pem"
#define ETCD_KEY_FILE "joined-etcd-key.pem"

static int pem_write(const char *folder, const char *name, struct bytes content, mode_t mode) {
    char path[PATH_BYTES_MAX];
    if (content.size == 0)
        return STATUS_OK;
    /* The file's own line end is written again. */
    if (content.data[content.size - 1] == '\n')
        content.size--;
    int rc = secret_file_write(folder, name, content);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (rc == STATUS_OK && mode != 0600 && chmod(path, mode) != 0)
        rc = STATUS_STORAGE_FAILED;
    return rc;
}

/* Only for a node that has no certificate of its own yet; it signs one for itself then. */
static int authority_write(const struct config *config, const struct join_facts *facts) {
    char folder[PATH_BYTES_MAX];
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/tls/ca.pem", config->data);
    if (config->tls_cert_file[0] != '\0' || facts->tls_ca_key.size == 0 || access(path, F_OK) == 0)
        return STATUS_OK;
    snprintf(folder, sizeof(folder), "%s/tls", config->data);
    mkdir(folder, 0700);
    int rc = pem_write(folder, "ca-key.pem", facts->tls_ca_key, 0600);
    return rc == STATUS_OK ? pem_write(folder, "ca.pem", facts->tls_ca, 0644) : rc;
}

static void line_write(struct buffer *out, const char *key, struct bytes value) {
    buffer_printf(out, "%s = %.*s\n", key, BYTES_ARG(value));
}

void joined_lines_write(const struct join_facts *facts, struct buffer *out) {
    buffer_append_text(out, "# What the cluster told this node when it joined. The configuration counts more.\n");
    line_write(out, "cluster_name", facts->cluster_name);
    line_write(out, "etcd_endpoints", facts->etcd_endpoints);
    line_write(out, "etcd_user", facts->etcd_user);
    line_write(out, "etcd_password", facts->etcd_password);
    line_write(out, "etcd_ca_file", bytes_of_text(facts->etcd_ca.size > 0 ? ETCD_CA_FILE : ""));
    line_write(out, "etcd_cert_file", bytes_of_text(facts->etcd_cert.size > 0 ? ETCD_CERT_FILE : ""));
    line_write(out, "etcd_key_file", bytes_of_text(facts->etcd_key.size > 0 ? ETCD_KEY_FILE : ""));
    buffer_printf(out, "replication_factor = %u\nmin_in_sync = %u\n", facts->replication_factor, facts->min_in_sync);
}

/* What names the others comes last. */
int joined_files_write(const struct config *config, const struct join_facts *facts, struct bytes lines) {
    const char *folder = config->data;
    int rc = data_folder_make(folder);
    if (rc == STATUS_OK)
        rc = pem_write(folder, ETCD_CA_FILE, facts->etcd_ca, 0600);
    if (rc == STATUS_OK)
        rc = pem_write(folder, ETCD_CERT_FILE, facts->etcd_cert, 0600);
    if (rc == STATUS_OK)
        rc = pem_write(folder, ETCD_KEY_FILE, facts->etcd_key, 0600);
    if (rc == STATUS_OK)
        rc = authority_write(config, facts);
    if (rc == STATUS_OK)
        rc = secret_file_write(folder, CONFIG_JOINED_FILE, bytes_of(lines.data, lines.size - 1));
    if (rc != STATUS_OK)
        log_error("data folder %s: what the cluster tells this node cannot be kept there", folder);
    return rc;
}

static int port_write(const struct config *config, const char *key, const struct config_address *address, uint16_t port,
                      struct buffer *out) {
    bool is_ipv6 = strchr(address->host, ':') != NULL;
    if (!config_may_move(config, key))
        return 0;
    buffer_printf(out, "%s = %s%s%s:%u\n", key, is_ipv6 ? "[" : "", address->host, is_ipv6 ? "]" : "", (unsigned)port);
    return 1;
}

int joined_addresses_write(const struct config *config, uint16_t port, uint16_t peer_port) {
    struct buffer lines;
    buffer_init(&lines);
    buffer_append_text(&lines, "# Where this node listens since it joined. The configuration counts more.\n");
    int count = port_write(config, "listen", &config->listen, port, &lines);
    count += port_write(config, "peer_listen", &config->peer_listen, peer_port, &lines);
    if (config->has_joined && config->peer_address[0] != '\0' && !config_is_given(config, "peer_address")) {
        line_write(&lines, "peer_address", bytes_of_text(config->peer_address));
        count++;
    }
    int rc = count == 0 ? STATUS_OK
                        : secret_file_write(config->data, CONFIG_ADDRESSES_FILE, bytes_of(lines.data, lines.size - 1));
    if (rc != STATUS_OK)
        log_error("data folder %s: where this node listens cannot be kept there", config->data);
    buffer_close(&lines);
    return rc;
}
