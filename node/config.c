#include "node/config.h"

#include "node/config_keys.h"
#include "node/config_learn.h"
#include "proto/check.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>

#define KEYS_MAX CONFIG_KEYS_MAX
#define VARIABLE_PREFIX "WEFT_"
#define FILE_VARIABLE "WEFT_CONFIG"
#define WIDTH 110

void config_defaults(struct config *config) {
    memset(config, 0, sizeof *config);
    struct buffer complaint;
    buffer_init(&complaint);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool is_empty_text = key->type == CONFIG_TEXT && key->default_value[0] == '\0';
        check(is_empty_text || config_key_set(key, config, key->default_value, &complaint) == STATUS_OK);
    }
    buffer_close(&complaint);
}

/* One loading: what is filled, what was wrong so far, and what the arguments said. */
struct load {
    struct config *config;
    struct buffer *problems;
    const char *path;            /* the configuration file; NULL: none */
    const char *flags[KEYS_MAX]; /* per key, the value its flag has; NULL: no flag */
    enum config_verb verb;
    const char *verb_flag; /* what chose the verb; NULL: nothing did */
};

static size_t index_of(const struct config_key *key) {
    return (size_t)(key - config_keys);
}

static void complain(struct load *load, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One line: `where` names file and line, variable or flag; the rest says what. */
static void complain(struct load *load, const char *where, const char *format, ...) {
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    buffer_printf(load->problems, "%s: %s\n", where, what);
}

static void complain_of_unknown(struct load *load, const char *where, const char *kind, const char *name) {
    const struct config_key *nearest = config_key_nearest(name);
    if (nearest == NULL) {
        complain(load, where, "unknown %s '%s'; --help lists all", kind, name);
    } else {
        complain(load, where, "unknown %s '%s'; did you mean '%s'?", kind, name, nearest->name);
    }
}

static void set(struct load *load, const char *where, const struct config_key *key, const char *value) {
    struct buffer complaint;
    buffer_init(&complaint);
    if (config_key_set(key, load->config, value, &complaint) != STATUS_OK) {
        complain(load, where, "%.*s", BYTES_ARG(buffer_bytes(&complaint)));
    }
    buffer_close(&complaint);
}

static void set_given(struct load *load, const char *where, const struct config_key *key, const char *value) {
    load->config->is_given[index_of(key)] = true;
    set(load, where, key, value);
}

/* ---- arguments ---- */

static const struct {
    const char *argument;
    enum config_verb verb;
    const char *explanation;
} verbs[] = {
    {"--help", CONFIG_HELP, "Show this."},
    {"--version", CONFIG_VERSION, "Show the version."},
    {"--check-config", CONFIG_CHECK, "Read the configuration, say what is wrong with it, and end."},
    {"--print-config", CONFIG_PRINT, "Print the configuration in force as a file, and end."},
    {"--print-connection-string", CONFIG_PRINT_CONNECTION_STRING,
     "Print the connection string for the SDK of the resource in the data folder, and end."},
    {"fsck", CONFIG_FSCK, "Read and open every record in the data folder, report, and end. The node must not run."},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static bool take_verb(struct load *load, const char *argument) {
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argument, verbs[i].argument) != 0) {
            continue;
        }
        if (load->verb_flag != NULL && strcmp(load->verb_flag, argument) != 0) {
            complain(load, argument, "cannot be combined with %s", load->verb_flag);
        }
        load->verb = verbs[i].verb;
        load->verb_flag = verbs[i].argument;
        return true;
    }
    return false;
}

/* Keeps the value of the flag `name` (without dashes) until file and environment are read. */
static void take_flag(struct load *load, const char *argument, const char *name, const char *value) {
    const struct config_key *key = config_key_find(name);
    bool is_path = strcmp(name, "config") == 0;
    if (key == NULL && !is_path) {
        complain_of_unknown(load, argument, "flag", name);
    } else if (value == NULL) {
        complain(load, argument, "needs a value");
    } else if (is_path) {
        load->path = value;
    } else {
        load->flags[index_of(key)] = value;
    }
}

