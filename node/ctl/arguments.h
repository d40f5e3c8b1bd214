#pragma once
/* The command line: a command, its words, and options anywhere. */
#include <stdbool.h>
#include <stddef.h>

#define ARGUMENTS_LIST_MAX 16

/* One bit each, so that a command can say which it takes. */
enum option_bit {
    OPTION_ENDPOINT = 1 << 0,
    OPTION_TOKEN = 1 << 1,
    OPTION_TOKEN_FILE = 1 << 2,
    OPTION_CA = 1 << 3,
    OPTION_HELP = 1 << 4,
    OPTION_JSON = 1 << 5,
    OPTION_WIDE = 1 << 6,
    OPTION_WATCH = 1 << 7,
    OPTION_CANCEL = 1 << 8,
    OPTION_FROM = 1 << 9,
    OPTION_TO = 1 << 10,
    OPTION_PRIMARY = 1 << 11,
    OPTION_NODE = 1 << 12,
    OPTION_NAMES = 1 << 13,
    OPTION_USER = 1 << 14,
    OPTION_SCOPE = 1 << 15,
    OPTION_MINUTES = 1 << 16,
    OPTION_INTERVAL = 1 << 17,
    OPTION_VERSION = 1 << 18,
    OPTION_CONNECTION = 1 << 19,
    OPTION_USERS = 1 << 20,
    OPTION_BESIDE = 1 << 21,
    OPTION_URL = 1 << 22,
    OPTION_SCHEMA = 1 << 23,
    OPTION_TYPE = 1 << 24,
    OPTION_FILE = 1 << 25,
    OPTION_FROM_CONNECTION = 1 << 26,
    OPTION_IDENTITY = 1 << 27
};
#define OPTIONS_OF_ALL (OPTION_ENDPOINT | OPTION_TOKEN | OPTION_TOKEN_FILE | OPTION_CA | OPTION_HELP)

struct list {
    const char *items[ARGUMENTS_LIST_MAX];
    size_t count;
};

struct arguments {
    unsigned given; /* of enum option_bit */
    struct list words;
    struct list endpoints; /* of --endpoint, as they were given */
    struct list scopes;
    struct list types;      /* of --type */
    struct list identities; /* of --identity */
    const char *token, *token_file, *ca_file;
    const char *from, *to, *primary, *node;
    const char *user;
    const char *connection; /* of --connection-string */
    const char *from_connection;
    const char *users_file;
    const char *url, *schema, *file;
    double minutes;    /* of --expires-in */
    double interval_s; /* of --interval */
    double beside;     /* calls at a time */
};

/* 0, or EXIT_USAGE after saying what is wrong. Everything is borrowed from `argv`. */
int arguments_parse(int argc, char **argv, struct arguments *arguments);
/* EXIT_USAGE, after saying so, if an option was given that is not among `taken` or OPTIONS_OF_ALL. */
int arguments_allow(const struct arguments *arguments, const char *command, unsigned taken);
static inline bool arguments_have(const struct arguments *arguments, enum option_bit option) {
    return (arguments->given & (unsigned)option) != 0;
}

/* "weftctl: " and the sentence, on standard error. Returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int usage_wrong(const char *format, ...);
