#include "node/ctl/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/ctl/exit_status.h"
#include "node/ctl/side_by_side.h"
#include "proto/limits.h"

#define INTERVAL_S_MIN 0.1
#define INTERVAL_S_MAX 3600.0
#define BESIDE_DEFAULT 4

/* The value is the option's bit; getopt_long gives it back. */
static const struct option option_table[] = {
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"ca", required_argument, NULL, OPTION_CA},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"json", no_argument, NULL, OPTION_JSON},
    {"wide", no_argument, NULL, OPTION_WIDE},
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"cancel", no_argument, NULL, OPTION_CANCEL},
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"primary", required_argument, NULL, OPTION_PRIMARY},
    {"node", required_argument, NULL, OPTION_NODE},
    {"names", no_argument, NULL, OPTION_NAMES},
    {"user", required_argument, NULL, OPTION_USER},
    {"scope", required_argument, NULL, OPTION_SCOPE},
    {"expires-in", required_argument, NULL, OPTION_MINUTES},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"connection-string", required_argument, NULL, OPTION_CONNECTION},
    {"from-connection-string", required_argument, NULL, OPTION_FROM_CONNECTION},
    {"users", required_argument, NULL, OPTION_USERS},
    {"beside", required_argument, NULL, OPTION_BESIDE},
    {"url", required_argument, NULL, OPTION_URL},
    {"schema", required_argument, NULL, OPTION_SCHEMA},
    {"type", required_argument, NULL, OPTION_TYPE},
    {"identity", required_argument, NULL, OPTION_IDENTITY},
    {"file", required_argument, NULL, OPTION_FILE},
    {NULL, 0, NULL, 0},
};

int usage_wrong(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("weftctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_USAGE;
}

static const char *option_name(unsigned bit) {
    for (const struct option *option = option_table; option->name != NULL; option++)
        if ((unsigned)option->val == bit)
            return option->name;
    return "";
}

static int list_add(struct list *list, const char *what, const char *item) {
    if (list->count == ARGUMENTS_LIST_MAX)
        return usage_wrong("at most %d %s can be given", ARGUMENTS_LIST_MAX, what);
    list->items[list->count++] = item;
    return EXIT_DONE;
}

static int number_take(unsigned bit, const char *text, double least, double most, double *number) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || errno != 0 || !(value >= least && value <= most))
        return usage_wrong("--%s is a number from %g to %g, not \"%s\"", option_name(bit), least, most, text);
    *number = value;
    return EXIT_DONE;
}

static int beside_take(const char *text, double *beside) {
    int rc = number_take(OPTION_BESIDE, text, 1, SIDE_BY_SIDE_MAX, beside);
    *beside = rc == EXIT_DONE ? floor(*beside) : *beside;
    return rc;
}

static int minutes_take(const char *text, double *minutes) {
    int rc = number_take(OPTION_MINUTES, text, LIMIT_TOKEN_MINUTES_MIN, LIMIT_TOKEN_MINUTES_MAX, minutes);
    *minutes = rc == EXIT_DONE ? floor(*minutes) : *minutes;
    return rc;
}

/* What text options set; NULL: none of them. */
static const char **text_option(struct arguments *arguments, unsigned bit) {
    switch (bit) {
    case OPTION_TOKEN:
        return &arguments->token;
    case OPTION_TOKEN_FILE:
        return &arguments->token_file;
    case OPTION_CA:
        return &arguments->ca_file;
    case OPTION_FROM:
        return &arguments->from;
    case OPTION_TO:
        return &arguments->to;
    case OPTION_PRIMARY:
        return &arguments->primary;
    case OPTION_NODE:
        return &arguments->node;
    case OPTION_USER:
        return &arguments->user;
    case OPTION_CONNECTION:
        return &arguments->connection;
    case OPTION_FROM_CONNECTION:
        return &arguments->from_connection;
    case OPTION_USERS:
        return &arguments->users_file;
    case OPTION_URL:
        return &arguments->url;
    case OPTION_SCHEMA:
        return &arguments->schema;
    case OPTION_FILE:
        return &arguments->file;
    default:
        return NULL;
    }
}

static int option_take(struct arguments *arguments, unsigned bit, const char *text) {
    const char **field = text_option(arguments, bit);
    arguments->given |= bit;
    if (text != NULL && text[0] == 0)
        return usage_wrong("--%s needs a value that is not empty", option_name(bit));
    if (field != NULL)
        *field = text;
    else if (bit == OPTION_ENDPOINT)
        return list_add(&arguments->endpoints, "--endpoint", text);
    else if (bit == OPTION_SCOPE)
        return list_add(&arguments->scopes, "--scope", text);
    else if (bit == OPTION_TYPE)
        return list_add(&arguments->types, "--type", text);
    else if (bit == OPTION_IDENTITY)
        return list_add(&arguments->identities, "--identity", text);
    else if (bit == OPTION_MINUTES)
        return minutes_take(text, &arguments->minutes);
    else if (bit == OPTION_BESIDE)
        return beside_take(text, &arguments->beside);
    else if (bit == OPTION_INTERVAL)
        return number_take(bit, text, INTERVAL_S_MIN, INTERVAL_S_MAX, &arguments->interval_s);
    return EXIT_DONE;
}

int arguments_parse(int argc, char **argv, struct arguments *arguments) {
    *arguments = (struct arguments){.minutes = LIMIT_TOKEN_MINUTES_MAX, .interval_s = 1, .beside = BESIDE_DEFAULT};
    int key, rc = EXIT_DONE;
    optind = 1;
    if (argc > 0)
        argv[0] = "weftctl"; /* in getopt's complaints */
    while (rc == EXIT_DONE && (key = getopt_long(argc, argv, "h", option_table, NULL)) != -1) {
        /* getopt_long has already said what is wrong with an unknown option. */
        if (key == '?')
            return usage_wrong("weftctl --help lists commands, weftctl COMMAND --help what each takes");
        rc = option_take(arguments, key == 'h' ? OPTION_HELP : (unsigned)key, optarg);
    }
    for (; rc == EXIT_DONE && optind < argc; optind++)
        rc = list_add(&arguments->words, "words", argv[optind]);
    return rc;
}

int arguments_allow(const struct arguments *arguments, const char *command, unsigned taken) {
    unsigned wrong = arguments->given & ~(taken | OPTIONS_OF_ALL);
    if (wrong == 0)
        return EXIT_DONE;
    return usage_wrong("%s takes no --%s; see weftctl %s --help", command, option_name(wrong & -wrong), command);
}