static void read_arguments(struct load *load, char *const *arguments) {
    for (size_t i = 1; arguments[i] != NULL; i++) {
        const char *argument = arguments[i];
        if (take_verb(load, argument)) {
            continue;
        }
        if (strncmp(argument, "--", 2) != 0) {
            complain(load, argument, "unexpected argument; flags are --key value or --key=value");
            continue;
        }
        char name[CONFIG_TEXT_MAX];
        const char *equals = strchr(argument, '=');
        size_t size = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
        snprintf(name, sizeof name, "%.*s", (int)(size - 2), argument + 2);
        const char *value = equals != NULL ? equals + 1 : NULL;
        bool next_is_value = arguments[i + 1] != NULL && strncmp(arguments[i + 1], "--", 2) != 0;
        if (equals == NULL && next_is_value) {
            value = arguments[++i];
        }
        take_flag(load, argument, name, value);
    }
}

static void set_from_flags(struct load *load) {
    for (size_t i = 0; i < config_key_count; i++) {
        if (load->flags[i] != NULL) {
            char where[CONFIG_TEXT_MAX];
            snprintf(where, sizeof where, "flag --%s", config_keys[i].name);
            set_given(load, where, &config_keys[i], load->flags[i]);
        }
    }
}

/* ---- environment ---- */

static const char *find_variable(char *const *environment, const char *name) {
    size_t size = strlen(name);
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=') {
            return environment[i] + size + 1;
        }
    }
    return NULL;
}

/* An unknown variable is a mistake only when it looks like a slip: container systems put their own WEFT_SERVICE_HOST
 * and the like into the environment of a service that is called weft. */
static void set_from_variable(struct load *load, const char *variable) {
    const char *equals = strchr(variable, '=');
    char where[CONFIG_TEXT_MAX];
    char name[CONFIG_TEXT_MAX];
    size_t size = equals == NULL ? 0 : (size_t)(equals - variable);
    size_t prefix_size = strlen(VARIABLE_PREFIX);
    if (size <= prefix_size || size >= sizeof name || equals[1] == '\0') {
        return;
    }
    for (size_t i = prefix_size; i <= size; i++) {
        name[i - prefix_size] = i == size ? '\0' : (char)tolower((unsigned char)variable[i]);
    }
    snprintf(where, sizeof where, "environment %.*s", (int)size, variable);
    const struct config_key *key = config_key_find(name);
    if (key != NULL) {
        set_given(load, where, key, equals + 1);
    } else if (config_key_nearest(name) != NULL) {
        complain_of_unknown(load, where, "key", name);
    }
}

static void set_from_environment(struct load *load, char *const *environment) {
    for (size_t i = 0; environment[i] != NULL; i++) {
        bool is_ours = strncmp(environment[i], VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) == 0;
        bool names_the_file = strncmp(environment[i], FILE_VARIABLE "=", strlen(FILE_VARIABLE) + 1) == 0;
        if (is_ours && !names_the_file) {
            set_from_variable(load, environment[i]);
        }
    }
}

/* ---- file ---- */

struct file_load {
    struct load *load;
    FILE *file;
    int line;                  /* the last one read, from 1 */
    int line_of_key[KEYS_MAX]; /* where each key was set; 0: nowhere yet */
};

static const char *where_in(const struct file_load *file, char where[CONFIG_TEXT_MAX]) {
    snprintf(where, CONFIG_TEXT_MAX, "%s:%d", file->load->path, file->line);
    return where;
}

/* As fgets; inih asks for one line at a time, so counting here tells its handler the line. */
static char *read_line(char *line, int size, void *context) {
    struct file_load *file = context;
    if (fgets(line, size, file->file) == NULL) {
        return NULL;
    }
    file->line++;
    if (strlen(line) == (size_t)size - 1 && line[size - 2] != '\n') {
        char where[CONFIG_TEXT_MAX];
        complain(file->load, where_in(file, where), "the line is longer than %d bytes", size - 2);
        int character;
        do {
            character = fgetc(file->file);
        } while (character != '\n' && character != EOF);
        /* What is left of the line would only cause a second complaint. */
        line[0] = '\0';
    }
    return line;
}

