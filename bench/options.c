#define _GNU_SOURCE
#include "bench/options.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "bench/option_values.h"
#include "bench/payload.h"
#include "bench/tally.h"
#include "proto/access_key.h"
#include "proto/limits.h"

#define BOOK_BYTES_MAX (2ULL * 1024 * 1024 * 1024)
#define DESCRIPTORS_SPARE 100 /* REST connections, files, the loop */

const char *wire_name(enum wire wire) {
    static const char *const names[] = {"json", "msgpack", "sdk"};
    return names[wire];
}

const char *mode_name(enum mode mode) {
    static const char *const names[] = {"fanout", "rebalance", "churn"};
    return names[mode];
}

uint32_t options_threads(const struct options *options) {
    return options->threads + options->small_threads;
}

uint32_t options_participants(const struct options *options, uint32_t thread) {
    return thread < options->threads ? options->participants : OPTIONS_SMALL_PARTICIPANTS;
}

uint32_t options_first_user(const struct options *options, uint32_t thread) {
    if (thread <= options->threads)
        return thread * options->participants;
    return options->threads * options->participants + (thread - options->threads) * OPTIONS_SMALL_PARTICIPANTS;
}

uint32_t options_users(const struct options *options) {
    if (options->idle_connections > 0)
        return (options->idle_connections + options->connections_per_user - 1) / options->connections_per_user;
    return options_first_user(options, options_threads(options));
}

uint32_t options_readers(const struct options *options, uint32_t thread) {
    return options_participants(options, thread) * options->connections_per_user;
}

uint32_t options_connections(const struct options *options) {
    return options->idle_connections > 0 ? options->idle_connections
                                         : options_users(options) * options->connections_per_user;
}

uint32_t options_messages_per_thread(const struct options *options) {
    return (uint32_t)ceil((double)(options->warmup_s + options->duration_s) * options->rate);
}

double options_deliveries_per_second(const struct options *options) {
    return options->rate * (double)options_connections(options);
}

/* Keeps the addresses of the wanted scheme. */
static bool scheme_choose(struct options *options, bool only_tls) {
    size_t plain = 0;
    for (size_t i = 0; i < options->nodes_count; i++)
        plain += !options->nodes[i].is_tls;
    bool wants_tls = only_tls || plain == 0;
    size_t kept = 0;
    for (size_t i = 0; i < options->nodes_count; i++)
        if (options->nodes[i].is_tls == wants_tls)
            options->nodes[kept++] = options->nodes[i];
    options->nodes_count = kept;
    if (kept == 0)
        option_complain("--tls needs an https:// address and none is given");
    return kept > 0;
}

static bool connection_string_take(struct arena *arena, const char *text, struct options *options) {
    struct bytes endpoint;
    if (text == NULL) {
        option_complain(
            "no access key: give --connection-string, or set WEFT_CONNECTION_STRING (cluster-config/run/env has it)");
        return false;
    }
    if (!connection_string_parse(arena, bytes_of_text(text), &endpoint, &options->access_key)) {
        option_complain("the connection string is not of the form endpoint=https://host/;accesskey=<base64>");
        return false;
    }
    if (options->nodes_count > 0)
        return true;
    return option_nodes_take(arena, "the connection string", arena_text(arena, endpoint), options);
}

static bool sizes_fit(const struct options *options) {
    uint64_t connections = options->idle_connections;
    if (connections == 0)
        connections = ((uint64_t)options->threads * options->participants +
                       (uint64_t)options->small_threads * OPTIONS_SMALL_PARTICIPANTS) *
                      options->connections_per_user;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (connections + DESCRIPTORS_SPARE > limit.rlim_max) {
        option_complain("%llu connections need more than the %llu open files this process may have (ulimit -Hn)",
                        (unsigned long long)connections, (unsigned long long)limit.rlim_max);
        return false;
    }
    double messages = (double)(options->warmup_s + options->duration_s) * options->rate;
    if (messages * (double)connections / 8 + messages * sizeof(struct tally_message) * options_threads(options) >
        (double)BOOK_BYTES_MAX) {
        option_complain("the book of every delivery would need more than 2 GiB; lower --duration, --rate or --threads");
        return false;
    }
    return true;
}

