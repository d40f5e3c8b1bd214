#pragma once
/* The value of one option, checked. Who asks for something wrong is told which option, what it takes and what was
 * given, on standard error. */
#include "bench/options.h"

/* Says what is wrong with the command line; OPTIONS_WRONG. */
__attribute__((format(printf, 1, 2))) enum options_outcome option_complain(const char *format, ...);

/* False, and a complaint, when the text is not what the option takes. `source` is where it was given. */
bool option_number_take(const char *name, const char *text, uint64_t min, uint64_t max, uint32_t *value);
bool option_rate_take(const char *text, double *rate);
bool option_wire_take(const char *text, enum wire *wire);
bool option_seed_take(const char *text, uint64_t *seed);
bool option_pids_take(struct arena *arena, const char *source, const char *text, struct options *options);
bool option_nodes_take(struct arena *arena, const char *source, const char *text, struct options *options);

/* `when` is seconds from the first message, or "balanced". `command` NULL: none was given. */
bool option_planned_take(const char *when, const char *command, struct options *options);
/* One more command for chance to choose from. */
bool option_choice_take(const char *command, struct options *options);
