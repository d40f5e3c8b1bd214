#pragma once
/* What GET /admin/plan tells: the moves from now until the cluster is balanced, as a dry run has them. */
#include "node/ctl/overview.h"

struct plan {
    json_t *root;
    struct move *moves;
    size_t moves_count;
    double bytes, seconds; /* to copy, and about how long it takes; 0 seconds: not known */
    bool is_blocked;       /* a node that is to be emptied cannot be */
    bool is_cut;           /* there are more moves than were told */
};

/* Exit status as of admin_call; after EXIT_DONE the plan is to be closed. */
int plan_get(struct admin *admin, struct plan *plan);
void plan_close(struct plan *plan);
