#define _GNU_SOURCE
#include "bench/baseline_arguments.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ids.h"

#define FRAME_BYTES_OVER_PAYLOAD 556   /* a message event of Weft's JSON wire, around its content */
#define REQUEST_BYTES_OVER_PAYLOAD 160 /* a send of Weft's JSON wire, around its content */

static const char help_text[] =
    "usage: weft-bench-baseline [option...]\n"
    "\n"
    "  --threads N --participants N --rate R --payload BYTES --duration S --warmup S    as in weft-bench fanout\n"
    "  --frame BYTES        size of a delivery on the wire; 0, the default: about that of Weft's JSON wire\n"
    "  --mode send|coalesce|together    one send per subscriber and message (default); pending writes merged per loop\n"
    "                       turn; the sends of a message in one system call with io_uring\n"
    "  --pin-server CORE --pin-generator CORE    where to run\n"
    "  --json FILE|-        the result for machines\n";

enum argument_key {
    KEY_THREADS = 1,
    KEY_PARTICIPANTS,
    KEY_RATE,
    KEY_PAYLOAD,
    KEY_FRAME,
    KEY_DURATION,
    KEY_WARMUP,
    KEY_MODE,
    KEY_PIN_SERVER,
    KEY_PIN_GENERATOR,
    KEY_JSON,
    KEY_HELP
};

static const struct option argument_table[] = {
    {"threads", required_argument, NULL, KEY_THREADS},
    {"participants", required_argument, NULL, KEY_PARTICIPANTS},
    {"rate", required_argument, NULL, KEY_RATE},
    {"payload", required_argument, NULL, KEY_PAYLOAD},
    {"frame", required_argument, NULL, KEY_FRAME},
    {"duration", required_argument, NULL, KEY_DURATION},
    {"warmup", required_argument, NULL, KEY_WARMUP},
    {"mode", required_argument, NULL, KEY_MODE},
    {"pin-server", required_argument, NULL, KEY_PIN_SERVER},
    {"pin-generator", required_argument, NULL, KEY_PIN_GENERATOR},
    {"json", required_argument, NULL, KEY_JSON},
    {"help", no_argument, NULL, KEY_HELP},
    {NULL, 0, NULL, 0},
};

static bool number_take(const char *text, uint64_t min, uint64_t max, uint32_t *value) {
    uint64_t number;
    if (!decimal_parse(bytes_of_text(text), &number) || number < min || number > max) {
        fprintf(stderr, "weft-bench-baseline: \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64 "\n", text,
                min, max);
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

static bool rate_take(const char *text, double *rate) {
    char *end;
    *rate = strtod(text, &end);
    if (end != text && *end == 0 && *rate >= 0.01 && *rate <= 100000)
        return true;
    fprintf(stderr, "weft-bench-baseline: --rate is from 0.01 to 100000, not \"%s\"\n", text);
    return false;
}

static const char *const mode_names[] = {
    [BASELINE_SEND] = "send",
    [BASELINE_COALESCE] = "coalesce",
    [BASELINE_TOGETHER] = "together",
};

const char *baseline_mode_name(enum baseline_mode mode) {
    return mode_names[mode];
}

static bool mode_take(const char *text, enum baseline_mode *mode) {
    for (*mode = BASELINE_SEND; *mode <= BASELINE_TOGETHER; *mode += 1)
        if (strcmp(text, mode_names[*mode]) == 0)
            return true;
    fprintf(stderr, "weft-bench-baseline: --mode is send, coalesce or together, not \"%s\"\n", text);
    return false;
}

static bool core_take(const char *text, uint32_t *core) {
    bool is_valid = number_take(text, 0, CPU_SETSIZE - 1, core);
    *core += 1;
    return is_valid;
}

static bool frame_is_valid(uint32_t frame_bytes) {
    if (frame_bytes == 0 || frame_bytes >= sizeof(struct baseline_head))
        return true;
    fprintf(stderr, "weft-bench-baseline: --frame is 0 or at least %zu\n", sizeof(struct baseline_head));
    return false;
}

static bool argument_take(int key, const char *text, struct baseline_arguments *arguments) {
    switch (key) {
    case KEY_THREADS:
        return number_take(text, 1, 100000, &arguments->load.threads);
    case KEY_PARTICIPANTS:
        return number_take(text, 1, 100000, &arguments->load.participants);
    case KEY_RATE:
        return rate_take(text, &arguments->rate);
    case KEY_PAYLOAD:
        return number_take(text, 1, 1048576, &arguments->payload_bytes);
    case KEY_FRAME:
        return number_take(text, 0, 1048576, &arguments->frame_bytes) && frame_is_valid(arguments->frame_bytes);
    case KEY_DURATION:
        return number_take(text, 1, 86400, &arguments->duration_s);
    case KEY_WARMUP:
        return number_take(text, 0, 3600, &arguments->warmup_s);
    case KEY_MODE:
        return mode_take(text, &arguments->load.mode);
    case KEY_PIN_SERVER:
        return core_take(text, &arguments->pin_server);
    case KEY_PIN_GENERATOR:
        return core_take(text, &arguments->pin_generator);
    case KEY_JSON:
        arguments->json_file = text;
        return true;
    default:
        return false;
    }
}

enum options_outcome baseline_arguments_parse(int argc, char **argv, struct baseline_arguments *arguments) {
    *arguments = (struct baseline_arguments){
        .load = {.threads = 4, .participants = 250}, .payload_bytes = 200, .rate = 20, .duration_s = 10, .warmup_s = 1};
    int key;
    while ((key = getopt_long(argc, argv, "", argument_table, NULL)) != -1) {
        if (key == KEY_HELP) {
            fputs(help_text, stdout);
            return OPTIONS_HELP;
        }
        if (!argument_take(key, optarg, arguments))
            return OPTIONS_WRONG;
    }
    arguments->load.request_bytes = arguments->payload_bytes + REQUEST_BYTES_OVER_PAYLOAD;
    arguments->load.frame_bytes =
        arguments->frame_bytes > 0 ? arguments->frame_bytes : arguments->payload_bytes + FRAME_BYTES_OVER_PAYLOAD;
    return OPTIONS_RUN;
}
