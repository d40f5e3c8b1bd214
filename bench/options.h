#pragma once
/* The command line of `weft-bench fanout`, checked. */
#include "bench/address.h"
#include "proto/arena.h"

#define OPTIONS_NODES_MAX 64
#define OPTIONS_PIDS_MAX 64

enum wire { WIRE_JSON, WIRE_MSGPACK, WIRE_SDK };

struct options {
    struct address nodes[OPTIONS_NODES_MAX];
    size_t nodes_count;
    struct bytes access_key; /* decoded */
    const char *ca_file;     /* NULL: the system's */
    uint32_t threads;
    uint32_t participants; /* per thread */
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
    uint32_t idle_connections; /* 0: fan-out mode */
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Defaults come from WEFT_ENDPOINTS, WEFT_CONNECTION_STRING, WEFT_CA and WEFT_PIDS. Prints help and complaints itself.
 * What is borrowed lives in the arena, the arguments or the environment. Addresses are not looked up yet. */
enum options_outcome options_parse(struct arena *arena, int argc, char **argv, struct options *options);

void options_help_print(void);

const char *wire_name(enum wire wire);

/* All connections of the run, all messages of one thread. */
uint32_t options_connections(const struct options *options);
uint32_t options_messages_per_thread(const struct options *options);
/* Deliveries per second if everything arrives. */
double options_deliveries_per_second(const struct options *options);