/* inih's handler: 1 is success. Mistakes are kept as complaints, so that one reading finds all of them. */
static int set_from_line(void *context, const char *section, const char *name, const char *value) {
    struct file_load *file = context;
    char where[CONFIG_TEXT_MAX];
    where_in(file, where);
    const struct config_key *key = config_key_find(name);
    if (section[0] != '\0') {
        complain(file->load, where, "'%s' is in section [%s]; this file has no sections", name, section);
    } else if (key == NULL) {
        complain_of_unknown(file->load, where, "key", name);
    } else if (file->line_of_key[index_of(key)] != 0) {
        complain(file->load, where, "%s is set already in line %d", key->name, file->line_of_key[index_of(key)]);
    } else {
        file->line_of_key[index_of(key)] = file->line;
        set(file->load, where, key, value);
        /* The sample file has every key; who leaves one as it is has decided nothing. */
        file->load->config->is_given[index_of(key)] = strcmp(value, key->default_value) != 0;
    }
    return 1;
}

static void set_from_file(struct load *load) {
    struct file_load file = {.load = load, .file = fopen(load->path, "re")};
    if (file.file == NULL) {
        complain(load, load->path, "cannot be opened: %s", strerror(errno));
        return;
    }
    int bad_line = ini_parse_stream(read_line, &file, set_from_line, &file);
    if (ferror(file.file)) {
        complain(load, load->path, "cannot be read: %s", strerror(errno));
    } else if (bad_line > 0) {
        file.line = bad_line;
        char where[CONFIG_TEXT_MAX];
        complain(load, where_in(&file, where), "the line is neither a comment nor key = value");
    }
    fclose(file.file);
}

/* ---- who decided ---- */

bool config_is_given(const struct config *config, const char *name) {
    const struct config_key *key = config_key_find(name);
    check(key != NULL);
    return config->is_given[index_of(key)];
}

bool config_may_move(const struct config *config, const char *name) {
    return config->has_joined && !config_is_given(config, name);
}

/* ---- what belongs together ---- */

static bool is_loopback(const struct config_address *address) {
    return strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0;
}

static bool has_port_of(const struct config_address *address, const struct config_address *other) {
    return address->is_on && other->is_on && address->port == other->port;
}

static bool is_any_address(const struct config_address *address) {
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
}

/* What only a cluster can do, said to a node alone. */
static void check_alone(struct load *load) {
    const struct config *config = load->config;
    const struct {
        const char *name;
        bool is_set;
    } keys[] = {
        {"etcd_user", config->etcd_user[0] != '\0'},
        {"etcd_password", config->etcd_password[0] != '\0'},
        {"etcd_ca_file", config->etcd_ca_file[0] != '\0'},
        {"etcd_cert_file", config->etcd_cert_file[0] != '\0'},
        {"etcd_key_file", config->etcd_key_file[0] != '\0'},
        {"cluster_secret_file", config->cluster_secret_file[0] != '\0'},
        {"peer_listen", config->peer_listen.is_on},
        {"peer_address", config->peer_address[0] != '\0'},
        {"replication_factor", config->replication_factor > 1},
        {"min_in_sync", config->min_in_sync > 1},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].is_set) {
            complain(load, keys[i].name, "is for a cluster, and there are no etcd_endpoints");
        }
    }
}

static void check_etcd(struct load *load) {
    const struct config *config = load->config;
    bool has_tls = config->etcd_ca_file[0] != '\0' || config->etcd_cert_file[0] != '\0';
    if ((config->etcd_user[0] == '\0') != (config->etcd_password[0] == '\0')) {
        complain(load, "etcd_user, etcd_password", "one is set without the other");
    }
    if ((config->etcd_cert_file[0] == '\0') != (config->etcd_key_file[0] == '\0')) {
        complain(load, "etcd_cert_file, etcd_key_file", "one is set without the other");
    }
    if (has_tls && strstr(config->etcd_endpoints, "http://") != NULL) {
        complain(load, "etcd_endpoints", "an http:// member is reached without the TLS files that are configured");
    }
}

