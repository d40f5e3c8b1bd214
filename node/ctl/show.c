#include "node/ctl/show.h"

int show_overview(struct ctl *ctl, show_print *print) {
    struct overview overview;
    int rc = overview_get(&ctl->admin, &overview);
    if (rc != EXIT_DONE)
        return rc;
    if (arguments_have(ctl->arguments, OPTION_JSON))
        ctl_print_json(overview.root, false);
    else
        print(&ctl->terminal, &overview);
    overview_close(&overview);
    return EXIT_DONE;
}
