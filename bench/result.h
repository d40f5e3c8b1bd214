#pragma once
/* What a run found out. Filled by load.c, idle.c, moving.c and baseline_run.c; shown by result_text.c, result_json.c
 * and report.c. */
#include "bench/earlier.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/process.h"

#define RESULT_NAMES_MAX 24
#define RESULT_NAME_BYTES 80

/* How often each of a few names came: error codes, durabilities. */
struct name_counts {
    struct {
        char name[RESULT_NAME_BYTES];
        uint64_t count;
    } items[RESULT_NAMES_MAX];
    size_t count;
};

/* Names beyond RESULT_NAMES_MAX count as "other". */
void name_counts_add(struct name_counts *counts, struct bytes name);

/* One second of the run, from its start. */
struct second {
    uint64_t deliveries;
    uint64_t p50_ns; /* of the deliveries that came in this second */
    uint64_t p99_ns;
    uint64_t max_ns;
    uint64_t acknowledgement_max_ns; /* of the answers that came in this second */
    double server_cores;             /* CPU seconds per second; negative: not measured */
};

#define BASELINE_ROUNDS 2

struct baseline_result {
    bool is_there;
    double round_us[BASELINE_ROUNDS]; /* CPU time per delivery before Weft's run and after it */
    double us_per_delivery;           /* their mean */
    uint64_t deliveries;
    uint64_t expected;
};

struct moved;

struct result {
    const struct options *options;
    int64_t started_s; /* of the wall clock */
    /* making things */
    size_t users;
    size_t connections;
    double users_s;
    double threads_s;
    double connections_s;
    size_t connections_repeated;
    /* the book of the whole run, warm-up included */
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t failed;    /* refused, or never answered */
    uint64_t expected;  /* deliveries of acknowledged messages */
    uint64_t arrived;   /* of these */
    uint64_t unawaited; /* deliveries of messages that were never acknowledged */
    uint64_t lost;
    uint64_t duplicates;
    uint64_t disorders;
    uint64_t strange; /* damaged, of another thread, never sent */
    uint64_t closed;  /* connections the server ended */
    struct name_counts errors;
    struct name_counts durabilities;
    double frame_bytes; /* mean size of a delivery on the wire, WebSocket header included, without TLS */
    /* the measured window */
    double window_s;
    uint64_t window_deliveries;
    double latest_send_ms; /* how late the generator itself was at worst */
    struct histogram delivery;
    struct histogram last; /* of all readers of a message */
    struct histogram acknowledgement;
    struct second *seconds;
    size_t seconds_count;
    /* costs */
    bool has_server; /* the server's processes could be read */
    double server_us_per_delivery;
    double server_cores;
    double generator_us_per_delivery;
    double generator_cores;
    struct process_usage server_before;    /* before the first connection */
    struct process_usage server_half;      /* half of them connected */
    struct process_usage server_connected; /* all connected, nothing sent */
    struct process_usage server_after;     /* after the last delivery */
    struct baseline_result baseline_send;
    struct baseline_result baseline_coalesce;
    struct earlier earlier; /* nodes 0: none was named */
    struct moved *moved;    /* what more a rebalance or churn found out; NULL: this is none */
};

void result_init(struct result *result, const struct options *options);
void result_close(struct result *result);

bool result_is_clean(const struct result *result);
/* Resident bytes per connection, idle; 0 when not measured. The first connections may live in memory that the server
 * had freed before, so what the second half took counts if it is more than the mean of all. */
double result_bytes_per_connection(const struct result *result);
/* The quantiles that `struct earlier` has, in milliseconds. */
void result_quantiles_ms(const struct histogram *histogram, double values[EARLIER_QUANTILES]);
/* Server's cost over the baseline's; 0 when one of them is missing. */
double result_ratio(const struct result *result, const struct baseline_result *baseline);
/* The generator was so busy that latencies are its own as much as the server's. */
bool result_generator_was_busy(const struct result *result);

/* "last of 250": the last of all readers of a message. `name` has RESULT_NAME_BYTES. */
void result_last_name(const struct options *options, char name[RESULT_NAME_BYTES]);

/* Shown to people on standard output; the parts of it are for others who print. */
void result_text_print(const struct result *result);
void result_percentiles_print(const char *name, const struct histogram *histogram);
void result_counts_print(const char *title, const struct name_counts *counts);
/* STATUS_SERVICE_UNAVAILABLE: the file cannot be written; errno says why. "-" is standard output. */
int result_json_write(const struct result *result, const char *file);
int report_write(const struct result *result, const char *file);