enum option_key {
    KEY_NODES = 1,
    KEY_CONNECTION_STRING,
    KEY_CA,
    KEY_TLS,
    KEY_THREADS,
    KEY_PARTICIPANTS,
    KEY_CONNECTIONS,
    KEY_RATE,
    KEY_PAYLOAD,
    KEY_DURATION,
    KEY_WARMUP,
    KEY_DRAIN,
    KEY_WIRE,
    KEY_IDLE,
    KEY_SEED,
    KEY_PIDS,
    KEY_BASELINE,
    KEY_JSON,
    KEY_REPORT,
    KEY_BESIDE,
    KEY_SMALL_THREADS,
    KEY_FILL,
    KEY_AT,
    KEY_UNTIL_BALANCED,
    KEY_EVERY,
    KEY_ADMIN_TOKEN,
    KEY_ENDPOINTS_FILE,
    KEY_HELP
};

static const struct option option_table[] = {
    {"nodes", required_argument, NULL, KEY_NODES},
    {"connection-string", required_argument, NULL, KEY_CONNECTION_STRING},
    {"ca", required_argument, NULL, KEY_CA},
    {"tls", no_argument, NULL, KEY_TLS},
    {"threads", required_argument, NULL, KEY_THREADS},
    {"participants", required_argument, NULL, KEY_PARTICIPANTS},
    {"connections-per-user", required_argument, NULL, KEY_CONNECTIONS},
    {"rate", required_argument, NULL, KEY_RATE},
    {"payload", required_argument, NULL, KEY_PAYLOAD},
    {"duration", required_argument, NULL, KEY_DURATION},
    {"warmup", required_argument, NULL, KEY_WARMUP},
    {"drain", required_argument, NULL, KEY_DRAIN},
    {"wire", required_argument, NULL, KEY_WIRE},
    {"idle", required_argument, NULL, KEY_IDLE},
    {"seed", required_argument, NULL, KEY_SEED},
    {"server-pid", required_argument, NULL, KEY_PIDS},
    {"baseline", no_argument, NULL, KEY_BASELINE},
    {"json", required_argument, NULL, KEY_JSON},
    {"report", required_argument, NULL, KEY_REPORT},
    {"beside", required_argument, NULL, KEY_BESIDE},
    {"small-threads", required_argument, NULL, KEY_SMALL_THREADS},
    {"fill-mb", required_argument, NULL, KEY_FILL},
    {"at", required_argument, NULL, KEY_AT},
    {"until-balanced", no_argument, NULL, KEY_UNTIL_BALANCED},
    {"every", required_argument, NULL, KEY_EVERY},
    {"admin-token", required_argument, NULL, KEY_ADMIN_TOKEN},
    {"endpoints-file", required_argument, NULL, KEY_ENDPOINTS_FILE},
    {"help", no_argument, NULL, KEY_HELP},
    {NULL, 0, NULL, 0},
};

/* Options that not every mode has. */
static const struct {
    enum option_key key;
    bool is_of[3]; /* by enum mode */
} option_owners[] = {
    {KEY_IDLE, {true, false, false}},
    {KEY_BASELINE, {true, false, false}},
    {KEY_BESIDE, {true, false, false}},
    {KEY_SMALL_THREADS, {false, true, true}},
    {KEY_FILL, {false, true, true}},
    {KEY_ADMIN_TOKEN, {false, true, true}},
    {KEY_ENDPOINTS_FILE, {false, true, true}},
    {KEY_AT, {false, true, false}},
    {KEY_UNTIL_BALANCED, {false, true, false}},
    {KEY_EVERY, {false, false, true}},
};

