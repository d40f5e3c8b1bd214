#pragma once
/* weftctl events dead-letters: what every node has given up of a subscription, each asked by itself, as each keeps its
 * own. Gives an exit status; that a node does not answer is said, and does not hide what the others have. */
#include "node/ctl/ctl.h"

int letters_show(struct ctl *ctl, const char *path);
