#pragma once
/* The commands of weftctl: one table, from which help, checking and running come. */
#include "node/ctl/ctl.h"

struct command {
    const char *name;
    const char *words;           /* what follows it, as usage shows it */
    const char *summary;         /* one line, for the list */
    const char *help;            /* paragraphs */
    unsigned options;            /* of enum option_bit that it takes besides OPTIONS_OF_ALL */
    size_t words_min, words_max; /* itself included */
    int (*run)(struct ctl *ctl);
};

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);

/* How it is used, or with NULL which commands there are. */
void command_help_print(const struct command *command);
