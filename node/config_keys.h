#pragma once
/* The table of all keys of the configuration, and what can be done with one key: find it, set it from text, write it as
 * text. Used by config.c only. */
#include "node/config.h"

enum config_type {
    CONFIG_TEXT,    /* char[CONFIG_TEXT_MAX] */
    CONFIG_NUMBER,  /* int64_t */
    CONFIG_SWITCH,  /* bool: on or off */
    CONFIG_CHOICE,  /* an enum that counts the words of `choices` from 0 */
    CONFIG_ADDRESS, /* struct config_address: address:port, or off where the default is off */
};

struct config_key {
    const char *name;
    const char *group; /* heading it stands under */
    enum config_type type;
    size_t at; /* offset in struct config */
    const char *default_value;
    const char *explanation;
    int64_t min; /* CONFIG_NUMBER: both inclusive */
    int64_t max;
    const char *unit;                    /* CONFIG_NUMBER */
    const char *choices;                 /* CONFIG_CHOICE: words separated by one space */
    bool (*has_form)(const char *value); /* CONFIG_TEXT: what is not empty must pass; NULL: anything */
    const char *form;                    /* what has_form wants, after "must be" */
    bool is_secret;
};

/* In the order of the file. */
extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* Dashes in `name` count as underscores. NULL: unknown. */
const struct config_key *config_key_find(const char *name);

/* The key that was probably meant by an unknown name. NULL: nothing is near. */
const struct config_key *config_key_nearest(const char *name);

/* STATUS_VALIDATION_ERROR: the value is not set, and `complaint` got a clause that names key, value and limit. */
int config_key_set(const struct config_key *key, struct config *config, const char *value, struct buffer *complaint);

/* As config_key_set reads it. */
void config_key_format(const struct config_key *key, const struct config *config, struct buffer *out);

/* "1 to 200 ms", "on, off": for people. */
void config_key_format_range(const struct config_key *key, struct buffer *out);