static bool is_of_mode(int key, enum mode mode) {
    for (size_t i = 0; i < sizeof option_owners / sizeof option_owners[0]; i++)
        if ((int)option_owners[i].key == key && !option_owners[i].is_of[mode])
            return false;
    return true;
}

/* Values whose meaning depends on others, or on the environment. */
struct raw_options {
    const char *connection_string;
    bool only_tls;
};

/* Those of rebalance and churn. */
static bool moving_option_take(int key, const char *text, struct options *options) {
    switch (key) {
    case KEY_SMALL_THREADS:
        return option_number_take("small-threads", text, 0, 100000, &options->small_threads);
    case KEY_FILL:
        return option_number_take("fill-mb", text, 0, 1000000, &options->fill_mb);
    case KEY_UNTIL_BALANCED:
        options->is_until_balanced = true;
        return true;
    case KEY_EVERY:
        return option_number_take("every", text, 1, 86400, &options->every_s);
    case KEY_ADMIN_TOKEN:
        options->admin_token = text;
        return true;
    case KEY_ENDPOINTS_FILE:
        options->endpoints_file = text;
        return true;
    default:
        return false;
    }
}

static bool option_take(struct arena *arena, int key, const char *text, struct options *options,
                        struct raw_options *raw) {
    switch (key) {
    case KEY_NODES:
        return option_nodes_take(arena, "--nodes", text, options);
    case KEY_CONNECTION_STRING:
        raw->connection_string = text;
        return true;
    case KEY_CA:
        options->ca_file = text;
        return true;
    case KEY_TLS:
        raw->only_tls = true;
        return true;
    case KEY_THREADS:
        return option_number_take("threads", text, 1, 100000, &options->threads);
    case KEY_PARTICIPANTS:
        return option_number_take("participants", text, 1, LIMIT_PARTICIPANTS_MAX, &options->participants);
    case KEY_CONNECTIONS:
        return option_number_take("connections-per-user", text, 1, 64, &options->connections_per_user);
    case KEY_RATE:
        return option_rate_take(text, &options->rate);
    case KEY_PAYLOAD:
        return option_number_take("payload", text, PAYLOAD_BYTES_MIN, LIMIT_MESSAGE_BYTES_MAX, &options->payload_bytes);
    case KEY_DURATION:
        return option_number_take("duration", text, 1, 86400, &options->duration_s);
    case KEY_WARMUP:
        return option_number_take("warmup", text, 0, 3600, &options->warmup_s);
    case KEY_DRAIN:
        return option_number_take("drain", text, 1, 3600, &options->drain_s);
    case KEY_WIRE:
        return option_wire_take(text, &options->wire);
    case KEY_IDLE:
        return option_number_take("idle", text, 1, 1000000, &options->idle_connections);
    case KEY_SEED:
        return option_seed_take(text, &options->seed);
    case KEY_PIDS:
        return option_pids_take(arena, "--server-pid", text, options);
    case KEY_BASELINE:
        options->has_baseline = true;
        return true;
    case KEY_JSON:
        options->json_file = text;
        return true;
    case KEY_REPORT:
        options->report_file = text;
        return true;
    case KEY_BESIDE:
        options->beside_file = text;
        return true;
    default:
        return moving_option_take(key, text, options);
    }
}

static void defaults_set(enum mode mode, struct options *options, struct raw_options *raw) {
    const char *ca = getenv("WEFT_CA"), *admin_token = getenv("WEFT_ADMIN_TOKEN");
    *options = (struct options){
        .mode = mode,
        .threads = 4,
        .participants = 250,
        .connections_per_user = 1,
        .rate = 20,
        .payload_bytes = 200,
        .duration_s = 30,
        .warmup_s = 3,
        .drain_s = 15,
        .every_s = 20,
        .admin_token = admin_token != NULL && admin_token[0] != 0 ? admin_token : NULL,
        .ca_file = ca != NULL && ca[0] != 0 ? ca : NULL,
    };
    *raw = (struct raw_options){.connection_string = getenv("WEFT_CONNECTION_STRING")};
    if (getrandom(&options->seed, 4, 0) != 4)
        options->seed = 1;
}

