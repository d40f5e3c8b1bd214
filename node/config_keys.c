#include "node/config_keys.h"

#include "proto/check.h"
#include "proto/ids.h"
#include "proto/limits.h"
#include "proto/range_record.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

/* The base64 text of a key has no fewer characters than 32 bytes give; ACS's own keys are 64 bytes or longer. */
#define ACCESS_KEY_CHARACTERS_MIN 43
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define ETCD_ENDPOINTS_MAX 7          /* etcd has no use for more members */
#define PEER_BUFFER_MESSAGES_MAX 8192 /* as many as nng takes */
#define BASE64_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

static bool has_form_of_name(const char *value) {
    return strspn(value, NAME_CHARACTERS) == strlen(value) && strlen(value) <= 63;
}

static bool has_form_of_names(const char *value) {
    return strspn(value, NAME_CHARACTERS ":* ") == strlen(value);
}

/* An origin: clients put their own paths behind it. */
static bool has_form_of_origin(const char *value) {
    const char *host = strncmp(value, "https://", 8) == 0  ? value + 8
                       : strncmp(value, "http://", 7) == 0 ? value + 7
                                                           : "";
    return *host != '\0' && strspn(host, NAME_CHARACTERS ":[]") == strlen(host);
}

static bool is_origin(const char *value, size_t size) {
    char text[CONFIG_TEXT_MAX];
    if (size >= sizeof text) {
        return false;
    }
    memcpy(text, value, size);
    text[size] = '\0';
    return has_form_of_origin(text);
}

static bool has_form_of_contact(const char *value) {
    bool is_mail = strncmp(value, "mailto:", 7) == 0 && strchr(value + 7, '@') != NULL;
    bool is_page = strncmp(value, "https://", 8) == 0 && value[8] != '\0';
    return (is_mail || is_page) && strchr(value, ' ') == NULL;
}

static bool has_form_of_origins(const char *value) {
    size_t count = 0;
    for (value += strspn(value, " "); *value != '\0'; value += strspn(value, " ")) {
        size_t size = strcspn(value, " ");
        if (!is_origin(value, size) || ++count > ETCD_ENDPOINTS_MAX) {
            return false;
        }
        value += size;
    }
    return count > 0;
}

static bool has_form_of_host_and_port(const char *value) {
    const char *colon = strrchr(value, ':');
    size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    if (colon == NULL || colon == value || digits == 0 || digits > 5 || colon[1 + digits] != '\0') {
        return false;
    }
    long port = strtol(colon + 1, NULL, 10);
    size_t host_size = (size_t)(colon - value);
    bool is_bracketed = value[0] == '[' && colon[-1] == ']';
    bool is_host = is_bracketed ? host_size > 2 && strspn(value + 1, "0123456789abcdefABCDEF:.%") == host_size - 2
                                : strspn(value, NAME_CHARACTERS) == host_size;
    return is_host && port >= 1 && port <= 65535;
}

static bool has_form_of_uuid(const char *value) {
    return uuid_is_valid(bytes_of_text(value));
}

static bool has_form_of_access_key(const char *value) {
    size_t characters = strspn(value, BASE64_CHARACTERS);
    size_t padding = strspn(value + characters, "=");
    return characters >= ACCESS_KEY_CHARACTERS_MIN && padding <= 2 && (characters + padding) % 4 == 0 &&
           value[characters + padding] == '\0';
}

#define KEY(field, heading, kind, initial, text)                                                                       \
    .name = #field, .group = heading, .type = kind, .at = offsetof(struct config, field), .default_value = initial,    \
    .explanation = text

#define NODE "Node"
#define LISTEN "Listening"
#define TLS "TLS"
#define STORAGE "Storage"
#define CLUSTER "Cluster"
#define ACCESS "Resource and access"
#define CHAT "Chat"
#define REALTIME "Real time"
#define EVENTS "Server events"
#define PUSH "Devices of absent users"
#define LIMITS "Limits"
#define LOG "Log"

