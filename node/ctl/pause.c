/* weftctl pause, weftctl resume */
#include "node/ctl/ctl.h"

int pause_run(struct ctl *ctl) {
    return ctl_ask(ctl, "POST", "/admin/rebalance/pause", NULL,
                   "balancing is paused: no move begins until weftctl resume, those under way end");
}

int resume_run(struct ctl *ctl) {
    return ctl_ask(ctl, "POST", "/admin/rebalance/resume", NULL, "balancing goes on");
}
