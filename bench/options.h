#pragma once
/* The command line of `weft-bench fanout`, `rebalance` and `churn`, checked. */
#include "bench/address.h"
#include "proto/arena.h"

#define OPTIONS_NODES_MAX 64
#define OPTIONS_PIDS_MAX 64
#define OPTIONS_PLANNED_MAX 64
#define OPTIONS_SMALL_PARTICIPANTS 5

enum mode { MODE_FANOUT, MODE_REBALANCE, MODE_CHURN };

enum wire { WIRE_JSON, WIRE_MSGPACK, WIRE_SDK };

/* A command for the shell, and when it is to run. */
struct planned_command {
    const char *command;
    double at_s; /* from the first message */
    bool is_when_balanced;
};

struct options {
    enum mode mode;
    struct address nodes[OPTIONS_NODES_MAX];
    size_t nodes_count;
    struct bytes access_key; /* decoded */
    const char *ca_file;     /* NULL: the system's */
    uint32_t threads;
    uint32_t participants;  /* per thread */
    uint32_t small_threads; /* and so many of OPTIONS_SMALL_PARTICIPANTS */
    uint32_t connections_per_user;
    double rate; /* messages per second and thread */
    uint32_t payload_bytes;
    uint32_t duration_s;
    uint32_t warmup_s;
    uint32_t drain_s; /* how long to wait for the last arrivals */
    enum wire wire;
    int server_pids[OPTIONS_PIDS_MAX];
    size_t server_pids_count;
    const char *json_file;   /* NULL: none; "-": standard output */
    const char *report_file; /* NULL: none */
    const char *beside_file; /* an earlier run's JSON; NULL: none */
    uint64_t seed;
    bool has_baseline;
    uint32_t idle_connections; /* 0: with load */
    /* rebalance and churn */
    struct planned_command planned[OPTIONS_PLANNED_MAX]; /* churn: to choose from */
    size_t planned_count;
    uint32_t every_s; /* churn: between two of them */
    uint32_t fill_mb;
    bool is_until_balanced;
    const char *admin_token;    /* NULL: the cluster cannot be watched */
    const char *endpoints_file; /* NULL: the nodes stay those of the start */
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Defaults come from WEFT_ENDPOINTS, WEFT_CONNECTION_STRING, WEFT_CA, WEFT_PIDS and WEFT_ADMIN_TOKEN. Prints help and
 * complaints itself. What is borrowed lives in the arena, the arguments or the environment. Addresses are not looked up
 * yet. */
enum options_outcome options_parse(struct arena *arena, enum mode mode, int argc, char **argv, struct options *options);

void options_help_print(enum mode mode);

const char *wire_name(enum wire wire);
const char *mode_name(enum mode mode);

/* Large threads come first, then the small ones; users are counted thread by thread. */
uint32_t options_threads(const struct options *options);
uint32_t options_participants(const struct options *options, uint32_t thread);
uint32_t options_first_user(const struct options *options, uint32_t thread);
uint32_t options_users(const struct options *options);
/* Connections that get each message of a thread. */
uint32_t options_readers(const struct options *options, uint32_t thread);

/* All connections of the run, all messages of one thread. */
uint32_t options_connections(const struct options *options);
uint32_t options_messages_per_thread(const struct options *options);
/* Deliveries per second if everything arrives. */
double options_deliveries_per_second(const struct options *options);