const struct config_key config_keys[] = {
    {KEY(node_name, NODE, CONFIG_TEXT, "node-1",
         "What this node is called in logs, metrics and the answers to /realtime clients."),
     .has_form = has_form_of_name, .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(zone, NODE, CONFIG_TEXT, "",
         "Failure domain of this node (a rack, an availability zone). Replicas are spread over zones. Empty: none."),
     .has_form = has_form_of_name, .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(data, NODE, CONFIG_TEXT, "/var/lib/weft",
         "Folder of everything that must survive: the database, the master key, the TLS files made at first start, "
         "`connection-string` and `admin-token`. Made when missing, readable by its owner only."),
     .form = "a path"},
    {KEY(workers, NODE, CONFIG_NUMBER, "0", "Threads that serve clients. 0: one per core."), .min = 0, .max = 256,
     .unit = "threads"},
    {KEY(io_uring, NODE, CONFIG_SWITCH, "on",
         "Hand what goes to many clients without TLS to the kernel in one call, where the kernel allows it.")},

    {KEY(listen, LISTEN, CONFIG_ADDRESS, "127.0.0.1:8443",
         "Address and port for clients, always with TLS. 0.0.0.0 or [::] listens on every address of the machine. Left "
         "as it is by a node that joins a cluster: the address from which it reaches the others, and port 8443 or a "
         "free one.")},
    {KEY(plain_listen, LISTEN, CONFIG_ADDRESS, "off",
         "Address and port for HTTP without TLS, or off. Only loopback addresses are accepted: for measuring, and for "
         "a proxy on the same machine that does TLS.")},
    {KEY(public_url, LISTEN, CONFIG_TEXT, "",
         "How clients reach this node, for the connection string and for the addresses that it tells clients; behind a "
         "proxy or a load balancer, theirs. Empty: made from `listen`."),
     .has_form = has_form_of_origin, .form = "http:// or https:// with a host and perhaps a port, and nothing behind"},
    {KEY(trust_forwarded, LISTEN, CONFIG_SWITCH, "off",
         "Believe Forwarded, X-Forwarded-Proto and X-Forwarded-Host. Switch on only behind a proxy that sets them.")},

    {KEY(tls_cert_file, TLS, CONFIG_TEXT, "",
         "Certificate chain (PEM). Empty, with an empty tls_key_file: a CA and a certificate are made at first start "
         "in the folder tls of `data`, and clients need tls/ca.pem from there."),
     .form = "a path"},
    {KEY(tls_key_file, TLS, CONFIG_TEXT, "", "Private key of tls_cert_file (PEM)."), .form = "a path"},
    {KEY(tls_ca_file, TLS, CONFIG_TEXT, "",
         "CA certificate (PEM) that clients of a certificate of your own need. Only told to people."),
     .form = "a path"},
    {KEY(tls_names, TLS, CONFIG_TEXT, "",
         "More host names and addresses for the certificate made at first start, separated by spaces; localhost, the "
         "host's own name and the address in `listen` are always in it. Example: chat.example.org 192.0.2.7"),
     .has_form = has_form_of_names, .form = "host names and addresses separated by spaces"},

    {KEY(storage_map_initial_mb, STORAGE, CONFIG_NUMBER, "256",
         "Size of the database map at start. It grows by itself; a larger start avoids the growing."),
     .min = 16, .max = 1048576, .unit = "MB"},
    {KEY(storage_max_mb, STORAGE, CONFIG_NUMBER, "0",
         "Where the database stops growing: from there on writes are refused with StorageFull, and only removals may "
         "use "
         "8 MB more, so that it can be emptied. 0: when the disk is full."),
     .min = 0, .max = 16777216, .unit = "MB"},
    {KEY(range_count, STORAGE, CONFIG_NUMBER, "64",
         "Number of hash ranges that threads and users are divided into when the cluster is created; later "
         "values are ignored; POST /admin/split makes more of them."),
     .min = 1, .max = LIMIT_RANGES_MAX, .unit = "ranges"},

    {KEY(join, CLUSTER, CONFIG_TEXT, "",
         "Any node of the cluster that this one is to join: host and port where clients reach it. It is asked for all "
         "that a node needs beside cluster_secret_file; what it says is kept in `data`, so that later starts need "
         "neither this nor that node. What is configured here counts more; what is left as it is by default does not. "
         "Empty: nobody is asked."),
     .has_form = has_form_of_host_and_port, .form = "a host and a port, as node-1.example.org:8443"},
    {KEY(etcd_endpoints, CLUSTER, CONFIG_TEXT, "",
         "Members of the etcd cluster (3.4 or newer) in which the nodes of a cluster agree who holds what, separated "
         "by "
         "spaces. Empty: this node is alone. Example: https://10.0.0.1:2379 https://10.0.0.2:2379"),
     .has_form = has_form_of_origins,
     .form = "up to 7 times http:// or https:// with a host and a port, separated by spaces"},
    {KEY(etcd_user, CLUSTER, CONFIG_TEXT, "", "User of etcd. Empty: etcd asks for none.")},
    {KEY(etcd_password, CLUSTER, CONFIG_TEXT, "", "Password of etcd_user."), .is_secret = true},
    {KEY(etcd_ca_file, CLUSTER, CONFIG_TEXT, "",
         "CA certificate (PEM) of etcd's own certificates. Empty: the CAs that this machine trusts."),
     .form = "a path"},
    {KEY(etcd_cert_file, CLUSTER, CONFIG_TEXT, "",
         "Certificate (PEM) of this node for etcd, where etcd asks for one. It must have no CommonName when etcd asks "
         "for "
         "a user as well, or etcd refuses it. Empty: none."),
     .form = "a path"},
    {KEY(etcd_key_file, CLUSTER, CONFIG_TEXT, "", "Private key of etcd_cert_file (PEM)."), .form = "a path"},
    {KEY(cluster_name, CLUSTER, CONFIG_TEXT, "weft",
         "Name of the cluster in etcd: everything it keeps there has a key that begins with it. The same on all "
         "nodes."),
     .has_form = has_form_of_name, .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(cluster_secret_file, CLUSTER, CONFIG_TEXT, "",
         "File with the secret that all nodes of the cluster share: one line of at least 32 characters, readable by "
         "its "
         "owner only (mode 0600). It admits nodes to the cluster and protects the master key in etcd. "
         "`openssl rand -hex 32` makes a good one."),
     .form = "a path"},
    {KEY(
        peer_listen, CLUSTER, CONFIG_ADDRESS, "off",
        "Address and port for the other nodes of the cluster, or off for a node alone. Left off by a node that joins a "
        "cluster: the address from which it reaches the others, and port 8600 or a free one.")},
    {KEY(peer_address, CLUSTER, CONFIG_TEXT, "",
         "Host and port where the other nodes reach this one. Empty: as in `peer_listen`."),
     .has_form = has_form_of_host_and_port, .form = "a host and a port, as node-1.example.org:8444"},
    {KEY(replication_factor, CLUSTER, CONFIG_NUMBER, "0",
         "On how many nodes everything is kept. 0: on all, but no more than 3."),
     .min = 0, .max = RANGE_REPLICAS_MAX, .unit = "nodes"},
    {KEY(min_in_sync, CLUSTER, CONFIG_NUMBER, "0",
         "With fewer replicas in sync than this a write is refused with TooFewReplicas. 0: 2 in a cluster, 1 for a "
         "node "
         "alone."),
     .min = 0, .max = RANGE_REPLICAS_MAX, .unit = "replicas"},
    {KEY(balance, CLUSTER, CONFIG_SWITCH, "on",
         "This node may be the one that moves ranges so that all nodes have their share. The cluster balances as long "
         "as "
         "one node may.")},
    {KEY(replace_after_s, CLUSTER, CONFIG_NUMBER, "60",
         "What a node held that is silent for longer is copied to the others."),
     .min = 5, .max = 86400, .unit = "s"},
    {KEY(moves_max, CLUSTER, CONFIG_NUMBER, "4", "Ranges that are moved at the same time, in the whole cluster."),
     .min = 1, .max = 64, .unit = "ranges"},
    {KEY(move_rate_mb, CLUSTER, CONFIG_NUMBER, "32",
         "How much this node sends of the ranges that are copied from it, per second. 0: no limit."),
     .min = 0, .max = 10000, .unit = "MB/s"},
    {KEY(peer_send_buffer_messages, CLUSTER, CONFIG_NUMBER, "1024",
         "Messages for one other node that may wait for the network. Beyond it they are lost and sent again, which "
         "costs "
         "time; a message is up to 256 KB, so fewer cost less memory."),
     .min = 1, .max = PEER_BUFFER_MESSAGES_MAX, .unit = "messages"},
    {KEY(peer_receive_buffer_messages, CLUSTER, CONFIG_NUMBER, "4096",
         "Messages of other nodes that may wait for this one, for when it stands still a moment. Beyond it they are "
         "lost "
         "and sent again."),
     .min = 1, .max = PEER_BUFFER_MESSAGES_MAX, .unit = "messages"},

    {KEY(resource_id, ACCESS, CONFIG_TEXT, "",
         "The resource whose users this cluster has: the UUID inside every user id. Empty: made at first start. To "
         "keep "
         "the user ids of an Azure Communication Services resource, put its id here before the first start."),
     .has_form = has_form_of_uuid, .form = "a UUID with dashes"},
    {KEY(access_key_primary, ACCESS, CONFIG_TEXT, "",
         "Key with which trusted services sign their requests (the accesskey of the connection string), base64. Empty: "
         "made at first start."),
     .has_form = has_form_of_access_key, .form = "base64 of at least 32 bytes", .is_secret = true},
    {KEY(access_key_secondary, ACCESS, CONFIG_TEXT, "",
         "A second key that is accepted too, so that keys can be changed without a stop. Empty: made at first start."),
     .has_form = has_form_of_access_key, .form = "base64 of at least 32 bytes", .is_secret = true},
    {KEY(hmac_skew_ms, ACCESS, CONFIG_NUMBER, "900000",
         "How far the date of a signed request may be from this machine's clock."),
     .min = 1000, .max = 86400000, .unit = "ms"},
    {KEY(token_revocation_grace_s, ACCESS, CONFIG_NUMBER, "0",
         "How long tokens go on being accepted after their revocation; Azure Communication Services takes up to 900. "
         "0: "
         "void at once."),
     .min = 0, .max = 3600, .unit = "s"},

    {KEY(message_bytes_max, CHAT, CONFIG_NUMBER, "28672", "Longest content of a message, in UTF-8 bytes."), .min = 1,
     .max = LIMIT_MESSAGE_BYTES_MAX, .unit = "bytes"},
    {KEY(feature_participants_max, CHAT, CONFIG_NUMBER, "20",
         "Read receipts and typing work in threads of up to this many participants; 20 is what Azure Communication "
         "Services does. In larger threads they are gathered a moment, so that their cost does not grow with the "
         "square."),
     .min = 0, .max = LIMIT_PARTICIPANTS_MAX, .unit = "participants"},
    {KEY(html, CHAT, CONFIG_SWITCH, "on",
         "Accept messages of type html. Tags and attributes outside a list of harmless ones are taken out.")},
    {KEY(retention_days, CHAT, CONFIG_NUMBER, "0",
         "Threads that are created without a retention policy are deleted so long after their creation; clients can "
         "change that, thread by thread, to 30 to 90 days or to none. 0: they are kept."),
     .min = 0, .max = LIMIT_RETENTION_DAYS_DEFAULT_MAX, .unit = "days"},
    {KEY(retention_sweep_s, CHAT, CONFIG_NUMBER, "3600",
         "How long after its time a thread may still be there: the node that leads it looks that often for what is "
         "due."),
     .min = 1, .max = 86400, .unit = "s"},
    {KEY(deleted_thread_keep_days, CHAT, CONFIG_NUMBER, "30",
         "How long a deleted thread stays in its users' lists, as deleted."),
     .min = 1, .max = 3650, .unit = "days"},
    {KEY(undelete_hours, CHAT, CONFIG_NUMBER, "0",
         "How long what was in a deleted thread is kept, unreadable for everybody, so that an operator can undelete it "
         "(`weftctl undelete`). 0: it is shredded at once."),
     .min = 0, .max = 8760, .unit = "hours"},

    {KEY(heartbeat_ms, REALTIME, CONFIG_NUMBER, "25000",
         "How often a silent real-time connection is asked whether it is still there."),
     .min = 1000, .max = 600000, .unit = "ms"},
    {KEY(trouter_ttl_s, REALTIME, CONFIG_NUMBER, "21600",
         "How long an address that was allocated for the official SDK's real time is valid; the SDK renews it."),
     .min = 60, .max = 86400, .unit = "s"},
    {KEY(endpoint_buffer_ms, REALTIME, CONFIG_NUMBER, "60000",
         "How long the events for an official SDK whose connection broke are kept for its return."),
     .min = 0, .max = 600000, .unit = "ms"},
    {KEY(session_queue_bytes_max, REALTIME, CONFIG_NUMBER, "1048576",
         "What may wait for one client that reads slowly. Beyond it typing is dropped, then the connection is closed "
         "and the client resumes."),
     .min = LIMIT_FRAME_BYTES_MAX, .max = 67108864, .unit = "bytes"},

    {KEY(events_allow_private, EVENTS, CONFIG_SWITCH, "off",
         "Send server events also to this machine and its networks: loopback, private, link-local and other addresses "
         "that are not everybody's, and by http://. Off, such an address is refused when it is connected to, whatever "
         "name led there.")},
    {KEY(events_ca_file, EVENTS, CONFIG_TEXT, "",
         "CA certificates (PEM) by which receivers of server events are known. Empty: those that this machine trusts."),
     .form = "a path"},
    {KEY(events_keep_hours, EVENTS, CONFIG_NUMBER, "24",
         "How long what happened in a thread is kept for those outside who want it as events, whether or not they have "
         "got it; so long they can ask for it again."),
     .min = 1, .max = 720, .unit = "hours"},
    {KEY(events_topic, EVENTS, CONFIG_TEXT, "",
         "What server events say they are from: their topic, or source. Empty: made of cluster_name and the resource "
         "id, in the form of Azure's. To keep what receivers look at, put the Azure resource's own here.")},

    {KEY(push, PUSH, CONFIG_SWITCH, "off",
         "Tell users' devices of messages while they have no session: those that register, as browsers do with the "
         "key of GET /push/key.")},
    {KEY(push_contact, PUSH, CONFIG_TEXT, "",
         "Who answers for what is sent, told to push services of browsers; some take nothing without."),
     .has_form = has_form_of_contact, .form = "mailto: and an address, or an https:// address"},
    {KEY(push_ttl_s, PUSH, CONFIG_NUMBER, "86400",
         "How long after a message a device is told of it that could not be reached before."),
     .min = 1, .max = 2419200, .unit = "s"},
    {KEY(push_allow_private, PUSH, CONFIG_SWITCH, "off",
         "Let users name push services at addresses of this machine and its networks, and by http://, as "
         "events_allow_private does for server events.")},
    {KEY(push_ca_file, PUSH, CONFIG_TEXT, "",
         "CA certificates (PEM) by which push services are known. Empty: those that this machine trusts."),
     .form = "a path"},

    {KEY(push_fcm_account_file, PUSH, CONFIG_TEXT, "",
         "Key file (JSON) of the Google service account by which Android devices are reached through FCM. Empty: they "
         "are not."),
     .form = "a path"},
    {KEY(push_fcm_url, PUSH, CONFIG_TEXT, "https://fcm.googleapis.com", "Where FCM is."),
     .has_form = has_form_of_origin, .form = "http:// or https:// with a host and perhaps a port"},
    {KEY(push_apns_key_file, PUSH, CONFIG_TEXT, "",
         "Signing key (.p8) of the Apple account by which iOS devices are reached through APNs. Empty: they are not."),
     .form = "a path"},
    {KEY(push_apns_key_id, PUSH, CONFIG_TEXT, "", "What Apple calls that key."), .has_form = has_form_of_name,
     .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(push_apns_team_id, PUSH, CONFIG_TEXT, "", "What Apple calls the account."), .has_form = has_form_of_name,
     .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(push_apns_topic, PUSH, CONFIG_TEXT, "", "The app that is told: its bundle id."), .has_form = has_form_of_name,
     .form = "at most 63 letters, digits, dots, dashes and underscores"},
    {KEY(push_apns_url, PUSH, CONFIG_TEXT, "https://api.push.apple.com", "Where APNs is."),
     .has_form = has_form_of_origin, .form = "http:// or https:// with a host and perhaps a port"},

    {KEY(request_body_bytes_max, LIMITS, CONFIG_NUMBER, "1048576",
         "Largest request body; the creation of a full thread with all metadata fits into the default."),
     .min = 1024, .max = 16777216, .unit = "bytes"},
    {KEY(request_timeout_ms, LIMITS, CONFIG_NUMBER, "30000", "How long a request may take to arrive."), .min = 100,
     .max = 300000, .unit = "ms"},
    {KEY(connections_max, LIMITS, CONFIG_NUMBER, "20000",
         "Connections of clients at the same time; the limit of open files is raised to fit, where the system allows "
         "it."),
     .min = 1, .max = 1000000, .unit = "connections"},
    {KEY(core_queue_max, LIMITS, CONFIG_NUMBER, "20000",
         "Changes that may wait for the disk; beyond it requests are refused with Overloaded."),
     .min = 100, .max = 1000000, .unit = "changes"},
    {KEY(rate_limits, LIMITS, CONFIG_CHOICE, "off",
         "acs: limit rates as Azure Communication Services does, refused with 429 and Retry-After. Per 10 s (and per "
         "minute): create or delete thread 10 per user; update thread 5 per thread; add or remove participants 10 (30) "
         "per thread; get thread, list threads 50 per user; get message 50 per user and thread, 250 per thread; list "
         "messages 50 (200) per user and thread, 250 (400) per thread; list receipts 5 per user and thread, 100 per "
         "thread; list participants 10 per user and thread, 250 per thread; send, update or delete message 10 (30) per "
         "thread; send receipt 10 (30) per user and thread; typing 5 (15) per user and thread, 10 (30) per thread."),
     .choices = "off acs"},
    {KEY(rate_limit_multiplier, LIMITS, CONFIG_NUMBER, "1",
         "Every rate of rate_limits = acs is multiplied by this. "
         "Each node counts by itself what comes to it."),
     .min = 1, .max = 1000, .unit = "times"},

    {KEY(log_level, LOG, CONFIG_CHOICE, "info", "What is worth a line in the log: this and everything graver."),
     .choices = "error warning info debug"},
    {KEY(trace_events, LOG, CONFIG_NUMBER, "65536",
         "What a node remembers, in memory, for `weftctl trace`: so many events of the log, of the disk and of each "
         "worker, which notes one for each change it tells a client. 32 bytes each, made a power of two: 2 MB for each "
         "worker and 4 MB more. 0: nothing is remembered."),
     .min = 0, .max = 4194304, .unit = "events"},
};
const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

