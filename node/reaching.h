#pragma once
/* By which of this machine's addresses another one is reached. Sends nothing. */
#include <stdbool.h>

struct reached {
    char from[64];        /* without brackets */
    bool is_this_machine; /* the other address is one of this machine's own */
};

/* `address`: host:port, [host]:port; may ask the name service. STATUS_NOT_FOUND: nothing leads there. */
int reach(const char *address, struct reached *reached);
