#define _GNU_SOURCE
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "bench/payload.h"
#include "proto/access_key.h"
#include "proto/ids.h"
#include "proto/limits.h"

#define BOOK_BYTES_MAX (2ULL * 1024 * 1024 * 1024)
#define DESCRIPTORS_SPARE 100 /* REST connections, files, the loop */

static const char help_text[] =
    "usage: weft-bench fanout [option...]\n"
    "\n"
    "Creates users and threads on a Weft cluster, connects every participant, sends on a fixed schedule, and counts "
    "and\n"
    "times every delivery. Ends with 0 only if nothing was lost, doubled, out of order or refused.\n"
    "\n"
    "where\n"
    "  --nodes URL[,URL...]       nodes to use, in turn         (default: WEFT_PLAIN_ENDPOINTS, else WEFT_ENDPOINTS,\n"
    "                             separated by spaces)\n"
    "  --connection-string TEXT   endpoint=...;accesskey=...    (default: WEFT_CONNECTION_STRING)\n"
    "  --ca FILE                  who signed the certificates   (default: WEFT_CA, else the system's authorities)\n"
    "  --tls                      use https:// addresses only. Without it http:// addresses (a node's plain listener\n"
    "                             on loopback) are used if there are any, and https:// ones otherwise\n"
    "what\n"
    "  --threads N                chat threads                  (default: 4)\n"
    "  --participants N           in each thread, 1..250        (default: 250)\n"
    "  --connections-per-user N   sockets per participant       (default: 1)\n"
    "  --rate R                   messages per second in EACH thread, on a fixed schedule; the threads take turns\n"
    "                             (default: 20)\n"
    "  --payload BYTES            of each message's content, 55..28672 (default: 200)\n"
    "  --duration S               measured seconds              (default: 30)\n"
    "  --warmup S                 seconds before, not measured, but counted for losses (default: 3)\n"
    "  --drain S                  longest wait for the last arrivals (default: 15)\n"
    "  --wire json|msgpack|sdk    Weft's own real time in either format, or the official SDK's protocol with sends\n"
    "                             by REST (default: json)\n"
    "  --idle N                   instead: open N idle connections and say what each costs in resident memory\n"
    "  --seed N                   of ids and masks              (default: random, printed)\n"
    "measure\n"
    "  --server-pid PID[,PID...]  processes whose CPU time and memory are measured (default: WEFT_PIDS)\n"
    "  --baseline                 before and after also run weft-bench-baseline, a bare epoll writer, with the same\n"
    "                             load, one send per subscriber and merging, and print the ratios\n"
    "  --json FILE|-              the result for machines\n"
    "  --report FILE.html         the result for people: one file, no outside parts\n"
    "  --beside FILE              what an earlier run with the same load wrote by --json: print what this one adds,\n"
    "                             as three nodes to one\n"
    "\n"
    "exit status: 0 all well; 1 something was lost, doubled, out of order or refused; 2 wrong arguments; 3 the run "
    "could\n"
    "not be set up\n";

const char *wire_name(enum wire wire) {
    static const char *const names[] = {"json", "msgpack", "sdk"};
    return names[wire];
}

uint32_t options_connections(const struct options *options) {
    if (options->idle_connections > 0)
        return options->idle_connections;
    return options->threads * options->participants * options->connections_per_user;
}

uint32_t options_messages_per_thread(const struct options *options) {
    return (uint32_t)ceil((double)(options->warmup_s + options->duration_s) * options->rate);
}

double options_deliveries_per_second(const struct options *options) {
    return options->rate * (double)options_connections(options);
}

__attribute__((format(printf, 1, 2))) static enum options_outcome complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "weft-bench: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    return OPTIONS_WRONG;
}

void options_help_print(void) {
    fputs(help_text, stdout);
}

