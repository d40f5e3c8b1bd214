#pragma once
/* What weftctl ends with. Scripts rely on it: weftctl(1) and README.md say the same. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,     /* by the cluster, or it has no such node or range, or it ended otherwise than waited for */
    EXIT_USAGE = 2,       /* wrong arguments */
    EXIT_UNREACHABLE = 3, /* no node gave an answer */
    EXIT_NOT_ADMITTED = 4 /* the admin token is missing or wrong */
};