static void check_replicas(struct load *load) {
    const struct config *config = load->config;
    int64_t factor = config->replication_factor == 0 ? CONFIG_REPLICATION_FACTOR_MAX : config->replication_factor;
    int64_t in_sync = config->min_in_sync == 0 ? CONFIG_MIN_IN_SYNC : config->min_in_sync;
    if (in_sync > factor) {
        complain(load, "min_in_sync", "%lld%s is above replication_factor, %lld%s", (long long)in_sync,
                 config->min_in_sync == 0 ? " (by default)" : "", (long long)factor,
                 config->replication_factor == 0 ? " (by default)" : "");
    }
}

static void check_cluster(struct load *load) {
    const struct config *config = load->config;
    bool is_joining = config->join[0] != '\0';
    if (config->cluster_secret_file[0] == '\0') {
        complain(load, "cluster_secret_file", "is needed with %s", is_joining ? "join" : "etcd_endpoints");
    }
    if (!config->peer_listen.is_on && !is_joining) {
        complain(load, "peer_listen", "is needed with etcd_endpoints");
    }
    bool is_anywhere = config->peer_listen.is_on && is_any_address(&config->peer_listen);
    if (is_anywhere && config->peer_address[0] == '\0' && !is_joining) {
        complain(load, "peer_address", "is needed when peer_listen is %s", config->peer_listen.host);
    }
    if (has_port_of(&config->peer_listen, &config->listen)) {
        complain(load, "peer_listen", "has the same port as listen, %u", (unsigned)config->listen.port);
    }
    if (has_port_of(&config->peer_listen, &config->plain_listen)) {
        complain(load, "peer_listen", "has the same port as plain_listen, %u", (unsigned)config->plain_listen.port);
    }
    /* Half of it may come from the cluster. */
    if (config->etcd_endpoints[0] != '\0') {
        check_etcd(load);
        check_replicas(load);
    }
}

static void check_together(struct load *load) {
    const struct config *config = load->config;
    if (config->plain_listen.is_on && !is_loopback(&config->plain_listen)) {
        complain(load, "plain_listen", "%s is not a loopback address; HTTP without TLS stays on this machine",
                 config->plain_listen.host);
    }
    if (config->plain_listen.is_on && config->plain_listen.port == config->listen.port) {
        complain(load, "plain_listen", "has the same port as listen, %u", (unsigned)config->listen.port);
    }
    if ((config->tls_cert_file[0] == '\0') != (config->tls_key_file[0] == '\0')) {
        complain(load, "tls_cert_file, tls_key_file", "one is set without the other");
    }
    if (config->access_key_secondary[0] != '\0' && config->access_key_primary[0] == '\0') {
        complain(load, "access_key_secondary", "is set without access_key_primary");
    }
    if (config->storage_max_mb != 0 && config->storage_max_mb < config->storage_map_initial_mb) {
        complain(load, "storage_max_mb", "%lld MB is below storage_map_initial_mb, %lld MB",
                 (long long)config->storage_max_mb, (long long)config->storage_map_initial_mb);
    }
    if (config->etcd_endpoints[0] == '\0' && config->join[0] == '\0') {
        check_alone(load);
    } else {
        check_cluster(load);
    }
}

void config_check(const struct config *config, struct buffer *problems) {
    struct config copy = *config;
    struct load load = {.config = &copy, .problems = problems};
    check_together(&load);
}

static bool needs_no_configuration(enum config_verb verb) {
    return verb == CONFIG_HELP || verb == CONFIG_VERSION;
}