static bool number_take(const char *name, const char *text, uint64_t min, uint64_t max, uint32_t *value) {
    uint64_t number;
    if (!decimal_parse(bytes_of_text(text), &number) || number < min || number > max) {
        complain("--%s is a whole number from %llu to %llu, not \"%s\"", name, (unsigned long long)min,
                 (unsigned long long)max, text);
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

static bool rate_take(const char *text, double *rate) {
    char *end;
    errno = 0;
    *rate = strtod(text, &end);
    if (end != text && *end == 0 && errno == 0 && *rate >= 0.01 && *rate <= 100000)
        return true;
    complain("--rate is messages per second and thread, from 0.01 to 100000, not \"%s\"", text);
    return false;
}

static bool wire_take(const char *text, enum wire *wire) {
    for (enum wire candidate = WIRE_JSON; candidate <= WIRE_SDK; candidate++) {
        if (strcmp(text, wire_name(candidate)) == 0) {
            *wire = candidate;
            return true;
        }
    }
    complain("--wire is json, msgpack or sdk, not \"%s\"", text);
    return false;
}

static bool pids_take(struct arena *arena, const char *source, const char *text, struct options *options) {
    char *list = arena_text(arena, bytes_of_text(text)), *rest = NULL;
    options->server_pids_count = 0;
    for (char *item = strtok_r(list, ", ", &rest); item != NULL; item = strtok_r(NULL, ", ", &rest)) {
        uint64_t pid;
        if (!decimal_parse(bytes_of_text(item), &pid) || pid == 0 || pid > INT32_MAX ||
            options->server_pids_count == OPTIONS_PIDS_MAX) {
            complain("%s is a list of up to %d process ids, \"%s\" is none", source, OPTIONS_PIDS_MAX, item);
            return false;
        }
        options->server_pids[options->server_pids_count++] = (int)pid;
    }
    return true;
}

static bool nodes_take(struct arena *arena, const char *source, const char *text, struct options *options) {
    char *list = arena_text(arena, bytes_of_text(text)), *rest = NULL;
    options->nodes_count = 0;
    for (char *item = strtok_r(list, ", ", &rest); item != NULL; item = strtok_r(NULL, ", ", &rest)) {
        const char *reason;
        if (options->nodes_count == OPTIONS_NODES_MAX) {
            complain("%s names more than %d nodes", source, OPTIONS_NODES_MAX);
            return false;
        }
        if (!address_parse(bytes_of_text(item), &options->nodes[options->nodes_count], &reason)) {
            complain("%s: \"%s\": %s", source, item, reason);
            return false;
        }
        options->nodes_count++;
    }
    return true;
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
        complain("--tls needs an https:// address and none is given");
    return kept > 0;
}

static bool connection_string_take(struct arena *arena, const char *text, struct options *options) {
    struct bytes endpoint;
    if (text == NULL) {
        complain(
            "no access key: give --connection-string, or set WEFT_CONNECTION_STRING (cluster-config/run/env has it)");
        return false;
    }
    if (!connection_string_parse(arena, bytes_of_text(text), &endpoint, &options->access_key)) {
        complain("the connection string is not of the form endpoint=https://host/;accesskey=<base64>");
        return false;
    }
    if (options->nodes_count > 0)
        return true;
    return nodes_take(arena, "the connection string", arena_text(arena, endpoint), options);
}

static bool sizes_fit(const struct options *options) {
    uint64_t connections = options->idle_connections;
    if (connections == 0)
        connections = (uint64_t)options->threads * options->participants * options->connections_per_user;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (connections + DESCRIPTORS_SPARE > limit.rlim_max) {
        complain("%llu connections need more than the %llu open files this process may have (ulimit -Hn)",
                 (unsigned long long)connections, (unsigned long long)limit.rlim_max);
        return false;
    }
    double messages = (double)(options->warmup_s + options->duration_s) * options->rate;
    if (messages * (double)connections / 8 + messages * 40 * options->threads > (double)BOOK_BYTES_MAX) {
        complain("the book of every delivery would need more than 2 GiB; lower --duration, --rate or --threads");
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
    {"help", no_argument, NULL, KEY_HELP},
    {NULL, 0, NULL, 0},
};

/* Values whose meaning depends on others, or on the environment. */
struct raw_options {
    const char *connection_string;
    bool only_tls;
};

static bool seed_take(const char *text, uint64_t *seed) {
    if (decimal_parse(bytes_of_text(text), seed))
        return true;
    complain("--seed is a whole number, not \"%s\"", text);
    return false;
}

static bool option_take(struct arena *arena, int key, const char *text, struct options *options,
                        struct raw_options *raw) {
    switch (key) {
    case KEY_NODES:
        return nodes_take(arena, "--nodes", text, options);
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
        return number_take("threads", text, 1, 100000, &options->threads);
    case KEY_PARTICIPANTS:
        return number_take("participants", text, 1, LIMIT_PARTICIPANTS_MAX, &options->participants);
    case KEY_CONNECTIONS:
        return number_take("connections-per-user", text, 1, 64, &options->connections_per_user);
    case KEY_RATE:
        return rate_take(text, &options->rate);
    case KEY_PAYLOAD:
        return number_take("payload", text, PAYLOAD_BYTES_MIN, LIMIT_MESSAGE_BYTES_MAX, &options->payload_bytes);
    case KEY_DURATION:
        return number_take("duration", text, 1, 86400, &options->duration_s);
    case KEY_WARMUP:
        return number_take("warmup", text, 0, 3600, &options->warmup_s);
    case KEY_DRAIN:
        return number_take("drain", text, 1, 3600, &options->drain_s);
    case KEY_WIRE:
        return wire_take(text, &options->wire);
    case KEY_IDLE:
        return number_take("idle", text, 1, 1000000, &options->idle_connections);
    case KEY_SEED:
        return seed_take(text, &options->seed);
    case KEY_PIDS:
        return pids_take(arena, "--server-pid", text, options);
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
        return false;
    }
}

static void defaults_set(struct options *options, struct raw_options *raw) {
    const char *ca = getenv("WEFT_CA");
    *options = (struct options){
        .threads = 4,
        .participants = 250,
        .connections_per_user = 1,
        .rate = 20,
        .payload_bytes = 200,
        .duration_s = 30,
        .warmup_s = 3,
        .drain_s = 15,
        .ca_file = ca != NULL && ca[0] != 0 ? ca : NULL,
    };
    *raw = (struct raw_options){.connection_string = getenv("WEFT_CONNECTION_STRING")};
    if (getrandom(&options->seed, 4, 0) != 4)
        options->seed = 1;
}

/* What is needed and was not given, and what only makes sense together. */
static bool options_complete(struct arena *arena, struct options *options, const struct raw_options *raw) {
    const char *pids = getenv("WEFT_PIDS"), *plain = getenv("WEFT_PLAIN_ENDPOINTS");
    /* A node that can be had without TLS is measured without it, so that the baseline beside it is comparable. */
    const char *endpoints = plain != NULL && *plain != '\0' && !raw->only_tls ? plain : getenv("WEFT_ENDPOINTS");
    if (options->nodes_count == 0 && endpoints != NULL && !nodes_take(arena, "WEFT_ENDPOINTS", endpoints, options))
        return false;
    if (options->server_pids_count == 0 && pids != NULL && !pids_take(arena, "WEFT_PIDS", pids, options))
        return false;
    if (!connection_string_take(arena, raw->connection_string, options))
        return false;
    if (options->beside_file != NULL && options->idle_connections > 0) {
        complain("--beside compares fan-outs; it does not go with --idle");
        return false;
    }
    return scheme_choose(options, raw->only_tls) && sizes_fit(options);
}

enum options_outcome options_parse(struct arena *arena, int argc, char **argv, struct options *options) {
    struct raw_options raw;
    defaults_set(options, &raw);
    int key;
    optind = 1;
    while ((key = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        if (key == KEY_HELP) {
            options_help_print();
            return OPTIONS_HELP;
        }
        /* getopt_long has already said what is wrong with an unknown option. */
        if (key == '?' || !option_take(arena, key, optarg, options, &raw))
            return OPTIONS_WRONG;
    }
    if (optind < argc)
        return complain("\"%s\" is not an option; see weft-bench fanout --help", argv[optind]);
    return options_complete(arena, options, &raw) ? OPTIONS_RUN : OPTIONS_WRONG;
}
