#pragma once
/* check() stays on in release builds. It is for our own mistakes only: bad input, full queues and lost peers are
 * status codes. A failed check ends the process; a replica takes over. */

_Noreturn void check_failed(const char *condition, const char *file, int line);

#define check(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