_Static_assert(sizeof(enum config_log_level) == sizeof(int), "a choice is written as an int");
_Static_assert(LIMIT_MESSAGE_BYTES_MAX == 28672, "the default of message_bytes_max is the limit");
_Static_assert(LIMIT_FEATURE_PARTICIPANTS_DEFAULT == 20, "the default of feature_participants_max is in limits.h");
_Static_assert(LIMIT_ENDPOINT_BUFFER_MS == 60000, "the default of endpoint_buffer_ms is in limits.h");
_Static_assert(LIMIT_SESSION_QUEUE_BYTES_MAX == 1048576, "the default of session_queue_bytes_max is in limits.h");
_Static_assert(LIMIT_REQUEST_BODY_BYTES_MAX == 1048576, "the default of request_body_bytes_max is in limits.h");
_Static_assert(LIMIT_REQUESTS_IN_FLIGHT_MAX == 20000, "the default of core_queue_max is in limits.h");

static bool names_are_equal(const char *key_name, const char *name) {
    for (; *key_name != '\0'; key_name++, name++) {
        if (*key_name != (*name == '-' ? '_' : *name)) {
            return false;
        }
    }
    return *name == '\0';
}

const struct config_key *config_key_find(const char *name) {
    for (size_t i = 0; i < config_key_count; i++) {
        if (names_are_equal(config_keys[i].name, name)) {
            return &config_keys[i];
        }
    }
    return NULL;
}

