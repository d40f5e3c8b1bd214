#pragma once
/* The coordinator of a cluster: etcd 3.4 or newer, by its v3 JSON gateway. Several members are tried in turn; names
 * lie under "<prefix>/". A version is the key's mod_revision. Watches and announcements have a thread each, ended by
 * coordinator_close. */
#include "node/coordinator/coordinator.h"

struct etcd_options {
    const char *endpoints; /* "https://10.0.0.1:2379 https://10.0.0.2:2379": space separated, at least one */
    const char *prefix;    /* the cluster's name */
    const char *user;      /* "": without */
    const char *password;
    const char *ca_file; /* PEM; "": what the system trusts */
    const char *cert_file;
    const char *key_file;
};

/* Copies the options; asks nothing of etcd yet. Call while the process has one thread. */
struct coordinator *coordinator_etcd_new(const struct etcd_options *options);