static bool moving_fits(const struct options *options) {
    bool is_for_balance = options->is_until_balanced;
    for (size_t i = 0; i < options->planned_count; i++)
        is_for_balance = is_for_balance || options->planned[i].is_when_balanced;
    if (options->mode == MODE_FANOUT)
        return true;
    if (options->wire == WIRE_SDK)
        option_complain("--wire sdk does not go with %s: its clients cannot resume", mode_name(options->mode));
    else if (options->planned_count == 0)
        option_complain("%s needs a command: %s", mode_name(options->mode),
                        options->mode == MODE_CHURN ? "'COMMAND'" : "--at WHEN 'COMMAND'");
    else if (is_for_balance && options->admin_token == NULL)
        option_complain("waiting for balance needs --admin-token or WEFT_ADMIN_TOKEN");
    else
        return true;
    return false;
}

/* What is needed and was not given, and what only makes sense together. */
static bool options_complete(struct arena *arena, struct options *options, const struct raw_options *raw) {
    const char *pids = getenv("WEFT_PIDS"), *plain = getenv("WEFT_PLAIN_ENDPOINTS");
    /* A node that can be had without TLS is measured without it, so that the baseline beside it is comparable. */
    const char *endpoints = plain != NULL && *plain != '\0' && !raw->only_tls ? plain : getenv("WEFT_ENDPOINTS");
    if (options->nodes_count == 0 && endpoints != NULL &&
        !option_nodes_take(arena, "WEFT_ENDPOINTS", endpoints, options))
        return false;
    /* Where nodes come and go, the processes of the start tell little. */
    if (options->server_pids_count == 0 && pids != NULL && options->mode == MODE_FANOUT &&
        !option_pids_take(arena, "WEFT_PIDS", pids, options))
        return false;
    if (!connection_string_take(arena, raw->connection_string, options))
        return false;
    if (options->beside_file != NULL && options->idle_connections > 0) {
        option_complain("--beside compares fan-outs; it does not go with --idle");
        return false;
    }
    return scheme_choose(options, raw->only_tls) && moving_fits(options) && sizes_fit(options);
}

/* What stands without a dash: the second word of the --at before it was taken there already. */
static enum options_outcome rest_take(int argc, char **argv, struct options *options) {
    for (; optind < argc; optind++) {
        if (options->mode != MODE_CHURN)
            return option_complain("\"%s\" is not an option; see weft-bench %s --help", argv[optind],
                                   mode_name(options->mode));
        if (!option_choice_take(argv[optind], options))
            return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

static bool is_taken(struct arena *arena, int key, int argc, char **argv, struct options *options,
                     struct raw_options *raw) {
    if (!is_of_mode(key, options->mode)) {
        option_complain("%s is not an option of weft-bench %s", argv[optind - 1], mode_name(options->mode));
        return false;
    }
    if (key == KEY_AT)
        return option_planned_take(optarg, optind < argc ? argv[optind++] : NULL, options);
    return option_take(arena, key, optarg, options, raw);
}

enum options_outcome options_parse(struct arena *arena, enum mode mode, int argc, char **argv,
                                   struct options *options) {
    struct raw_options raw;
    defaults_set(mode, options, &raw);
    int key;
    /* 0 and not 1: a run of getopt_long before may have stopped in the middle. */
    optind = 0;
    while ((key = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (key == KEY_HELP) {
            options_help_print(mode);
            return OPTIONS_HELP;
        }
        /* getopt_long has already said what is wrong with an unknown option. */
        if (key == '?' || !is_taken(arena, key, argc, argv, options, &raw))
            return OPTIONS_WRONG;
    }
    if (rest_take(argc, argv, options) != OPTIONS_RUN)
        return OPTIONS_WRONG;
    return options_complete(arena, options, &raw) ? OPTIONS_RUN : OPTIONS_WRONG;
}