#define DISTANCE_TEXT_MAX 64

static size_t min_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many characters must be put in, taken out or changed to make `b` of `a` (Levenshtein). */
static size_t distance_between(const char *a, const char *b) {
    size_t b_size = strlen(b);
    if (strlen(a) >= DISTANCE_TEXT_MAX || b_size >= DISTANCE_TEXT_MAX) {
        return SIZE_MAX;
    }
    size_t row[DISTANCE_TEXT_MAX];
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_size; j++) {
            char a_character = a[i] == '-' ? '_' : (char)tolower((unsigned char)a[i]);
            size_t changed = diagonal + (a_character == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = min_of(changed, min_of(row[j], row[j + 1]) + 1);
        }
    }
    return row[b_size];
}

const struct config_key *config_key_nearest(const char *name) {
    const struct config_key *nearest = NULL;
    /* A third of the characters may be wrong, three at most: more likely a slip than another word. */
    size_t best = min_of(strlen(name) / 3, 3) + 1;
    for (size_t i = 0; i < config_key_count; i++) {
        size_t distance = distance_between(name, config_keys[i].name);
        if (distance < best) {
            best = distance;
            nearest = &config_keys[i];
        }
    }
    return nearest;
}

/* A secret's value must not reach a terminal or a log, so complaints leave it out. */
static int refuse(const struct config_key *key, const char *value, struct buffer *complaint) {
    if (key->is_secret) {
        buffer_printf(complaint, "%s ", key->name);
    } else {
        buffer_printf(complaint, "%s = %s ", key->name, value);
    }
    return STATUS_VALIDATION_ERROR;
}

