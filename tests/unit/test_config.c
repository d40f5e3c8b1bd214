#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/config.h"
#include "node/config_keys.h"
#include "node/config_learn.h"

#define ARGUMENTS_MAX 8
#define CLUSTER                                                                                                        \
    "etcd_endpoints = http://127.0.0.1:2379 https://etcd.example.org:2379\n"                                           \
    "cluster_secret_file = /etc/weft/secret\n"                                                                         \
    "peer_listen = 127.0.0.1:9000\n"

/* One loading: what goes in, and what came out. */
struct loading {
    const char *file; /* text of the file; NULL: none */
    char *arguments[ARGUMENTS_MAX];
    char *environment[ARGUMENTS_MAX];
    int rc;
    enum config_verb verb;
    struct config config;
    char problems[4096]; /* the file's path replaced by FILE */
};

static void replace_path(char *text, const char *path) {
    for (char *at; (at = strstr(text, path)) != NULL;) {
        memcpy(at, "FILE", 4);
        memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
}

static void load(struct loading *loading) {
    char path[] = "/tmp/weft-test-config-XXXXXX";
    char *arguments[ARGUMENTS_MAX + 4] = {"weft-node"};
    size_t count = 1;
    if (loading->file != NULL) {
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, loading->file, strlen(loading->file)), strlen(loading->file));
        close(fd);
        arguments[count++] = "--config";
        arguments[count++] = path;
    }
    for (size_t i = 0; i < ARGUMENTS_MAX && loading->arguments[i] != NULL; i++) {
        arguments[count++] = loading->arguments[i];
    }
    struct buffer problems;
    buffer_init(&problems);
    loading->rc = config_load(&loading->config, &loading->verb, arguments, loading->environment, &problems);
    snprintf(loading->problems, sizeof loading->problems, "%.*s", BYTES_ARG(buffer_bytes(&problems)));
    replace_path(loading->problems, path);
    buffer_close(&problems);
    if (loading->file != NULL) {
        unlink(path);
    }
}

static char *print(const struct config *config) {
    struct buffer out;
    buffer_init(&out);
    config_print(config, &out);
    buffer_append(&out, "", 1);
    size_t size;
    return (char *)buffer_take(&out, &size);
}

static void nothing_given_means_the_defaults(void **state) {
    (void)state;
    struct loading loading = {0};
    load(&loading);
    assert_int_equal(loading.rc, STATUS_OK);
    assert_string_equal(loading.problems, "");
    assert_int_equal(loading.verb, CONFIG_RUN);
    assert_string_equal(loading.config.node_name, "node-1");
    assert_true(loading.config.listen.is_on);
    assert_string_equal(loading.config.listen.host, "127.0.0.1");
    assert_int_equal(loading.config.listen.port, 8443);
    assert_false(loading.config.plain_listen.is_on);
    assert_int_equal(loading.config.range_count, 64);
    assert_int_equal(loading.config.message_bytes_max, 28672);
    assert_int_equal(loading.config.feature_participants_max, 20);
    assert_true(loading.config.html);
    assert_false(loading.config.trust_forwarded);
    assert_int_equal(loading.config.rate_limits, CONFIG_RATE_LIMITS_OFF);
    assert_int_equal(loading.config.log_level, CONFIG_LOG_INFO);
}

static void every_default_is_within_its_own_bounds(void **state) {
    (void)state;
    struct config config;
    config_defaults(&config);
    for (size_t i = 0; i < config_key_count; i++) {
        struct buffer text;
        buffer_init(&text);
        config_key_format(&config_keys[i], &config, &text);
        assert_true(bytes_equal_text(buffer_bytes(&text), config_keys[i].default_value));
        buffer_close(&text);
    }
}

