#pragma once
/* The cluster asked again and again, with patience for nodes that end and start meanwhile. */
#include "node/ctl/ctl.h"
#include "node/ctl/overview.h"
#include "node/ctl/screen.h"

struct watch {
    struct ctl *ctl;
    struct screen screen;
    double silent_since_s;  /* of watch_now_s; 0: the last question was answered */
    unsigned looks_in_vain; /* in a row: nothing moved and nobody was there to decide */
};

/* Looks at the overview, says what there is to see by watch_* and the screen. True: it is over, with *rc. */
typedef bool watch_look(void *context, struct watch *watch, const struct overview *overview, int *rc);

/* Calls `look` with an overview every --interval seconds until it is over, somebody presses "q" (EXIT_DONE), or no node
 * has answered for a minute. `is_whole` as of screen_open. */
int watch_run(struct ctl *ctl, bool is_whole, watch_look *look, void *context);

/* Seconds on a clock that only goes forward. */
double watch_now_s(void);

/* One line, if standard output is no terminal: a watch writes there what happens, not what is. */
__attribute__((format(printf, 2, 3))) void watch_tell(const struct watch *watch, const char *format, ...);

/* Whether nothing will come of waiting, because balancing is paused or no node decides for a while, and nothing is
 * under way. The complaint says which; to be asked once for each look. */
bool watch_is_in_vain(struct watch *watch, const struct overview *overview);