static bool has_control_characters(const char *value) {
    for (; *value != '\0'; value++) {
        if (iscntrl((unsigned char)*value)) {
            return true;
        }
    }
    return false;
}

static int set_text(const struct config_key *key, char *text, const char *value, struct buffer *complaint) {
    size_t size = strlen(value);
    if (has_control_characters(value)) {
        buffer_printf(complaint, "%s has control characters in it", key->name);
        return STATUS_VALIDATION_ERROR;
    }
    if (size >= CONFIG_TEXT_MAX) {
        buffer_printf(complaint, "%s has %zu bytes; its maximum is %d", key->name, size, CONFIG_TEXT_MAX - 1);
        return STATUS_VALIDATION_ERROR;
    }
    if (size > 0 && key->has_form != NULL && !key->has_form(value)) {
        int rc = refuse(key, value, complaint);
        buffer_printf(complaint, "must be %s", key->form);
        return rc;
    }
    if (size == 0 && key->default_value[0] != '\0') {
        buffer_printf(complaint, "%s must not be empty", key->name);
        return STATUS_VALIDATION_ERROR;
    }
    memcpy(text, value, size + 1);
    return STATUS_OK;
}

static int set_number(const struct config_key *key, int64_t *number, const char *value, struct buffer *complaint) {
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || value[digits] != '\0') {
        int rc = refuse(key, value, complaint);
        buffer_printf(complaint, "must be a whole number of %s without unit", key->unit);
        return rc;
    }
    /* 18 digits fit; whatever is longer is above every maximum. */
    int64_t parsed = digits > 18 ? INT64_MAX : strtoll(value, NULL, 10);
    if (parsed < key->min || parsed > key->max) {
        int rc = refuse(key, value, complaint);
        bool is_below = parsed < key->min;
        buffer_printf(complaint, "is %s, %lld %s", is_below ? "below its minimum" : "above its maximum",
                      (long long)(is_below ? key->min : key->max), key->unit);
        return rc;
    }
    *number = parsed;
    return STATUS_OK;
}