int config_load(struct config *config, enum config_verb *verb, char *const *arguments, char *const *environment,
                struct buffer *problems) {
    check(config_key_count <= KEYS_MAX);
    struct load load = {.config = config, .problems = problems, .path = find_variable(environment, FILE_VARIABLE)};
    size_t problems_before = problems->size;
    config_defaults(config);
    read_arguments(&load, arguments);
    *verb = load.verb;
    if (!needs_no_configuration(load.verb)) {
        if (load.path != NULL && load.path[0] != '\0') {
            set_from_file(&load);
        }
        set_from_environment(&load, environment);
        set_from_flags(&load);
        config_learn_kept(config, problems);
        check_together(&load);
    }
    return problems->size == problems_before ? STATUS_OK : STATUS_VALIDATION_ERROR;
}

/* ---- for people ---- */

/* Writes `text` in lines of at most WIDTH characters, broken at spaces, each begun with `prefix`. */
static void wrap(struct buffer *out, const char *prefix, const char *text) {
    while (*text != '\0') {
        size_t room = WIDTH - strlen(prefix);
        size_t size = strlen(text);
        if (size > room) {
            size = room;
            while (size > 1 && text[size] != ' ') {
                size--;
            }
        }
        buffer_printf(out, "%s%.*s\n", prefix, (int)size, text);
        text += size;
        text += strspn(text, " ");
    }
}

static bool begins_group(size_t i) {
    return i == 0 || strcmp(config_keys[i].group, config_keys[i - 1].group) != 0;
}

static void print_key(const struct config *config, const struct config_key *key, struct buffer *out) {
    wrap(out, "# ", key->explanation);
    buffer_append_text(out, "# (");
    config_key_format_range(key, out);
    buffer_append_text(out, ")\n");
    struct buffer value;
    buffer_init(&value);
    config_key_format(key, config, &value);
    if (value.size == 0) {
        buffer_printf(out, "%s =\n\n", key->name);
    } else if (key->is_secret) {
        buffer_printf(out, "# %s is set and not shown.\n\n", key->name);
    } else {
        buffer_printf(out, "%s = %.*s\n\n", key->name, BYTES_ARG(buffer_bytes(&value)));
    }
    buffer_close(&value);
}

void config_print(const struct config *config, struct buffer *out) {
    wrap(out, "# ",
         "Configuration of a weft-node: key = value, one a line; # begins a comment line. Each key can also be given "
         "as an environment variable (WEFT_LISTEN for listen), which counts more than this file, and as a flag "
         "(--listen), which counts most. `weft-node --config FILE --check-config` finds mistakes.");
    buffer_append_text(out, "\n");
    for (size_t i = 0; i < config_key_count; i++) {
        if (begins_group(i)) {
            buffer_printf(out, "# ======== %s ========\n\n", config_keys[i].group);
        }
        print_key(config, &config_keys[i], out);
    }
    /* The file ends with its last line, not with an empty one. */
    out->size--;
}

static void help_key(const struct config_key *key, struct buffer *out) {
    buffer_append_text(out, "  --");
    for (const char *character = key->name; *character != '\0'; character++) {
        buffer_printf(out, "%c", *character == '_' ? '-' : *character);
    }
    buffer_append_text(out, " (");
    config_key_format_range(key, out);
    if (key->default_value[0] != '\0') {
        buffer_printf(out, "; default %s", key->default_value);
    }
    buffer_append_text(out, ")\n");
    wrap(out, "      ", key->explanation);
}

void config_help(struct buffer *out) {
    buffer_append_text(out, "weft-node [--config FILE] [--key value …] [what to do]\n\n"
                            "Without anything to do it serves until SIGTERM. What to do:\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        buffer_printf(out, "  %s\n", verbs[i].argument);
        wrap(out, "      ", verbs[i].explanation);
    }
    buffer_append_text(out, "\n  --config FILE\n");
    wrap(out, "      ",
         "Configuration file with lines of key = value; also WEFT_CONFIG. Keys are the flags below, with _ for -; each "
         "is also an environment variable: WEFT_LISTEN for listen. Flags count more than variables, variables more "
         "than the file.");
    for (size_t i = 0; i < config_key_count; i++) {
        if (begins_group(i)) {
            buffer_printf(out, "\n%s\n", config_keys[i].group);
        }
        help_key(&config_keys[i], out);
    }
}
