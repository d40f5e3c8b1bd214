#pragma once
/* What the operator can decide. A value of each key comes, in rising precedence, from its default, the configuration
 * file (`key = value`), the environment (WEFT_KEY) and flags (`--key value`, `--key=value`; dashes count as
 * underscores). main.c calls this once at start. It reads the file and never prints. The keys, their bounds and
 * explanations are the table of node/config_keys.c, from which the file's parsing, the printed configuration and the
 * help are derived. */
#include "proto/buffer.h"
#include "proto/status.h"

#define CONFIG_TEXT_MAX 256 /* with the NUL; a path or a URL longer than that is a mistake */

#define CONFIG_REPLICATION_FACTOR_MAX 3 /* without a replication_factor of the operator's */
#define CONFIG_MIN_IN_SYNC 2            /* of a cluster, without a min_in_sync of the operator's */

#define CONFIG_KEYS_MAX 96

struct config_address {
    bool is_on;
    char host[64]; /* an IPv4 or IPv6 address, without brackets */
    uint16_t port;
};

enum config_rate_limits { CONFIG_RATE_LIMITS_OFF = 0, CONFIG_RATE_LIMITS_ACS = 1 };

enum config_log_level { CONFIG_LOG_ERROR = 0, CONFIG_LOG_WARNING = 1, CONFIG_LOG_INFO = 2, CONFIG_LOG_DEBUG = 3 };

/* Texts are "" when nothing was given; what is done then stands in the table. */
struct config {
    char node_name[CONFIG_TEXT_MAX];
    char zone[CONFIG_TEXT_MAX];
    char data[CONFIG_TEXT_MAX];
    int64_t workers; /* 0: one per core */
    bool io_uring;

    struct config_address listen;       /* TLS; always on */
    struct config_address plain_listen; /* loopback only */
    char public_url[CONFIG_TEXT_MAX];   /* without a slash at the end */
    bool trust_forwarded;

    char tls_cert_file[CONFIG_TEXT_MAX];
    char tls_key_file[CONFIG_TEXT_MAX];
    char tls_ca_file[CONFIG_TEXT_MAX];
    char tls_names[CONFIG_TEXT_MAX]; /* host names and addresses, space separated */

    int64_t storage_map_initial_mb;
    int64_t storage_max_mb; /* 0: no limit but the disk's */
    int64_t range_count;

    char join[CONFIG_TEXT_MAX];           /* host:port of any node; "": nobody is asked */
    char etcd_endpoints[CONFIG_TEXT_MAX]; /* URLs, space separated; "": alone */
    char etcd_user[CONFIG_TEXT_MAX];
    char etcd_password[CONFIG_TEXT_MAX];
    char etcd_ca_file[CONFIG_TEXT_MAX];
    char etcd_cert_file[CONFIG_TEXT_MAX];
    char etcd_key_file[CONFIG_TEXT_MAX];
    char cluster_name[CONFIG_TEXT_MAX];
    char cluster_secret_file[CONFIG_TEXT_MAX];
    struct config_address peer_listen;
    char peer_address[CONFIG_TEXT_MAX]; /* host:port */
    int64_t replication_factor;         /* 0: follows the number of nodes, up to CONFIG_REPLICATION_FACTOR_MAX */
    int64_t min_in_sync;                /* 0: CONFIG_MIN_IN_SYNC, or 1 alone */
    bool balance;
    int64_t replace_after_s;
    int64_t moves_max;
    int64_t move_rate_mb; /* per second; 0: no limit */
    int64_t peer_send_buffer_messages;
    int64_t peer_receive_buffer_messages;

    char resource_id[CONFIG_TEXT_MAX];
    char access_key_primary[CONFIG_TEXT_MAX]; /* base64, as in the connection string */
    char access_key_secondary[CONFIG_TEXT_MAX];
    int64_t hmac_skew_ms;
    int64_t token_revocation_grace_s;

    int64_t message_bytes_max;
    int64_t feature_participants_max;
    bool html;
    int64_t retention_days; /* 0: none */
    int64_t retention_sweep_s;
    int64_t deleted_thread_keep_days;
    int64_t undelete_hours; /* 0: not at all */

    int64_t heartbeat_ms;
    int64_t trouter_ttl_s;
    int64_t endpoint_buffer_ms;
    int64_t session_queue_bytes_max;
    int64_t trace_events;

    bool events_allow_private;
    char events_ca_file[CONFIG_TEXT_MAX];
    int64_t events_keep_hours;
    char events_topic[CONFIG_TEXT_MAX];

    bool push;
    char push_contact[CONFIG_TEXT_MAX];
    int64_t push_ttl_s;
    bool push_allow_private;
    char push_ca_file[CONFIG_TEXT_MAX];
    char push_fcm_account_file[CONFIG_TEXT_MAX];
    char push_fcm_url[CONFIG_TEXT_MAX];
    char push_apns_key_file[CONFIG_TEXT_MAX];
    char push_apns_key_id[CONFIG_TEXT_MAX];
    char push_apns_team_id[CONFIG_TEXT_MAX];
    char push_apns_topic[CONFIG_TEXT_MAX];
    char push_apns_url[CONFIG_TEXT_MAX];

    int64_t request_body_bytes_max;
    int64_t request_timeout_ms;
    int64_t connections_max;
    int64_t core_queue_max;
    enum config_rate_limits rate_limits;
    int64_t rate_limit_multiplier;

    enum config_log_level log_level;

    /* Not keys: where the values come from. */
    bool has_joined;                /* from a cluster too, see config_learn.h */
    bool is_given[CONFIG_KEYS_MAX]; /* of each key: by the operator; as it is by default in a file is not given */
};

enum config_verb {
    CONFIG_RUN,                     /* no verb: start the node */
    CONFIG_HELP,                    /* --help */
    CONFIG_VERSION,                 /* --version */
    CONFIG_CHECK,                   /* --check-config: load, report, exit */
    CONFIG_PRINT,                   /* --print-config: the configuration in force, as a file */
    CONFIG_PRINT_CONNECTION_STRING, /* --print-connection-string: of the resource in `data` */
    CONFIG_FSCK                     /* fsck: read and open every record, report */
};

void config_defaults(struct config *config);

/* `arguments` and `environment` as main has them (`arguments[0]` is skipped; both end with NULL). Fills everything and
 * the verb. When anything is wrong: STATUS_VALIDATION_ERROR, and `problems` has one line for each mistake that names
 * file and line, variable or flag. Relative paths stay relative to the working directory. */
int config_load(struct config *config, enum config_verb *verb, char *const *arguments, char *const *environment,
                struct buffer *problems);

/* What contradicts itself or is missing, as config_load says it. */
void config_check(const struct config *config, struct buffer *problems);

/* Whether the operator has decided about this key. */
bool config_is_given(const struct config *config, const char *key);
/* Whether an address that a joined node has chosen may have another port because this one is taken. */
bool config_may_move(const struct config *config, const char *key);

/* The configuration as a documented file that config_load reads back; printed from the defaults it is
 * cluster-config/node.conf. Secrets are left out and said to be. */
void config_print(const struct config *config, struct buffer *out);

/* What --help shows. */
void config_help(struct buffer *out);
