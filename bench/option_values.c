#define _GNU_SOURCE
#include "bench/option_values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ids.h"

enum options_outcome option_complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "weft-bench: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    return OPTIONS_WRONG;
}

bool option_number_take(const char *name, const char *text, uint64_t min, uint64_t max, uint32_t *value) {
    uint64_t number;
    if (!decimal_parse(bytes_of_text(text), &number) || number < min || number > max) {
        option_complain("--%s is a whole number from %llu to %llu, not \"%s\"", name, (unsigned long long)min,
                        (unsigned long long)max, text);
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

bool option_rate_take(const char *text, double *rate) {
    char *end;
    errno = 0;
    *rate = strtod(text, &end);
    if (end != text && *end == 0 && errno == 0 && *rate >= 0.01 && *rate <= 100000)
        return true;
    option_complain("--rate is messages per second and thread, from 0.01 to 100000, not \"%s\"", text);
    return false;
}

bool option_wire_take(const char *text, enum wire *wire) {
    for (enum wire candidate = WIRE_JSON; candidate <= WIRE_SDK; candidate++) {
        if (strcmp(text, wire_name(candidate)) == 0) {
            *wire = candidate;
            return true;
        }
    }
    option_complain("--wire is json, msgpack or sdk, not \"%s\"", text);
    return false;
}

bool option_pids_take(struct arena *arena, const char *source, const char *text, struct options *options) {
    char *list = arena_text(arena, bytes_of_text(text)), *rest = NULL;
    options->server_pids_count = 0;
    for (char *item = strtok_r(list, ", ", &rest); item != NULL; item = strtok_r(NULL, ", ", &rest)) {
        uint64_t pid;
        if (!decimal_parse(bytes_of_text(item), &pid) || pid == 0 || pid > INT32_MAX ||
            options->server_pids_count == OPTIONS_PIDS_MAX) {
            option_complain("%s is a list of up to %d process ids, \"%s\" is none", source, OPTIONS_PIDS_MAX, item);
            return false;
        }
        options->server_pids[options->server_pids_count++] = (int)pid;
    }
    return true;
}

bool option_nodes_take(struct arena *arena, const char *source, const char *text, struct options *options) {
    char *list = arena_text(arena, bytes_of_text(text)), *rest = NULL;
    options->nodes_count = 0;
    for (char *item = strtok_r(list, ", ", &rest); item != NULL; item = strtok_r(NULL, ", ", &rest)) {
        const char *reason;
        if (options->nodes_count == OPTIONS_NODES_MAX) {
            option_complain("%s names more than %d nodes", source, OPTIONS_NODES_MAX);
            return false;
        }
        if (!address_parse(bytes_of_text(item), &options->nodes[options->nodes_count], &reason)) {
            option_complain("%s: \"%s\": %s", source, item, reason);
            return false;
        }
        options->nodes_count++;
    }
    return true;
}

bool option_seed_take(const char *text, uint64_t *seed) {
    if (decimal_parse(bytes_of_text(text), seed))
        return true;
    option_complain("--seed is a whole number, not \"%s\"", text);
    return false;
}

static bool has_room_for_command(const char *command, const struct options *options) {
    if (command == NULL || command[0] == 0)
        option_complain("a command is missing: give one for the shell, in quotes");
    else if (options->planned_count == OPTIONS_PLANNED_MAX)
        option_complain("more than %d commands are given", OPTIONS_PLANNED_MAX);
    else
        return true;
    return false;
}

bool option_planned_take(const char *when, const char *command, struct options *options) {
    if (!has_room_for_command(command, options))
        return false;
    struct planned_command planned = {.command = command, .is_when_balanced = strcmp(when, "balanced") == 0};
    char *end = NULL;
    planned.at_s = strtod(when, &end);
    bool is_time = end != when && *end == 0 && planned.at_s >= 0 && planned.at_s <= 86400;
    if (!is_time && !planned.is_when_balanced) {
        option_complain("--at is a number of seconds from 0 to 86400 or \"balanced\", and a command, not \"%s\"", when);
        return false;
    }
    options->planned[options->planned_count++] = planned;
    return true;
}

bool option_choice_take(const char *command, struct options *options) {
    if (!has_room_for_command(command, options))
        return false;
    options->planned[options->planned_count++] = (struct planned_command){.command = command};
    return true;
}
