#pragma once
/* Durations of a run: second by second, and over the measured window with what it cost. Fills the result. */
#include "bench/result.h"

struct measure {
    struct result *result;
    int64_t start_ns; /* the first message's intended time */
    int64_t window_start_ns;
    int64_t window_end_ns;
    uint64_t arrivals; /* of this run, everything */
    /* of the present second */
    uint64_t second_arrivals; /* when it began */
    uint64_t second_acknowledgement_max_ns;
    struct histogram second;
    size_t seconds_capacity;
    struct process_usage second_usage;
    /* as they were when the window began */
    uint64_t window_arrivals;
    int64_t window_own_cpu_ns;
    struct process_usage window_usage;
};

void measure_start(struct measure *measure, struct result *result, int64_t start_ns);
bool measure_is_in_window(const struct measure *measure, int64_t time_ns);

/* `is_last`: now all readers have the message. */
void measure_delivery(struct measure *measure, int64_t intended_ns, int64_t now_ns, bool is_last);
void measure_acknowledgement(struct measure *measure, int64_t intended_ns, int64_t now_ns);

/* Ends a second of the run and begins the next. The second is the result's last one. */
void measure_second(struct measure *measure);
void measure_window_start(struct measure *measure);
void measure_window_end(struct measure *measure, int64_t now_ns);

/* CPU time and memory of the processes the options name; false: they cannot be read. */
bool measure_server(const struct result *result, struct process_usage *usage);
