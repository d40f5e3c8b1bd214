#pragma once
/* The command line of weft-bench-baseline, checked. */
#include "bench/baseline_server.h"
#include "bench/options.h"

struct baseline_arguments {
    struct baseline_load load;
    uint32_t payload_bytes;
    uint32_t frame_bytes; /* 0: from the payload */
    double rate;
    uint32_t duration_s;
    uint32_t warmup_s;
    uint32_t pin_server; /* core + 1; 0: anywhere */
    uint32_t pin_generator;
    const char *json_file;
};

/* As it is written on the command line. */
const char *baseline_mode_name(enum baseline_mode mode);

/* Prints help and complaints itself. */
enum options_outcome baseline_arguments_parse(int argc, char **argv, struct baseline_arguments *arguments);