static int set_switch(const struct config_key *key, bool *is_on, const char *value, struct buffer *complaint) {
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        int rc = refuse(key, value, complaint);
        buffer_append_text(complaint, "must be on or off");
        return rc;
    }
    *is_on = strcmp(value, "on") == 0;
    return STATUS_OK;
}

/* The `number`th word of `choices`; absent behind the last. */
static struct bytes choice_word(const char *choices, int number) {
    for (; number > 0 && *choices != '\0'; number--) {
        choices += strcspn(choices, " ");
        choices += strspn(choices, " ");
    }
    return *choices == '\0' ? BYTES_ABSENT : bytes_of(choices, strcspn(choices, " "));
}

static void format_choices(const struct config_key *key, struct buffer *out) {
    struct bytes word;
    for (int number = 0; bytes_is_present(word = choice_word(key->choices, number)); number++) {
        buffer_printf(out, "%s%.*s", number == 0 ? "" : ", ", BYTES_ARG(word));
    }
}

static int set_choice(const struct config_key *key, int *choice, const char *value, struct buffer *complaint) {
    struct bytes word;
    for (int number = 0; bytes_is_present(word = choice_word(key->choices, number)); number++) {
        if (bytes_equal_text(word, value)) {
            *choice = number;
            return STATUS_OK;
        }
    }
    int rc = refuse(key, value, complaint);
    buffer_append_text(complaint, "must be one of ");
    format_choices(key, complaint);
    return rc;
}

