#pragma once
/* Numbers as people read them. Each writes at most HUMAN_BYTES_MAX bytes and returns `out`; what is negative or no
 * number counts as 0. */
#include <stddef.h>

#define HUMAN_BYTES_MAX 32

/* "0 B", "12 kB", "1.2 GB": powers of 1000. */
char *human_bytes(double bytes, char out[static HUMAN_BYTES_MAX]);
/* "0", "0.4", "870", "12 k", "3.4 M": things, or things per second. */
char *human_count(double count, char out[static HUMAN_BYTES_MAX]);
/* "0 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h" */
char *human_seconds(double seconds, char out[static HUMAN_BYTES_MAX]);
/* "0.25", "12.3", "1203": milliseconds, without the unit. */
char *human_ms(double ms, char out[static HUMAN_BYTES_MAX]);
/* "33.3 %" of 0.333 */
char *human_percent(double fraction, char out[static HUMAN_BYTES_MAX]);
/* "2026-11-22 18:02:11", in the zone of whoever looks; epoch milliseconds. */
char *human_time(double epoch_ms, char out[static HUMAN_BYTES_MAX]);