static void every_kind_of_value_is_read_from_the_file(void **state) {
    (void)state;
    struct loading loading = {.file = "# a comment\n"
                                      "\n"
                                      "node_name = left-1\n"
                                      "workers=3\n"
                                      "listen = [::1]:9443\n"
                                      "plain_listen = 127.0.0.1:8080\n"
                                      "html = off\n"
                                      "rate_limits = acs\n"
                                      "public_url = https://chat.example.org:8443\n"
                                      "tls_names = chat.example.org 192.0.2.7\n"
                                      "resource_id = 01234567-89ab-cdef-0123-456789abcdef\n"
                                      "access_key_primary = MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
                                      "log_level = debug"};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_int_equal(loading.rc, STATUS_OK);
    assert_string_equal(loading.config.node_name, "left-1");
    assert_int_equal(loading.config.workers, 3);
    assert_string_equal(loading.config.listen.host, "::1");
    assert_int_equal(loading.config.listen.port, 9443);
    assert_true(loading.config.plain_listen.is_on);
    assert_int_equal(loading.config.plain_listen.port, 8080);
    assert_false(loading.config.html);
    assert_int_equal(loading.config.rate_limits, CONFIG_RATE_LIMITS_ACS);
    assert_string_equal(loading.config.public_url, "https://chat.example.org:8443");
    assert_string_equal(loading.config.tls_names, "chat.example.org 192.0.2.7");
    assert_string_equal(loading.config.resource_id, "01234567-89ab-cdef-0123-456789abcdef");
    assert_string_equal(loading.config.access_key_primary, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    assert_int_equal(loading.config.log_level, CONFIG_LOG_DEBUG);
}

static void flags_count_more_than_variables_and_variables_more_than_the_file(void **state) {
    (void)state;
    struct loading loading = {.file = "workers = 1\nheartbeat_ms = 1001\nzone = file\n",
                              .environment = {"WEFT_WORKERS=2", "WEFT_HEARTBEAT_MS=1002"},
                              .arguments = {"--workers", "3"}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_int_equal(loading.config.workers, 3);
    assert_int_equal(loading.config.heartbeat_ms, 1002);
    assert_string_equal(loading.config.zone, "file");
}

static void flags_may_have_dashes_and_equals_signs_and_the_last_one_counts(void **state) {
    (void)state;
    struct loading loading = {.arguments = {"--node-name=a", "--heartbeat_ms", "2000", "--node-name", "b", "--zone="}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_string_equal(loading.config.node_name, "b");
    assert_int_equal(loading.config.heartbeat_ms, 2000);
    assert_string_equal(loading.config.zone, "");
}

static void the_file_may_be_named_by_a_variable(void **state) {
    (void)state;
    struct loading loading = {.environment = {"WEFT_CONFIG=/nonexistent/weft.conf"}};
    load(&loading);
    assert_int_equal(loading.rc, STATUS_VALIDATION_ERROR);
    assert_string_equal(loading.problems, "/nonexistent/weft.conf: cannot be opened: No such file or directory\n");
}

static void variables_of_others_and_empty_ones_are_left_alone(void **state) {
    (void)state;
    struct loading loading = {.environment = {"WEFT_ENDPOINTS=https://127.0.0.1:8443", "WEFT_CONNECTION_STRING=x",
                                              "WEFT_CA=/ca.pem", "WEFT_ADMIN_TOKEN=x", "WEFT_PIDS=1",
                                              "WEFT_SERVICE_HOST=192.0.2.1", "WEFT_WORKERS="}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_int_equal(loading.rc, STATUS_OK);
}

static void verbs_are_recognised(void **state) {
    (void)state;
    static const struct {
        char *argument;
        enum config_verb verb;
    } cases[] = {
        {"--help", CONFIG_HELP},
        {"--version", CONFIG_VERSION},
        {"--check-config", CONFIG_CHECK},
        {"--print-config", CONFIG_PRINT},
        {"--print-connection-string", CONFIG_PRINT_CONNECTION_STRING},
        {"fsck", CONFIG_FSCK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loading loading = {.arguments = {cases[i].argument, "--workers", "2"}};
        load(&loading);
        assert_string_equal(loading.problems, "");
        assert_int_equal(loading.verb, cases[i].verb);
    }
}

static void help_works_beside_a_broken_configuration(void **state) {
    (void)state;
    struct loading loading = {.file = "nonsense\n", .arguments = {"--help"}, .environment = {"WEFT_WORKERS=many"}};
    load(&loading);
    assert_int_equal(loading.rc, STATUS_OK);
    assert_int_equal(loading.verb, CONFIG_HELP);
}

#define LONG_150                                                                                                       \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"             \
    "01234567890123456789012345678901234567890123456789"

static void every_mistake_is_named_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *file;
        char *argument;
        char *next_argument;
        char *variable;
        const char *problems;
    } cases[] = {
        {.file = "\nlissten = 1\n", .problems = "FILE:2: unknown key 'lissten'; did you mean 'listen'?\n"},
        {.file = "heartbeat-mss = 1\n",
         .problems = "FILE:1: unknown key 'heartbeat-mss'; did you mean 'heartbeat_ms'?\n"},
        {.file = "colour = red\n", .problems = "FILE:1: unknown key 'colour'; --help lists all\n"},
        {.file = "workers = 257\n", .problems = "FILE:1: workers = 257 is above its maximum, 256 threads\n"},
        {.file = "heartbeat_ms = 5\n", .problems = "FILE:1: heartbeat_ms = 5 is below its minimum, 1000 ms\n"},
        {.file = "workers = 99999999999999999999999\n",
         .problems = "FILE:1: workers = 99999999999999999999999 is above its maximum, 256 threads\n"},
        {.file = "workers = -1\n", .problems = "FILE:1: workers = -1 must be a whole number of threads without unit\n"},
        {.file = "heartbeat_ms = 5s\n",
         .problems = "FILE:1: heartbeat_ms = 5s must be a whole number of ms without unit\n"},
        {.file = "workers =\n", .problems = "FILE:1: workers =  must be a whole number of threads without unit\n"},
        {.file = "html = yes\n", .problems = "FILE:1: html = yes must be on or off\n"},
        {.file = "log_level = loud\n",
         .problems = "FILE:1: log_level = loud must be one of error, warning, info, debug\n"},
        {.file = "listen = localhost:8443\n",
         .problems = "FILE:1: listen = localhost:8443 must be an IP address and a port, as 127.0.0.1:8443 or "
                     "[::1]:8443\n"},
        {.file = "listen = 127.0.0.1:65536\n",
         .problems = "FILE:1: listen = 127.0.0.1:65536 must be an IP address and a port, as 127.0.0.1:8443 or "
                     "[::1]:8443\n"},
        {.file = "listen = ::1:8443\n",
         .problems = "FILE:1: listen = ::1:8443 must be an IP address and a port, as 127.0.0.1:8443 or [::1]:8443\n"},
        {.file = "listen = off\n",
         .problems = "FILE:1: listen = off must be an IP address and a port, as 127.0.0.1:8443 or [::1]:8443\n"},
        {.file = "plain_listen = 80\n",
         .problems = "FILE:1: plain_listen = 80 must be an IP address and a port, as 127.0.0.1:8443 or [::1]:8443, or "
                     "off\n"},
        {.file = "public_url = https://example.org/chat\n",
         .problems = "FILE:1: public_url = https://example.org/chat must be http:// or https:// with a host and "
                     "perhaps a port, and nothing behind\n"},
        {.file = "data =\n", .problems = "FILE:1: data must not be empty\n"},
        {.file = "node_name = a b\n",
         .problems = "FILE:1: node_name = a b must be at most 63 letters, digits, dots, dashes and underscores\n"},
        {.file = "resource_id = 7\n", .problems = "FILE:1: resource_id = 7 must be a UUID with dashes\n"},
        {.file = "access_key_primary = secret\n",
         .problems = "FILE:1: access_key_primary must be base64 of at least 32 bytes\n"},
        {.file = "workers = 1\n\nworkers = 1\n", .problems = "FILE:3: workers is set already in line 1\n"},
        {.file = "[node]\nworkers = 1\n",
         .problems = "FILE:2: 'workers' is in section [node]; this file has no sections\n"},
        {.file = "html = on\nnonsense\n", .problems = "FILE:2: the line is neither a comment nor key = value\n"},
        {.file = "data = /" LONG_150 LONG_150 "\nhtml = maybe\n",
         .problems = "FILE:1: the line is longer than 198 bytes\nFILE:2: html = maybe must be on or off\n"},
        {.argument = "--workers",
         .next_argument = "x",
         .problems = "flag --workers: workers = x must be a whole number of threads without unit\n"},
        {.argument = "--workers", .problems = "--workers: needs a value\n"},
        {.argument = "--workers", .next_argument = "--help", .problems = "--workers: needs a value\n"},
        {.argument = "--config", .problems = "--config: needs a value\n"},
        {.argument = "--worker=2", .problems = "--worker=2: unknown flag 'worker'; did you mean 'workers'?\n"},
        {.argument = "--" LONG_150 LONG_150 "=2", .problems = NULL},
        {.argument = "start", .problems = "start: unexpected argument; flags are --key value or --key=value\n"},
        {.argument = "--check-config",
         .next_argument = "fsck",
         .problems = "fsck: cannot be combined with --check-config\n"},
        {.argument = "--data=/" LONG_150 LONG_150, .problems = "flag --data: data has 301 bytes; its maximum is 255\n"},
        {.argument = "--data=/a\nb", .problems = "flag --data: data has control characters in it\n"},
        {.variable = "WEFT_WORKERS=x",
         .problems = "environment WEFT_WORKERS: workers = x must be a whole number of threads without unit\n"},
        {.variable = "WEFT_WORKRES=2",
         .problems = "environment WEFT_WORKRES: unknown key 'workres'; did you mean 'workers'?\n"},
        {.argument = "--plain-listen=0.0.0.0:8080",
         .problems = "plain_listen: 0.0.0.0 is not a loopback address; HTTP without TLS stays on this machine\n"},
        {.argument = "--plain-listen=127.0.0.1:8443", .problems = "plain_listen: has the same port as listen, 8443\n"},
        {.argument = "--tls-cert-file=/c.pem",
         .problems = "tls_cert_file, tls_key_file: one is set without the other\n"},
        {.argument = "--access-key-secondary=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
         .problems = "access_key_secondary: is set without access_key_primary\n"},
        {.argument = "--etcd-endpoints=127.0.0.1:2379",
         .problems = "flag --etcd_endpoints: etcd_endpoints = 127.0.0.1:2379 must be up to 7 times http:// or https:// "
                     "with a host and a port, separated by spaces\n"},
        {.argument = "--peer-address=[::1]:0",
         .problems = "flag --peer_address: peer_address = [::1]:0 must be a host and a port, as "
                     "node-1.example.org:8444\n"},
        {.argument = "--replication-factor=8",
         .problems = "flag --replication_factor: replication_factor = 8 is above its maximum, 7 nodes\n"},
        {.argument = "--peer-send-buffer-messages=0",
         .problems =
             "flag --peer_send_buffer_messages: peer_send_buffer_messages = 0 is below its minimum, 1 messages\n"},
        {.argument = "--peer-receive-buffer-messages=8193",
         .problems =
             "flag --peer_receive_buffer_messages: peer_receive_buffer_messages = 8193 is above its maximum, 8192 "
             "messages\n"},
        {.argument = "--peer-listen=127.0.0.1:9000",
         .problems = "peer_listen: is for a cluster, and there are no etcd_endpoints\n"},
        {.argument = "--min-in-sync=2", .problems = "min_in_sync: is for a cluster, and there are no etcd_endpoints\n"},
        {.argument = "--etcd-password=secret",
         .problems = "etcd_password: is for a cluster, and there are no etcd_endpoints\n"},
        {.argument = "--etcd-endpoints=http://127.0.0.1:2379",
         .problems = "cluster_secret_file: is needed with etcd_endpoints\n"
                     "peer_listen: is needed with etcd_endpoints\n"},
        {.file = CLUSTER,
         .argument = "--peer-listen=[::]:9000",
         .problems = "peer_address: is needed when peer_listen is ::\n"},
        {.file = CLUSTER,
         .argument = "--peer-listen=127.0.0.1:8443",
         .problems = "peer_listen: has the same port as listen, 8443\n"},
        {.file = CLUSTER,
         .argument = "--plain-listen=127.0.0.1:9000",
         .problems = "peer_listen: has the same port as plain_listen, 9000\n"},
        {.file = CLUSTER,
         .argument = "--etcd-user=weft",
         .problems = "etcd_user, etcd_password: one is set without the other\n"},
        {.file = CLUSTER,
         .argument = "--etcd-key-file=/k.pem",
         .problems = "etcd_cert_file, etcd_key_file: one is set without the other\n"},
        {.file = CLUSTER,
         .argument = "--etcd-ca-file=/ca.pem",
         .problems = "etcd_endpoints: an http:// member is reached without the TLS files that are configured\n"},
        {.file = CLUSTER,
         .argument = "--min-in-sync=4",
         .problems = "min_in_sync: 4 is above replication_factor, 3 (by default)\n"},
        {.file = CLUSTER,
         .argument = "--replication-factor=1",
         .problems = "min_in_sync: 2 (by default) is above replication_factor, 1\n"},
        {.argument = "--join=node-1",
         .problems = "flag --join: join = node-1 must be a host and a port, as "
                     "node-1.example.org:8443\n"},
        {.argument = "--join=node-1.example.org:8443", .problems = "cluster_secret_file: is needed with join\n"},
        {.argument = "--storage-max-mb=100",
         .problems = "storage_max_mb: 100 MB is below storage_map_initial_mb, 256 MB\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loading loading = {.file = cases[i].file,
                                  .arguments = {cases[i].argument, cases[i].next_argument},
                                  .environment = {cases[i].variable}};
        load(&loading);
        if (cases[i].problems != NULL) {
            assert_string_equal(loading.problems, cases[i].problems);
        }
        assert_int_equal(loading.rc, STATUS_VALIDATION_ERROR);
    }
}

static void a_cluster_is_configured_by_members_of_etcd_a_secret_and_an_address_for_peers(void **state) {
    (void)state;
    struct loading loading = {.file = CLUSTER "min_in_sync = 3\nreplication_factor = 5\netcd_user = weft\n"
                                              "etcd_password = secret\npeer_address = node-1.example.org:9001\n"};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_string_equal(loading.config.etcd_endpoints, "http://127.0.0.1:2379 https://etcd.example.org:2379");
    assert_string_equal(loading.config.cluster_name, "weft");
    assert_string_equal(loading.config.cluster_secret_file, "/etc/weft/secret");
    assert_int_equal(loading.config.peer_listen.port, 9000);
    assert_string_equal(loading.config.peer_address, "node-1.example.org:9001");
    assert_int_equal(loading.config.replication_factor, 5);
    assert_int_equal(loading.config.min_in_sync, 3);
    char *printed = print(&loading.config);
    assert_null(strstr(printed, "= secret"));
    assert_non_null(strstr(printed, "# etcd_password is set and not shown.\n"));
    free(printed);
}

static void a_node_that_joins_needs_an_address_and_the_secret_only(void **state) {
    (void)state;
    struct loading loading = {.arguments = {"--join=10.0.0.1:8443", "--cluster-secret-file=/secret"}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_string_equal(loading.config.join, "10.0.0.1:8443");
    assert_false(loading.config.has_joined);
    loading = (struct loading){.arguments = {"--join=10.0.0.1:8443", "--cluster-secret-file=/secret",
                                             "--peer-listen=0.0.0.0:1", "--etcd-user=weft"}};
    load(&loading);
    assert_string_equal(loading.problems, "");
}

static void given_is_what_is_not_left_as_it_is_by_default(void **state) {
    (void)state;
    struct loading loading = {.file = "listen = 127.0.0.1:8443\ncluster_name = other\nreplication_factor = 0\n",
                              .arguments = {"--min-in-sync=0"},
                              .environment = {"WEFT_ZONE=a", "WEFT_LOG_LEVEL=info"}};
    load(&loading);
    static const struct {
        const char *key;
        bool is_given;
    } rows[] = {
        {"listen", false},    {"cluster_name", true}, {"replication_factor", false}, {"min_in_sync", true},
        {"node_name", false}, {"zone", true},         {"log_level", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(config_is_given(&loading.config, rows[i].key), rows[i].is_given);
    }
}

static void write_to(const char *folder, const char *name, const char *text) {
    char path[CONFIG_TEXT_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

#define JOINED                                                                                                         \
    "# told\ncluster_name = far\netcd_endpoints = https://10.0.0.1:2379\netcd_user = weft\n"                           \
    "etcd_password =  a ; \"b\" = # c \netcd_ca_file = ca.pem\netcd_cert_file = \netcd_key_file = \n"                  \
    "replication_factor = 5\nmin_in_sync = 0\n"
#define ADDRESSES "listen = 10.0.0.4:8443\npeer_listen = 10.0.0.4:8600\n"

static void what_a_node_was_told_when_it_joined_counts_less_than_what_is_given(void **state) {
    (void)state;
    char folder[] = "/tmp/weft-test-config-XXXXXX";
    char ca_file[CONFIG_TEXT_MAX];
    assert_non_null(mkdtemp(folder));
    write_to(folder, CONFIG_JOINED_FILE, JOINED);
    write_to(folder, CONFIG_ADDRESSES_FILE, ADDRESSES);
    struct loading loading = {.arguments = {"--data", folder, "--cluster-secret-file=/secret"}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_true(loading.config.has_joined);
    assert_string_equal(loading.config.cluster_name, "far");
    assert_string_equal(loading.config.etcd_password, " a ; \"b\" = # c ");
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    assert_string_equal(loading.config.etcd_ca_file, ca_file);
    assert_string_equal(loading.config.etcd_cert_file, "");
    assert_int_equal(loading.config.replication_factor, 5);
    assert_string_equal(loading.config.listen.host, "10.0.0.4");
    assert_int_equal(loading.config.peer_listen.port, 8600);
    assert_true(config_may_move(&loading.config, "listen"));

    loading = (struct loading){
        .file = "etcd_endpoints = http://127.0.0.1:2379\netcd_ca_file = \n",
        .arguments = {"--data", folder, "--cluster-secret-file=/secret", "--listen=[::1]:1", "--etcd-ca-file="}};
    load(&loading);
    assert_string_equal(loading.problems, "");
    assert_string_equal(loading.config.etcd_endpoints, "http://127.0.0.1:2379");
    assert_string_equal(loading.config.etcd_ca_file, "");
    assert_string_equal(loading.config.listen.host, "::1");
    assert_int_equal(loading.config.peer_listen.port, 8600);
    assert_false(config_may_move(&loading.config, "listen"));
    assert_true(config_may_move(&loading.config, "peer_listen"));

    write_to(folder, CONFIG_JOINED_FILE, "etcd_endpoints = nowhere\nno_key = 1\nlisten\n");
    loading = (struct loading){.arguments = {"--data", folder}};
    load(&loading);
    assert_int_equal(loading.rc, STATUS_VALIDATION_ERROR);
    assert_non_null(strstr(loading.problems, CONFIG_JOINED_FILE ":1: etcd_endpoints = nowhere must be"));
    assert_non_null(strstr(loading.problems, CONFIG_JOINED_FILE ":2: 'no_key' is no key"));
    assert_non_null(strstr(loading.problems, CONFIG_JOINED_FILE ":3: 'listen' is no key"));
    snprintf(ca_file, sizeof ca_file, "rm -r '%s'", folder);
    assert_int_equal(system(ca_file), 0);
}

static void all_mistakes_are_told_at_once(void **state) {
    (void)state;
    struct loading loading = {.file = "workers = x\nhtml = y\n", .environment = {"WEFT_HEARTBEAT_MS=z"}};
    load(&loading);
    assert_string_equal(loading.problems,
                        "FILE:1: workers = x must be a whole number of threads without unit\n"
                        "FILE:2: html = y must be on or off\n"
                        "environment WEFT_HEARTBEAT_MS: heartbeat_ms = z must be a whole number of ms without unit\n");
}

static void what_is_printed_reads_back_the_same(void **state) {
    (void)state;
    struct loading first = {.arguments = {"--listen=[::]:1", "--plain-listen=[::1]:2", "--rate-limits=acs",
                                          "--log-level=error", "--tls-names=a b", "--html=off"}};
    load(&first);
    assert_string_equal(first.problems, "");
    char *printed = print(&first.config);
    struct loading second = {.file = printed};
    load(&second);
    assert_string_equal(second.problems, "");
    char *printed_again = print(&second.config);
    assert_string_equal(printed, printed_again);
    free(printed_again);
    free(printed);
}

static void secrets_are_not_printed(void **state) {
    (void)state;
    struct loading loading = {.arguments = {"--access-key-primary=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}};
    load(&loading);
    assert_int_equal(loading.rc, STATUS_OK);
    char *printed = print(&loading.config);
    assert_null(strstr(printed, "MDEyMzQ1"));
    assert_non_null(strstr(printed, "# access_key_primary is set and not shown.\n"));
    free(printed);
}

static void the_documented_file_is_what_the_table_prints(void **state) {
    (void)state;
    struct config config;
    config_defaults(&config);
    char *printed = print(&config);
    FILE *file = fopen(SOURCE_DIR "/cluster-config/node.conf", "re");
    assert_non_null(file);
    char documented[64 * 1024];
    size_t size = fread(documented, 1, sizeof documented - 1, file);
    documented[size] = '\0';
    fclose(file);
    assert_string_equal(documented, printed);
    free(printed);
}

static void help_names_every_key_and_its_default(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out);
    config_help(&out);
    buffer_append(&out, "", 1);
    const char *help = (const char *)out.data;
    assert_non_null(strstr(help, "  --feature-participants-max (0 to 250 participants; default 20)\n"));
    assert_non_null(strstr(help, "  --print-connection-string\n"));
    for (size_t i = 0; i < config_key_count; i++) {
        assert_non_null(strstr(help, config_keys[i].explanation + strlen(config_keys[i].explanation) - 4));
    }
    for (const char *line = help; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_in_range(length, 0, 120);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    buffer_close(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_means_the_defaults),
        cmocka_unit_test(every_default_is_within_its_own_bounds),
        cmocka_unit_test(every_kind_of_value_is_read_from_the_file),
        cmocka_unit_test(flags_count_more_than_variables_and_variables_more_than_the_file),
        cmocka_unit_test(flags_may_have_dashes_and_equals_signs_and_the_last_one_counts),
        cmocka_unit_test(the_file_may_be_named_by_a_variable),
        cmocka_unit_test(variables_of_others_and_empty_ones_are_left_alone),
        cmocka_unit_test(verbs_are_recognised),
        cmocka_unit_test(help_works_beside_a_broken_configuration),
        cmocka_unit_test(every_mistake_is_named_with_its_place),
        cmocka_unit_test(a_cluster_is_configured_by_members_of_etcd_a_secret_and_an_address_for_peers),
        cmocka_unit_test(a_node_that_joins_needs_an_address_and_the_secret_only),
        cmocka_unit_test(given_is_what_is_not_left_as_it_is_by_default),
        cmocka_unit_test(what_a_node_was_told_when_it_joined_counts_less_than_what_is_given),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(the_documented_file_is_what_the_table_prints),
        cmocka_unit_test(help_names_every_key_and_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