static bool address_split(const char *value, struct config_address *address) {
    const char *colon = strrchr(value, ':');
    if (colon == NULL || colon == value) {
        return false;
    }
    const char *host = value;
    size_t host_size = (size_t)(colon - value);
    bool is_bracketed = value[0] == '[' && colon[-1] == ']';
    if (is_bracketed) {
        host++;
        host_size -= 2;
    }
    size_t digits = strspn(colon + 1, "0123456789");
    if (host_size == 0 || host_size >= sizeof address->host || digits == 0 || digits > 5 || colon[1 + digits] != '\0') {
        return false;
    }
    long port = strtol(colon + 1, NULL, 10);
    memcpy(address->host, host, host_size);
    address->host[host_size] = '\0';
    address->port = (uint16_t)port;
    uint8_t binary[16];
    return port >= 1 && port <= 65535 && inet_pton(is_bracketed ? AF_INET6 : AF_INET, address->host, binary) == 1;
}

static int set_address(const struct config_key *key, struct config_address *address, const char *value,
                       struct buffer *complaint) {
    bool may_be_off = strcmp(key->default_value, "off") == 0;
    struct config_address parsed = {.is_on = true};
    if (may_be_off && strcmp(value, "off") == 0) {
        parsed.is_on = false;
    } else if (!address_split(value, &parsed)) {
        int rc = refuse(key, value, complaint);
        buffer_printf(complaint, "must be an IP address and a port, as 127.0.0.1:8443 or [::1]:8443%s",
                      may_be_off ? ", or off" : "");
        return rc;
    }
    *address = parsed;
    return STATUS_OK;
}

int config_key_set(const struct config_key *key, struct config *config, const char *value, struct buffer *complaint) {
    void *field = (char *)config + key->at;
    switch (key->type) {
    case CONFIG_TEXT:
        return set_text(key, field, value, complaint);
    case CONFIG_NUMBER:
        return set_number(key, field, value, complaint);
    case CONFIG_SWITCH:
        return set_switch(key, field, value, complaint);
    case CONFIG_CHOICE:
        return set_choice(key, field, value, complaint);
    case CONFIG_ADDRESS:
        return set_address(key, field, value, complaint);
    }
    check(false);
    return STATUS_INTERNAL_ERROR;
}

static void format_address(const struct config_address *address, struct buffer *out) {
    if (!address->is_on) {
        buffer_append_text(out, "off");
    } else if (strchr(address->host, ':') != NULL) {
        buffer_printf(out, "[%s]:%u", address->host, (unsigned)address->port);
    } else {
        buffer_printf(out, "%s:%u", address->host, (unsigned)address->port);
    }
}

void config_key_format(const struct config_key *key, const struct config *config, struct buffer *out) {
    const void *field = (const char *)config + key->at;
    switch (key->type) {
    case CONFIG_TEXT:
        buffer_append_text(out, field);
        break;
    case CONFIG_NUMBER:
        buffer_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case CONFIG_SWITCH:
        buffer_append_text(out, *(const bool *)field ? "on" : "off");
        break;
    case CONFIG_CHOICE:
        buffer_append_bytes(out, choice_word(key->choices, *(const int *)field));
        break;
    case CONFIG_ADDRESS:
        format_address(field, out);
        break;
    }
}

void config_key_format_range(const struct config_key *key, struct buffer *out) {
    switch (key->type) {
    case CONFIG_TEXT:
        buffer_append_text(out, key->form == NULL ? "text" : key->form);
        break;
    case CONFIG_NUMBER:
        buffer_printf(out, "%lld to %lld %s", (long long)key->min, (long long)key->max, key->unit);
        break;
    case CONFIG_SWITCH:
        buffer_append_text(out, "on, off");
        break;
    case CONFIG_CHOICE:
        format_choices(key, out);
        break;
    case CONFIG_ADDRESS:
        buffer_printf(out, "address:port%s", strcmp(key->default_value, "off") == 0 ? ", off" : "");
        break;
    }
}
